"""How feature functions speak about time: what was known, how long ago, inside which window.

Moments are timestamps in UTC. Durations are days, fractional, counted in whole seconds, so that
every engine gives the same number.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from features.errors import FeatureError

DAY = 86_400
STAMP = "timestamp('UTC', 6)"


def moment(as_of: datetime) -> datetime:
    """``as_of`` in UTC. Raises ``FeatureError`` on a time without an offset."""
    if as_of.tzinfo is None:
        raise FeatureError(f"as_of {as_of.isoformat()} has no offset; add one, such as +00:00")
    return as_of.astimezone(UTC)


def seen_at(table: ir.Table, happened: str = "occurred_at") -> ir.TimestampValue:
    """The moment from which a row counts: it has happened, and is known (null = at once).

    A row counts as of a moment that is *later* than this one.
    """
    known: ir.TimestampValue = ibis.greatest(
        table[happened], ibis.coalesce(table.known_at, table[happened])
    ).cast(STAMP)
    return known


def known(table: ir.Table, as_of: datetime) -> ir.Table:
    """The rows of a table with ``seen_at`` that count as of ``as_of``."""
    return table.filter(table.seen_at < ibis.literal(as_of))


def newest(table: ir.Table, key: str, as_of: datetime) -> ir.Table:
    """The newest version of each ``key`` known before ``as_of``.

    A null ``known_at`` was always known, so it is older than any other; versions that became known
    in the same instant are told apart by ``digest``, so that the choice never depends on row order.
    """
    seen = table.filter(table.known_at.isnull() | (table.known_at < ibis.literal(as_of)))
    latest_first = [
        ibis.desc(seen.known_at, nulls_first=False),
        ibis.desc(seen.digest, nulls_first=False),
    ]
    place = ibis.row_number().over(ibis.window(group_by=seen[key], order_by=latest_first))
    ranked = seen.mutate(version_place=place)
    return ranked.filter(ranked.version_place == 0).drop("version_place")


def within(column: ir.TimestampValue, as_of: datetime, days: float) -> ir.BooleanValue:
    """Whether a moment before ``as_of`` lies in the last ``days`` days: ``as_of - days <= it``."""
    inside: ir.BooleanValue = column >= ibis.literal(as_of - timedelta(days=days))
    return inside


def recent(events: ir.Table, as_of: datetime, days: float) -> ir.Table:
    """The events of the last ``days`` days that were known at ``as_of``."""
    known_at = ibis.coalesce(events.known_at, events.occurred_at)
    moment = ibis.literal(as_of)
    return events.filter(
        within(events.occurred_at, as_of, days), events.occurred_at < moment, known_at < moment
    )


def only(column: ir.Column, where: ir.BooleanValue) -> ir.Value:
    """``column`` where the condition holds, else null: what an aggregate then leaves out.

    Several times faster in DuckDB than a filtered aggregate, and every engine has it.
    """
    return where.ifelse(column, ibis.null(column.type()))


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]  # ibis has no types
    signature=((dt.Timestamp(timezone="UTC", scale=6),), dt.int64)
)
def unix_micros(moment: object) -> int:  # type: ignore[empty-body]  # the engine has the body
    """Microseconds since 1970: every engine has it, and needs no look at the calendar for it."""


def micros(column: ir.TimestampValue) -> ir.IntegerValue:
    """Microseconds since 1970."""
    whole: ir.IntegerValue = unix_micros(column)
    return whole


def seconds(column: ir.TimestampValue) -> ir.IntegerValue:
    """Whole seconds since 1970, rounded down."""
    whole: ir.IntegerValue = (micros(column) // 1_000_000).cast("int64")
    return whole


def days_since(second: ir.IntegerValue, as_of: datetime) -> ir.FloatingValue:
    """Days from a moment, in ``seconds``, to ``as_of``; below 0 where it lies later."""
    gone = ibis.literal(math.floor(as_of.timestamp()), type="int64") - second
    days: ir.FloatingValue = gone.cast("float64") / DAY
    return days


def utc_day(second: ir.IntegerValue) -> ir.IntegerValue:
    """Number of the UTC calendar day of a moment in ``seconds``, counted from 1970-01-01."""
    day: ir.IntegerValue = (second / DAY).floor().cast("int64")
    return day
