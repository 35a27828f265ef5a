"""BG/NBD: how often members who come and go will buy again."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import expit

from models.errors import ModelError

Numbers = NDArray[np.float64]
# Against the closed form: 1e-10 for up to a hundred purchases, horizons up to all that was seen.
_NODES = 32
_CHUNK = 100_000  # rows × nodes that are in memory at once


@dataclass(frozen=True, slots=True)
class BgNbd:
    """Beta-geometric / NBD model of repeat purchases; a purchase is counted once a day.

    While active, a member buys at a rate of their own, gamma distributed with shape ``r`` and
    ``alpha`` days; after each purchase they leave for good with a probability of their own, beta
    distributed with ``a`` and ``b``. All four are above 0; ``alpha`` is in the unit of the times.

    Source: Fader, Hardie and Lee, "Counting your customers the easy way", Marketing Science 24,
    2005.
    """

    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                raise ModelError(f"{name} is {value}, wanted a finite number above 0")

    def still_active(self, frequency: Numbers, recency: Numbers, age: Numbers) -> Numbers:
        """(n,) probability that a member has not left, 0 to 1.

        Never a score for winning back: a member who bought once has had no chance to leave, and
        gets 1. Arguments as in ``expected_purchases``.
        """
        again = frequency > 0
        left = (
            np.log(self.a)
            - np.log(np.where(again, self.b + frequency - 1, 1.0))
            + (self.r + frequency) * np.log((self.alpha + age) / (self.alpha + recency))
        )
        return np.where(again, expit(-left), 1.0)

    def expected_purchases(
        self, horizon: float, frequency: Numbers, recency: Numbers, age: Numbers
    ) -> Numbers:
        """(n,) purchases expected in the ``horizon`` after ``age``: 0 or more.

        The closed form of the paper divides by ``a - 1`` and takes a hypergeometric function of
        large parameters. This is the same number as an integral over the probability *p* of
        leaving, which given that the member is active is Beta(a, b + x):
        ``E[(1 - (1 + p h / (alpha + T)) ** -(r + x)) / p]``, by Gauss-Jacobi quadrature.

        Args:
            horizon: how far ahead, 0 or more.
            frequency: (n,) purchases after the first, whole numbers.
            recency: (n,) time from the first purchase to the last; 0 without a repeat.
            age: (n,) time from the first purchase to now. All in one unit of time.

        Raises:
            ModelError: a history that cannot be, or a negative horizon; says which row.
        """
        check_histories(frequency, recency, age)
        if not horizon >= 0:
            raise ModelError(f"horizon is {horizon}, wanted 0 or more")
        whole = np.empty(len(frequency))
        reach = horizon / (self.alpha + age)
        order = np.argsort(frequency, kind="stable")
        starts = np.flatnonzero(np.diff(frequency[order], prepend=-1.0))
        for rows in np.split(order, starts[1:]):
            if not len(rows):
                continue
            times = float(frequency[rows[0]])
            leaving, weights = _beta_quadrature(self.a, self.b + times)
            for start in range(0, len(rows), _CHUNK):
                some = rows[start : start + _CHUNK]
                decay = -np.expm1(-(self.r + times) * np.log1p(np.outer(reach[some], leaving)))
                whole[some] = decay @ (weights / leaving)
        return whole * self.still_active(frequency, recency, age)


def check_histories(frequency: Numbers, recency: Numbers, age: Numbers) -> None:
    """Raise ``ModelError`` on the first history that cannot be, in words."""
    if not len(frequency) == len(recency) == len(age):
        raise ModelError(
            f"{len(frequency)} frequencies, {len(recency)} recencies and {len(age)} ages, "
            "wanted one of each for a member"
        )
    whole = np.isfinite(frequency) & (frequency >= 0) & (frequency == np.floor(frequency))
    _refuse(~whole, "frequency", frequency, "a whole number, 0 or more")
    _refuse(~(np.isfinite(age) & (age >= 0)), "age", age, "a finite number, 0 or more")
    _refuse(~((recency >= 0) & (recency <= age)), "recency", recency, "0 to the age")
    _refuse((frequency == 0) & (recency > 0), "recency", recency, "0 without a repeat purchase")


def _refuse(wrong: NDArray[np.bool_], name: str, values: Numbers, wanted: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ModelError(f"{name} of row {row} is {values[row]}, wanted {wanted}")


def _beta_quadrature(a: float, b: float) -> tuple[Numbers, Numbers]:
    """Nodes in (0, 1) and weights of sum 1 for means over a Beta(a, b) distribution.

    Source: Golub and Welsch, Mathematics of Computation 23, 1969, on the recurrence of the Jacobi
    polynomials.
    """
    left, right = b - 1, a - 1  # exponents at 1 and at -1 of the weight on [-1, 1]
    k = np.arange(1, _NODES, dtype=np.float64)
    twice = 2 * k + left + right
    diagonal = np.empty(_NODES)
    diagonal[0] = (right - left) / (left + right + 2)
    diagonal[1:] = (right - left) * (right + left) / (twice * (twice + 2))
    off = np.empty(_NODES - 1)
    off[0] = 4 * (left + 1) * (right + 1) / ((left + right + 2) ** 2 * (left + right + 3))
    k, twice = k[1:], twice[1:]
    off[1:] = 4 * k * (k + left) * (k + right) * (k + left + right)
    off[1:] /= twice**2 * (twice + 1) * (twice - 1)
    nodes, vectors = eigh_tridiagonal(diagonal, np.sqrt(off))
    # Rounding may put a node that lies next to an end on it.
    return np.clip((nodes + 1) / 2, 1e-15, 1.0), vectors[0] ** 2
