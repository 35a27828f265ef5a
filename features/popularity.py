"""How many members want an item, and whether that grows."""

from __future__ import annotations

from datetime import datetime

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
    in_30d = within(seen.occurred_at, as_of, 30)
    seen_items = seen.group_by("item_id").agg(
        own_category=seen.category.min(),
        views_30d=((seen["type"] == "view") & in_30d).sum(),
    )
    listed = items.outer_join(seen_items, "item_id")
    listed = listed.mutate(either=ibis.coalesce(listed.item_id, listed.item_id_right))
    demand = _demand(seen, as_of)
    joined = listed.drop("item_id", "item_id_right").left_join(
        demand, ibis._.either == demand.item_id
    )
    recent = joined.buyers_30d.fill_null(0).cast("float64")
    earlier = joined.before.fill_null(0).cast("float64") / 2.0
    views = {"views_30d": joined.views_30d.fill_null(0).cast("float64")} if has_clickstream else {}
    return joined.select(
        item_id=joined.either,
        buyers_30d=recent,
        buyers_90d=joined.buyers_90d.fill_null(0).cast("float64"),
        **views,
        trend=((recent + 1.0) / (earlier + 1.0)).ln(),
        price=ibis.coalesce(joined.price.cast("float64"), joined.mean_price),
        margin_rate=joined.margin_rate,
        category=ibis.coalesce(joined.category, joined.own_category),
    )


def _demand(seen: ir.Table, as_of: datetime) -> ir.Table:
    """Per item: its buyers in each window and what they paid a unit."""
    bought = seen.filter((seen["type"] == "purchase") & within(seen.occurred_at, as_of, 90))
    in_30d = within(bought.occurred_at, as_of, 30)
    pairs = bought.group_by("item_id", "member_id").agg(
        recently=in_30d.any(),
        before=(~in_30d).any(),
        priced=bought.unit_price.count(),
        paid=bought.unit_price.sum(),
    )
    return pairs.group_by("item_id").agg(
        buyers_30d=pairs.recently.sum(),
        buyers_90d=pairs.count(),
        before=pairs.before.sum(),
        mean_price=pairs.paid.sum().cast("float64") / pairs.priced.sum().nullif(0).cast("float64"),
    )
