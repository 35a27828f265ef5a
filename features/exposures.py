"""Who is in an experiment, since when, and in which arm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import ibis
from ibis import _

from features.tables import Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True)
class Counting:
    """What of an experiment is counted, and when.

    as_of: only what was known before counts.
    window_days: how long after a member's first decision outcomes count.
    before_days: length of the period before it; 0 for none.
    metric: of the columns of ``members_outcomes``, which decides. covariate: the one that tells of
        the time before. cap: most that a member counts with in either, plus or minus; None: any.
    changed_at: the moments from which the arms had other shares.
    margin_rate: the workspace's share of revenue, where nothing else tells the margin.
    """

    experiment_id: str
    as_of: datetime
    window_days: float
    before_days: float
    metric: str
    covariate: str
    cap: float | None = None
    changed_at: tuple[datetime, ...] = ()
    margin_rate: float = 0.3


def exposures(tables: Tables, counting: Counting) -> ir.Table:
    """Who is in the experiment, from their first decision on, whatever it was: no send too.

    Returns:
        One row per member: ``member_id``; ``first``, the moment of the first decision; ``arm``, of
        that decision (the first by name of several at that moment); ``until``, where the window
        ends; ``epoch``, how often the shares had changed by ``first``; ``crossed``, whether there
        are decisions in another arm too.
    """
    made = known_rows(tables.decisions, counting, "decided_at").filter(
        _.experiment == counting.experiment_id
    )
    found = made.group_by("member_id").agg(
        first=_.decided_at.min(), one=_.arm.min(), other=_.arm.max()
    )
    # The first decision's arm matters where there are two: of few members, if any.
    mixed = found.filter(_.one != _.other).select("member_id", "first")
    earliest = made.join(mixed, "member_id").filter(_.decided_at == _.first)
    earliest = earliest.group_by("member_id").agg(earliest=_.arm.min())
    found = found.left_join(earliest, "member_id")
    changes = [(found.first >= ibis.literal(at)).cast("int64") for at in counting.changed_at]
    return found.select(
        "member_id",
        "first",
        arm=ibis.coalesce(found.earliest, found.one),
        until=found.first + length(counting.window_days),
        epoch=sum(changes, ibis.literal(0, type="int64")),
        crossed=found.one != found.other,
    )


def known_rows(table: ir.Table, counting: Counting, happened: str) -> ir.Table:
    """What had happened before ``as_of``, at the moment ``happened``, and was known."""
    as_of = ibis.literal(counting.as_of)
    return table.filter(
        table[happened] < as_of, ibis.coalesce(table.known_at, table[happened]) < as_of
    )


def length(days: float) -> ir.IntervalScalar:
    """So many days, to the microsecond."""
    return ibis.literal(timedelta(microseconds=round(days * 86_400_000_000)))
