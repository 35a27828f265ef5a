"""The first purchases of every member, and how many waited how long, by cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from features.moments import DAY, newest, only, seconds, utc_day
from features.rolled import day_of

NTH = (1, 2, 3, 4)  # purchases that are told apart


def first_purchases(lines: ir.Table, as_of: datetime, joined: ir.Table | None = None) -> ir.Table:
    """When each member bought first, again, a third and a fourth time, as known at ``as_of``.

    A purchase is a buying day, as in ``features.purchases``: a UTC calendar day on which an order
    begins.

    Args:
        lines: of ``rolled.lines``, by UTC days; ``as_of`` is a midnight UTC.
        joined: of ``joining_days``: its members alone, and of what they bought only what they
            bought on the day they joined or later.

    Returns:
        One row per member with a purchase: ``member_id``, ``bought_1`` … ``bought_4`` (day since
        1970; null = not yet), and ``basket``: what was bought on the first, money, refunds not
        taken off.
    """
    seen = lines.filter(lines.known_day < day_of(as_of), lines.is_purchase)
    orders = seen.group_by("member_id", "order_key").agg(
        second=seen.second.min(), amount=seen.amount.sum().cast("float64")
    )
    orders = orders.mutate(day=utc_day(orders.second))
    if joined is not None:
        began = joined.select(joiner="member_id", began=joined.joined)
        both = orders.join(began, orders.member_id == began.joiner)
        orders = both.filter(both.day >= both.began).select(*orders.columns)
    daily = orders.group_by("member_id", "day").agg(amount=orders.amount.sum())
    ordered = ibis.window(group_by=daily.member_id, order_by=daily.day)
    daily = daily.mutate(place=ibis.row_number().over(ordered) + 1)
    daily = daily.filter(daily.place <= NTH[-1])
    return daily.group_by("member_id").agg(
        basket=only(daily.amount, daily.place == 1).max(),
        **{f"bought_{nth}": only(daily.day, daily.place == nth).min() for nth in NTH},
    )


def joining_days(members: ir.Table, as_of: datetime) -> ir.Table:
    """The day on which each member joined, where the newest version known at ``as_of`` says so.

    Returns:
        ``member_id`` and ``joined``, day since 1970, before ``as_of``.
    """
    version = newest(members, "member_id", as_of)
    known = version.filter(version.joined_at.notnull(), version.joined_at < as_of)
    return known.select("member_id", joined=utc_day(seconds(known.joined_at)))


@dataclass(frozen=True, eq=False)
class Waits:
    """How long the members of one cohort waited for something, counted by whole days.

    happened, ended: see ``survival.incidence``. followed: see ``survival.by_day``.
    """

    happened: NDArray[np.int64]
    ended: NDArray[np.int64]
    followed: NDArray[np.int64]

    @property
    def members(self) -> int:
        return int(self.followed.sum())


def waits(
    rows: ir.Table, begins: str, event: str, cohort: str, as_of: datetime
) -> dict[int, Waits]:
    """Count waits from one day to another, by cohort (months since the year 0).

    Args:
        rows: a row per member. begins, event: columns, days since 1970, the event not before the
            other; rows without the first are left out. cohort: the day by whose month members
            belong together.
    """
    last = day_of(as_of) - 1  # the last whole day that is known
    begun = rows.filter(rows[begins].notnull(), rows[begins] <= last)
    begun = begun.mutate(
        month=month_of(begun[cohort]),
        wait=begun[event] - begun[begins],
        watched=last - begun[begins],
    )
    # One pass: with the event, by the wait; without, by how long they were watched.
    counted = begun.group_by("month", "watched", "wait").agg(members=begun.count())
    found: dict[int, list[tuple[int, int | None, int]]] = {}
    for month, watched, wait, members in zip(*_columns(counted), strict=True):
        found.setdefault(month, []).append((watched, wait, members))
    return {month: _waits(found[month]) for month in sorted(found)}


def together(parts: Sequence[Waits]) -> Waits:
    """The members of several cohorts as one."""
    days = max(len(one.followed) for one in parts)
    return Waits(
        *(
            np.sum([np.pad(column, (0, days - len(column))) for column in columns], axis=0)
            for columns in (
                [one.happened for one in parts],
                [one.ended for one in parts],
                [one.followed for one in parts],
            )
        )
    )


def baskets(rows: ir.Table, cohort: str, as_of: datetime) -> Mapping[int, tuple[int, float, float]]:
    """By cohort: members with a first purchase, the sum of its basket, and the sum of squares."""
    bought = rows.filter(
        rows[cohort].notnull(), rows[cohort] < day_of(as_of), rows.bought_1.notnull()
    )
    sums = bought.group_by(month=month_of(bought[cohort])).agg(
        members=bought.count(),
        total=bought.basket.sum(),
        squares=(bought.basket * bought.basket).sum(),
    )
    return {month: (n, total, sq) for month, n, total, sq in zip(*_columns(sums), strict=True)}


def month_of(day: ir.IntegerValue) -> ir.IntegerValue:
    """Months since the year 0 of a day since 1970."""
    date = (day.cast("int64") * DAY).as_timestamp("s")
    month: ir.IntegerValue = (date.year() * 12 + date.month() - 1).cast("int64")
    return month


def _columns(table: ir.Table) -> list[list[int]]:
    found = table.to_pyarrow().to_pydict()
    return [found[name] for name in table.columns]


def _waits(rows: Sequence[tuple[int, int | None, int]]) -> Waits:
    days = max(watched for watched, _, _ in rows) + 1
    happened, ended, followed = (np.zeros(days, dtype=np.int64) for _ in range(3))
    for watched, wait, members in rows:
        followed[watched] += members
        if wait is None:
            ended[watched] += members
        else:
            happened[min(wait, watched)] += members
    return Waits(happened, ended, followed)
