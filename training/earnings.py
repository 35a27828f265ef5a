"""What purchases earned: the revenue and margin of every line."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import ibis

from features.moments import known, newest, seen_at
from features.tables import MONEY, Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir


def earnings(tables: Tables, as_of: datetime, default_rate: float) -> ir.Table:
    """The purchase and refund lines known at ``as_of``, with what they brought.

    Returns:
        One row per line: ``member_id``, ``occurred_at``, ``bought`` (else a refund), and in
        currency, below 0 for a refund:
        revenue: |quantity × unit price|, of a purchase less the discount; a missing quantity is 1,
            a missing price 0.
        margin: the line's own; else revenue × the item's ``margin_rate``, else × ``default_rate``.
    """
    rates = newest(tables.items, "item_id", as_of).select(listed_item="item_id", rate="margin_rate")
    events = tables.events
    paid = events.filter(events["type"].isin(("purchase", "refund")))
    paid = known(paid.mutate(seen_at=seen_at(paid)), as_of)
    paid = paid.left_join(rates, paid.item_id == rates.listed_item)
    bought = paid["type"] == "purchase"
    gross = (paid.quantity.fill_null(1.0) * paid.unit_price.cast("float64").fill_null(0.0)).abs()
    revenue = bought.ifelse(gross - paid.discount.cast("float64").fill_null(0.0), -gross)
    own = paid.margin.cast("float64")
    return paid.select(
        "member_id",
        "occurred_at",
        bought=bought,
        revenue=revenue.cast(MONEY),
        margin=ibis.coalesce(
            bought.ifelse(own, -own.abs()), revenue * paid.rate.fill_null(default_rate)
        ).cast(MONEY),
    )
