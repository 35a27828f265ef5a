"""Events rolled up: tables that add up, by the day of an event and the day that it was known.

A *day* here is the number of a 24-hour day since 1970 that begins at the time of day, ``phase``, of
the moments built. So windows of whole days end where days end, and what holds as of day *T* is the
sum over the rows with ``known_day < T``: rows of closed days are made once and serve every moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.moments import DAY, micros, only, seconds, seen_at, utc_day
from features.tables import CLICK_TYPES, MONEY

# How much an event says about its category; others say nothing.
WEIGHTS = {"view": 1, "search": 1, "wishlist": 2, "add_to_cart": 3, "purchase": 5}
_MICRO = 1_000_000
_COUNT = "int32"  # of a day: half the width is half the work


@dataclass(frozen=True, slots=True)
class Rolled:
    """The roll-ups of all events, by the functions of their names; rows of one key add up."""

    people: ir.Table
    visits: ir.Table
    interest: ir.Table
    lines: ir.Table
    listed: ir.Table


NAMES = tuple(field.name for field in fields(Rolled))


def phase(as_of: datetime) -> int:
    """Microseconds from the UTC midnight before ``as_of`` to it: when its days begin."""
    return _since_1970(as_of) % (DAY * _MICRO)


def day_of(as_of: datetime) -> int:
    """The day that begins at ``as_of``: what has a lower ``known_day`` was known before."""
    return _since_1970(as_of) // (DAY * _MICRO)


def roll_up(events: ir.Table) -> Mapping[str, ir.Table]:
    """Every roll-up of events as ``typed`` gives them, by name."""
    return {
        "people": people(events),
        "visits": visits(events),
        "interest": interest(events),
        "lines": lines(events),
        "listed": listed(events),
    }


def typed(events: ir.Table, phase: int) -> ir.Table:
    """Events with what the roll-ups read of them.

    second: ``occurred_at`` in ``seconds``. day, known_day: when it happened, when it counts.
    """
    second = seconds(events.occurred_at)
    return events.select(
        "event_id", "member_id", "type", "item_id", "category", "device", "session_id",
        "order_id", "unit_price", "quantity", "discount",
        second=second,
        day=_day(events.occurred_at, phase),
        known_day=_day(seen_at(events), phase),
    )  # fmt: skip


def people(events: ir.Table) -> ir.Table:
    """Who was there: per member the days that an event became known.

    last_click: the last click known that day, ``seconds``; null = none.
    """
    clicked = events["type"].isin(CLICK_TYPES)
    return events.group_by("member_id", "known_day").agg(
        last_click=only(events.second, clicked).max()
    )


def visits(events: ir.Table) -> ir.Table:
    """Sessions: a member's clicks with one session key on one device, a row for each day of it.

    session_key: ``session_id``; events without one form one session a UTC calendar day.
    """
    clicks = events.filter(events["type"].isin(CLICK_TYPES))
    clicks = clicks.mutate(
        session_key=ibis.coalesce(clicks.session_id, utc_day(clicks.second).cast("string"))
    )
    return clicks.group_by("member_id", "session_key", "device", "day", "known_day").agg(
        first_second=clicks.second.min(),
        clicks=clicks.count().cast(_COUNT),
        views=(clicks["type"] == "view").sum().cast(_COUNT),
        searches=(clicks["type"] == "search").sum().cast(_COUNT),
        carts=(clicks["type"] == "add_to_cart").sum().cast(_COUNT),
    )


def interest(events: ir.Table) -> ir.Table:
    """What a member did in a category: the event's own, or whatever its item turns out to have.

    category, item_id: of each row one is given, the other null.
    weight: Σ of ``WEIGHTS``. seen, bought: the last event other than a purchase, the last purchase,
    ``seconds``. priced, paid: purchase lines with a unit price, and Σ unit price (money).
    """
    cared = events.filter(
        events["type"].isin(tuple(WEIGHTS)), events.category.notnull() | events.item_id.notnull()
    )
    bought = cared["type"] == "purchase"
    cared = cared.mutate(
        item_id=cared.category.isnull().ifelse(cared.item_id, None),
        weight=cared["type"].cases(*WEIGHTS.items(), else_=0),
        seen=only(cared.second, ~bought),
        bought=only(cared.second, bought),
        price=only(cared.unit_price, bought),
    )
    return cared.group_by("member_id", "category", "item_id", "day", "known_day").agg(
        weight=cared.weight.sum().cast(_COUNT),
        seen=cared.seen.max(),
        bought=cared.bought.max(),
        priced=cared.price.count().cast(_COUNT),
        paid=cared.price.sum(),
    )


def lines(events: ir.Table) -> ir.Table:
    """One row per purchase or refund line, with what it is worth.

    order_key: ``order_id``, else the line's own ``event_id``.
    gross: |quantity × unit_price|, money; a missing quantity is 1, a missing price 0.
    amount: of a purchase gross − discount, of a refund gross; 0 or more but for a discount above
        the price. Money is exact decimals, so a sum never depends on the order of its rows.
    """
    paid = events.filter(events["type"].isin(("purchase", "refund")))
    gross = (paid.quantity.fill_null(1.0) * paid.unit_price.cast("float64").fill_null(0.0)).abs()
    paid = paid.mutate(
        order_key=ibis.coalesce(paid.order_id, paid.event_id),
        is_purchase=paid["type"] == "purchase",
        gross=gross.cast(MONEY),
        discount=paid.discount.fill_null(0).cast(MONEY),
    )
    amount = paid.is_purchase.ifelse(paid.gross - paid.discount, paid.gross).cast(MONEY)
    return paid.select(
        "member_id", "order_key", "item_id", "day", "known_day", "second", "is_purchase", "gross",
        "discount", "unit_price", amount=amount,
    )  # fmt: skip


def listed(events: ir.Table) -> ir.Table:
    """Items that occur in events, with each category given there, and since when that is known."""
    named = events.filter(events.item_id.notnull())
    return named.group_by("item_id", "category").agg(known_day=named.known_day.min())


def _day(column: ir.TimestampValue, phase: int) -> ir.IntegerValue:
    day: ir.IntegerValue = ((micros(column) - phase) // (DAY * _MICRO)).cast("int32")
    return day


def _since_1970(moment: datetime) -> int:
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * _MICRO + moment.microsecond
