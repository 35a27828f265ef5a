"""Events as the views read them: typed, with their session and, as of a moment, their category."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.moments import known, seconds, seen_at, utc_day

# How much an event says about its category; others say nothing.
WEIGHTS = {"view": 1, "search": 1, "wishlist": 2, "add_to_cart": 3, "purchase": 5}


def activity(events: ir.Table) -> ir.Table:
    """One row per event with what the views read of it; as of no moment yet.

    second: ``occurred_at`` in ``seconds``.
    weight: of ``WEIGHTS``.
    session_key: ``session_id``; events without one form one session a member and UTC day.
    worth: quantity × unit_price, float, currency; a missing quantity is 1, a missing price null.
    """
    quantity = events.quantity.fill_null(1.0)
    second = seconds(events.occurred_at)
    return events.select(
        "member_id",
        "type",
        "occurred_at",
        "item_id",
        "category",
        "device",
        "unit_price",
        seen_at=seen_at(events),
        second=second,
        weight=events["type"].cases(*WEIGHTS.items(), else_=0),
        session_key=ibis.coalesce(events.session_id, utc_day(second).cast("string")),
        worth=quantity * events.unit_price.cast("float64"),
    )


def categorised(activity: ir.Table, items: ir.Table, as_of: datetime) -> ir.Table:
    """The activity known at ``as_of`` with its category: the event's own, else the item's.

    Args:
        items: the newest version of each item known at ``as_of``, with ``item_id``, ``category``.

    Returns:
        Rows of ``activity`` that have a category.
    """
    seen = known(activity, as_of)
    of_item = items.select(listed_item="item_id", listed_category="category")
    joined = seen.left_join(of_item, seen.item_id == of_item.listed_item)
    resolved = joined.mutate(category=ibis.coalesce(joined.category, joined.listed_category))
    return resolved.drop("listed_item", "listed_category").filter(ibis._.category.notnull())
