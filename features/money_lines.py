"""What purchases and refunds are worth, line by line."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import ibis
from ibis import _

from features.moments import newest
from features.tables import MONEY, Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir


def money_lines(tables: Tables, as_of: datetime, margin_rate: float) -> ir.Table:
    """The purchase and refund lines known at ``as_of``, in money; a refund's is below zero.

    Revenue is quantity × unit price − discount. Margin is the line's own, else revenue × the
    item's ``margin_rate``, else × ``margin_rate``.

    Returns:
        ``event_id``, ``member_id``, ``occurred_at``, ``item_id``, ``order_id``, ``unit_price``;
        ``category``, of the line, else of the item; ``order``: 1 of a purchase, 0 of a refund;
        ``revenue``, ``margin``: exact decimals.
    """
    rate = newest(tables.items, "item_id", as_of).select(
        "item_id", "margin_rate", item_category="category"
    )
    lines = tables.events.filter(
        _["type"].isin(["purchase", "refund"]),
        (_.known_at.isnull()) | (_.known_at < ibis.literal(as_of)),
    ).left_join(rate, "item_id")
    bought = lines["type"] == "purchase"
    amount = lines.quantity.fill_null(1.0).abs() * lines.unit_price.cast("float64").fill_null(0.0)
    revenue = (amount - lines.discount.cast("float64").fill_null(0.0)) * ibis.ifelse(bought, 1, -1)
    own = lines.margin.cast("float64")
    return lines.select(
        "event_id",
        "member_id",
        "occurred_at",
        "item_id",
        "order_id",
        "unit_price",
        category=ibis.coalesce(lines.category, lines.item_category),
        order=bought.cast("int64"),
        revenue=revenue.cast(MONEY),
        margin=ibis.coalesce(
            ibis.ifelse(bought, own, -own.abs()), revenue * lines.margin_rate.fill_null(margin_rate)
        ).cast(MONEY),
    )
