"""How many members want an item, and whether that grows."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.rolled import Rolled, day_of


def popularity(
    rolled: Rolled, touched: ir.Table, items: ir.Table, as_of: datetime, has_clickstream: bool
) -> ir.Table:
    """Demand for each item, as known at ``as_of``.

    Args:
        rolled: with the days of ``as_of``.
        touched: of ``clickstream.touched_items`` at the same ``as_of``.
        items: the newest version of each item known at ``as_of``.
        has_clickstream: without it there is no ``views_30d`` and no ``conversion_90d``.

    Returns:
        One row per item that is listed or occurs in an event known by then.
        buyers_30d, buyers_90d: members who bought it in the window; 0 = none.
        views_30d: view events in the last 30 days.
        conversion_90d: of the members who viewed it in the last 90 days, the share who bought it at
            or after their first view in them; missing = nobody viewed it.
        trend: ln((buyers_30d + 1) / (b / 2 + 1)), b = members who bought it in the 60 days before
            those 30; above 0 = growing.
        discount_depth_90d: Σ discount / Σ gross over its purchase lines of the last 90 days;
            missing without a gross above 0.
        price: the item's price, else the mean unit price of its purchases of the last 90 days;
            missing when neither is known.
        margin_rate: margin as a share of price, as given for the item.
        category: as given for the item, else the first in alphabetical order among its events.
    """
    today = day_of(as_of)
    known = rolled.listed.filter(rolled.listed.known_day < today)
    in_events = known.group_by("item_id").agg(own_category=known.category.min())
    listed = items.outer_join(in_events, "item_id")
    listed = listed.mutate(either=ibis.coalesce(listed.item_id, listed.item_id_right))
    joined = listed.drop("item_id", "item_id_right")
    for part in (_demand(rolled.lines, today), _views(touched)):
        of_item = part.rename(of_item="item_id")
        joined = joined.left_join(of_item, joined.either == of_item.of_item).drop("of_item")
    buyers = joined.buyers_30d.fill_null(0).cast("float64")
    earlier = joined.before.fill_null(0).cast("float64") / 2.0
    viewed = {
        "views_30d": joined.views_30d.fill_null(0).cast("float64"),
        "conversion_90d": joined.converted.cast("float64")
        / joined.viewers.nullif(0).cast("float64"),
    }
    return joined.select(
        item_id=joined.either,
        buyers_30d=buyers,
        buyers_90d=joined.buyers_90d.fill_null(0).cast("float64"),
        **(viewed if has_clickstream else {}),
        trend=((buyers + 1.0) / (earlier + 1.0)).ln(),
        discount_depth_90d=joined.discount.cast("float64")
        / joined.gross.cast("float64").nullif(0.0),
        price=ibis.coalesce(joined.price.cast("float64"), joined.mean_price),
        margin_rate=joined.margin_rate,
        category=ibis.coalesce(joined.category, joined.own_category),
    )


def _demand(lines: ir.Table, today: int) -> ir.Table:
    """Per item: its buyers in each window and what they paid a unit."""
    bought = lines.filter(lines.is_purchase, lines.known_day < today, lines.day >= today - 90)
    bought = bought.filter(bought.item_id.notnull())
    in_30d = bought.day >= today - 30
    pairs = bought.group_by("item_id", "member_id").agg(
        recently=in_30d.any(),
        before=(~in_30d).any(),
        priced=bought.unit_price.count(),
        paid=bought.unit_price.sum(),
        gross=bought.gross.sum(),
        discount=bought.discount.sum(),
    )
    return pairs.group_by("item_id").agg(
        buyers_30d=pairs.recently.sum(),
        buyers_90d=pairs.count(),
        before=pairs.before.sum(),
        mean_price=pairs.paid.sum().cast("float64") / pairs.priced.sum().nullif(0).cast("float64"),
        gross=pairs.gross.sum(),
        discount=pairs.discount.sum(),
    )


def _views(touched: ir.Table) -> ir.Table:
    """Per item: who viewed it, and who of them bought it afterwards."""
    return touched.group_by("item_id").agg(
        views_30d=touched.views_30d.sum(),
        viewers=touched.first_view.count(),
        converted=(touched.last_buy >= touched.first_view).sum().fill_null(0),
    )
