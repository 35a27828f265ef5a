"""How many members want an item, and whether that grows."""

from __future__ import annotations

from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

from features.moments import known, within


def popularity(
    activity: ir.Table, items: ir.Table, as_of: datetime, has_clickstream: bool
) -> ir.Table:
    """Demand for each item, as known at ``as_of``.

    Args:
        activity: of ``activity.activity``.
        items: the newest version of each item known at ``as_of``.
        has_clickstream: without it there is no ``views_30d``.

    Returns:
        One row per item that is listed or occurs in an event known by then.
        buyers_30d, buyers_90d: members who bought it in the window; 0 = none.
        views_30d: view events in the last 30 days.
        trend: ln((buyers_30d + 1) / (b / 2 + 1)), b = members who bought it in the 60 days before
            those 30; above 0 = growing.
        price: the item's price, else the mean unit price of its purchases of the last 90 days;
            missing when neither is known.
        margin_rate: margin as a share of price, as given for the item.
        category: as given for the item, else the first in alphabetical order among its events.
    """
    seen = known(activity, as_of).filter(ibis._.item_id.notnull())
    bought = seen["type"] == "purchase"
    before = (seen.occurred_at < ibis.literal(as_of - timedelta(days=30))) & within(
        seen.occurred_at, as_of, 90
    )
    priced = bought & within(seen.occurred_at, as_of, 90)
    pairs = seen.group_by("item_id", "member_id").agg(
        last_30d=(bought & within(seen.occurred_at, as_of, 30)).any(),
        last_90d=(bought & within(seen.occurred_at, as_of, 90)).any(),
        before=(bought & before).any(),
        views=((seen["type"] == "view") & within(seen.occurred_at, as_of, 30)).sum(),
        priced=seen.unit_price.count(where=priced),
        paid=seen.unit_price.sum(where=priced),
        own_category=seen.category.min(),
    )
    demand = pairs.group_by("item_id").agg(
        buyers_30d=pairs.last_30d.sum(),
        buyers_90d=pairs.last_90d.sum(),
        before=pairs.before.sum(),
        views_30d=pairs.views.sum(),
        mean_price=pairs.paid.sum().cast("float64") / pairs.priced.sum().nullif(0).cast("float64"),
        own_category=pairs.own_category.min(),
    )
    joined = items.outer_join(demand, "item_id")
    recent = joined.buyers_30d.fill_null(0).cast("float64")
    earlier = joined.before.fill_null(0).cast("float64") / 2.0
    views = {"views_30d": joined.views_30d.fill_null(0).cast("float64")} if has_clickstream else {}
    return joined.select(
        item_id=ibis.coalesce(joined.item_id, joined.item_id_right),
        buyers_30d=recent,
        buyers_90d=joined.buyers_90d.fill_null(0).cast("float64"),
        **views,
        trend=((recent + 1.0) / (earlier + 1.0)).ln(),
        price=ibis.coalesce(joined.price.cast("float64"), joined.mean_price),
        margin_rate=joined.margin_rate,
        category=ibis.coalesce(joined.category, joined.own_category),
    )
