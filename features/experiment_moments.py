"""Counts and co-moments of the members of an experiment, cell by cell, added up exactly.

Money is decimal and sums of products are too, so the figures are the same to the last bit in
whatever order rows came in, on any number of threads; centring takes place on whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from ibis import _
from numpy.typing import NDArray

if TYPE_CHECKING:
    import ibis.expr.types as ir

STAGES = ("assigned", "sent", "delivered", "opened", "clicked", "converted")
_PLENTY = 10  # conversions, of which chance never leaves none
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
    rows = exact_sums(members, by, names).to_pyarrow().to_pylist()
    groups = [_group(row, tuple(row[name] for name in by), len(names)) for row in rows]
    return sorted(groups, key=lambda group: group.key)


def exact_sums(members: ir.Table, by: Sequence[str], names: Sequence[str]) -> ir.Table:
    """By the columns ``by``: ``members``, how many; ``s0``, … their sums; ``p0_0``, ``p0_1``, …
    the sums of the products of two."""
    sums = {f"s{i}": members[name].sum().cast(_SUM) for i, name in enumerate(names)}
    products = {
        f"p{i}_{j}": (members[names[i]] * members[names[j]]).sum().cast(_SUM_OF_PRODUCTS)
        for i, j in combinations_with_replacement(range(len(names)), 2)
    }
    return members.group_by(*by).agg(members=_.count(), **sums, **products)


def spans(members: ir.Table) -> tuple[datetime | None, datetime | None, int, int]:
    """The first and the last of the first decisions, UTC, None of nobody; how many members have
    decisions in two arms; and of how many, sent nothing, conversions seem to go unreported: their
    pushes report some, and none of theirs, though at the rate of the others they had ten."""
    sent, unsent = ((_.reported == 1) & where for where in (_.sends > 0, _.sends == 0))
    (row,) = (
        members.agg(
            first=_.first.min(), last=_.first.max(), crossed=_.crossed.cast("int64").sum(),
            sent=sent.sum(), sent_sold=_.sold.sum(where=sent),
            unsent=unsent.sum(), unsent_sold=_.sold.sum(where=unsent),
        )
        .to_pyarrow()
        .to_pylist()
    )  # fmt: skip
    counts = {name: int(row[name] or 0) for name in row if name not in ("first", "last")}
    wanted = counts["unsent"] * counts["sent_sold"] / max(counts["sent"], 1)
    unheard = counts["unsent"] if counts["unsent_sold"] == 0 and wanted >= _PLENTY else 0
    return row["first"], row["last"], counts["crossed"], unheard


def funnels(members: ir.Table) -> dict[str, dict[str, int]]:
    """Of each arm, how many members came how far: see ``STAGES``."""
    flags = ("reached", "opened", "clicked", "converted")
    found = members.group_by("arm").agg(
        assigned=_.count(),
        sent=(_.sends > 0).cast("int64").sum(),
        **{name: members[name].sum() for name in flags},
    )
    rows = found.rename(delivered="reached").order_by("arm").to_pyarrow().to_pylist()
    return {row["arm"]: {stage: int(row[stage]) for stage in STAGES} for row in rows}


def _group(row: dict[str, Any], key: tuple[Any, ...], k: int) -> Group:
    count = row["members"]
    total = [Fraction(row[f"s{i}"]) for i in range(k)]
    comoment = np.zeros((k, k))
    for i in range(k):
        for j in range(i, k):
            about = Fraction(row[f"p{i}_{j}"]) - total[i] * total[j] / count
            comoment[i, j] = comoment[j, i] = float(about)
    return Group(key, count, np.array([float(one / count) for one in total]), comoment)
