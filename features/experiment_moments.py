"""Counts and co-moments of the members of an experiment, cell by cell, added up exactly.

Money is decimal and sums of products are too, so the figures are the same to the last bit in
whatever order rows came in, on any number of threads; centring takes place on whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from ibis import _
from numpy.typing import NDArray

if TYPE_CHECKING:
    import ibis.expr.types as ir

_SUM = "decimal(38, 4)"
_SUM_OF_PRODUCTS = "decimal(38, 8)"


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The members with one key.

    key: values of the columns grouped by. mean: (k,). comoment: (k, k) sums over the members of
    ``(x − mean x)(y − mean y)``.
    """

    key: tuple[Any, ...]
    count: int
    mean: NDArray[np.float64]
    comoment: NDArray[np.float64]


def grouped_moments(members: ir.Table, by: Sequence[str], names: Sequence[str]) -> list[Group]:
    """Moments of the columns ``names`` (whole numbers or decimals) by the columns ``by``; in order
    of the key."""
    pairs = list(combinations_with_replacement(range(len(names)), 2))
    sums = {f"s{i}": members[name].sum().cast(_SUM) for i, name in enumerate(names)}
    products = {
        f"p{i}_{j}": (members[names[i]] * members[names[j]]).sum().cast(_SUM_OF_PRODUCTS)
        for i, j in pairs
    }
    found = members.group_by(*by).agg(members=_.count(), **sums, **products)
    rows = found.to_pyarrow().to_pylist()
    groups = [_group(row, tuple(row[name] for name in by), len(names)) for row in rows]
    return sorted(groups, key=lambda group: group.key)


def _group(row: dict[str, Any], key: tuple[Any, ...], k: int) -> Group:
    count = row["members"]
    total = [Fraction(row[f"s{i}"]) for i in range(k)]
    comoment = np.zeros((k, k))
    for i in range(k):
        for j in range(i, k):
            about = Fraction(row[f"p{i}_{j}"]) - total[i] * total[j] / count
            comoment[i, j] = comoment[j, i] = float(about)
    return Group(key, count, np.array([float(one / count) for one in total]), comoment)
