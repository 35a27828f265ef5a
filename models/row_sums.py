"""Sums and products of rows that are the same bits for a row alone and among others.

A decision is recomputed for one member where it was made among many, and has to come out the same.
BLAS adds in another order for one row than for many, and numpy adds along the memory, which
indexing by columns turns round; neither may stand between a member's features and a score.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_EXACT = 53  # bits of a float64: whole numbers up to 2**53 are added without rounding
Number = TypeVar("Number", np.float32, np.float64)


def row_sums(table: NDArray[Number]) -> NDArray[Number]:
    """(n,) of (n, k); each row is added by itself, in one order."""
    sums: NDArray[Number] = np.ascontiguousarray(table).sum(axis=1)
    return sums


def on_grid(table: NDArray[np.floating]) -> NDArray[np.float64]:
    """The finite ``table``, (n, k), rounded so that inner products with other such rows are exact.

    What is exact does not depend on the order of adding: BLAS, however many rows, threads or
    machines it has, gives the same bits. Each row has a grid of its own, and a number is moved by
    at most 2**-22 of the greatest of its row where rows are up to 512 wide, about what float32
    keeps.

    Source: the first slice of the error-free products of Ozaki, Ogita, Oishi and Rump, Numerical
    Algorithms 59, 2012.
    """
    bits = (_EXACT - math.ceil(math.log2(max(table.shape[1], 1)))) // 2
    greatest = np.abs(table).max(axis=1, initial=0.0).astype(np.float64)
    unit = np.ldexp(1.0, np.frexp(greatest)[1] - bits)[:, None]
    return np.asarray(np.rint(table / unit) * unit)
