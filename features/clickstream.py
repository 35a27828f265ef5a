"""Clickstream features: how often, when and on what a member looks around, and what they leave."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.moments import DAY, days_since, known, only, utc_day, within
from features.tables import CLICK_TYPES

EVENING_HOURS = (18, 24)


def clickstream(roster: ir.Table, activity: ir.Table, items: ir.Table, as_of: datetime) -> ir.Table:
    """What each member of ``roster`` did on site and in the app, as known at ``as_of``.

    Clicks are views, searches, cart, wishlist and app-open events. A session is a member's clicks
    with one ``session_id`` on one device; those without one form a session a UTC day and device.

    Args:
        activity: of ``activity.activity``.
        items: the newest version of each item known at ``as_of``.

    Returns:
        One row per member; counts are 0 where there is nothing.
        sessions_7d, sessions_30d: sessions with a click in the window.
        views_7d, views_30d, views_90d, searches_30d: events in the window.
        carts_30d: add-to-cart events in the last 30 days.
        abandoned_carts_30d: items added to the cart in the last 30 days and since neither bought
            nor removed.
        abandoned_value_30d: Σ over those items of the largest quantity × unit price added, at the
            item's price where the event has none; currency.
        view_to_buy_90d: of the items viewed in the last 90 days, the share bought at or after
            their first view in it; missing = none viewed.
        last_seen_days: days since the last click, life; missing = never seen.
        evening_share_90d: share of the clicks of the last 90 days from 18 to 24 o'clock UTC.
        weekend_share_90d: share of them on a Saturday or Sunday, UTC. Both missing without clicks.
        device: the device of most clicks in the last 90 days, the first by name among equals.
    """
    seen = known(activity, as_of)
    clicks = seen.filter(seen["type"].isin(CLICK_TYPES))
    last = clicks.group_by("member_id").agg(last_seen=clicks.second.max())
    sessions = _sessions(clicks.filter(within(clicks.occurred_at, as_of, 90)), as_of)
    carts = _baskets(seen.filter(within(seen.occurred_at, as_of, 90)), items, as_of)
    joined = roster
    for part in (last, _visits(sessions), _device(sessions), carts):
        joined = joined.left_join(part, "member_id").drop("member_id_right")
    clicks_90d = joined.clicks.cast("float64").nullif(0.0)
    return joined.select(
        "member_id",
        **{name: joined[name].fill_null(0).cast("float64") for name in _COUNTS},
        abandoned_carts_30d=joined.abandoned.fill_null(0).cast("float64"),
        abandoned_value_30d=joined.abandoned_value.cast("float64").fill_null(0.0),
        view_to_buy_90d=joined.bought.cast("float64") / joined.viewed.nullif(0).cast("float64"),
        last_seen_days=days_since(joined.last_seen, as_of),
        evening_share_90d=joined.evenings.cast("float64") / clicks_90d,
        weekend_share_90d=joined.weekends.cast("float64") / clicks_90d,
        device=joined.device,
    )


_COUNTS = (
    "sessions_7d", "sessions_30d", "views_7d", "views_30d", "views_90d", "searches_30d",
    "carts_30d",
)  # fmt: skip


def _sessions(clicks: ir.Table, as_of: datetime) -> ir.Table:
    """One row per session: the one pass over the raw clicks."""
    week, month = (within(clicks.occurred_at, as_of, days) for days in (7, 30))
    hour = (clicks.second % DAY) / 3600
    # Day 0 was a Thursday: days 2 and 3 of each seven are Saturday and Sunday.
    weekday = utc_day(clicks.second) % 7
    is_view = clicks["type"] == "view"
    return clicks.group_by("member_id", "session_key", "device").agg(
        clicks=clicks.count(),
        in_7d=week.any(),
        in_30d=month.any(),
        views_7d=(is_view & week).sum(),
        views_30d=(is_view & month).sum(),
        views_90d=is_view.sum(),
        searches_30d=((clicks["type"] == "search") & month).sum(),
        carts_30d=((clicks["type"] == "add_to_cart") & month).sum(),
        evenings=((hour >= EVENING_HOURS[0]) & (hour < EVENING_HOURS[1])).sum(),
        weekends=weekday.isin((2, 3)).sum(),
    )


def _visits(sessions: ir.Table) -> ir.Table:
    summed = (*_COUNTS[2:], "clicks", "evenings", "weekends")
    return sessions.group_by("member_id").agg(
        sessions_7d=sessions.in_7d.sum(),
        sessions_30d=sessions.in_30d.sum(),
        **{name: sessions[name].sum() for name in summed},
    )


def _device(sessions: ir.Table) -> ir.Table:
    used = sessions.filter(sessions.device.notnull())
    used = used.group_by("member_id", "device").agg(clicks=used.clicks.sum())
    most_first = [ibis.desc(used.clicks), ibis.asc(used.device)]
    place = ibis.row_number().over(ibis.window(group_by=used.member_id, order_by=most_first))
    ranked = used.mutate(place=place)
    return ranked.filter(ranked.place == 0).select("member_id", "device")


def _baskets(recent: ir.Table, items: ir.Table, as_of: datetime) -> ir.Table:
    """Per member: items viewed, bought after viewing, left in the cart, and what those cost."""
    kinds = ("view", "add_to_cart", "remove_from_cart", "purchase")
    recent = recent.filter(recent.item_id.notnull() & recent["type"].isin(kinds))
    bought = recent["type"] == "purchase"
    added = (recent["type"] == "add_to_cart") & within(recent.occurred_at, as_of, 30)
    out = bought | (recent["type"] == "remove_from_cart")
    pairs = recent.group_by("member_id", "item_id").agg(
        first_view=only(recent.occurred_at, recent["type"] == "view").min(),
        last_buy=only(recent.occurred_at, bought).max(),
        last_add=only(recent.occurred_at, added).max(),
        last_out=only(recent.occurred_at, out).max(),
        worth=only(recent.worth, added).max(),
    )
    listed = items.select(listed_item="item_id", listed_price=items.price.cast("float64"))
    pairs = pairs.left_join(listed, pairs.item_id == listed.listed_item)
    left = pairs.last_add.notnull() & (pairs.last_out.isnull() | (pairs.last_out < pairs.last_add))
    worth = ibis.coalesce(pairs.worth, pairs.listed_price, 0.0).cast("decimal(18, 4)")
    return pairs.group_by("member_id").agg(
        viewed=pairs.first_view.count(),
        bought=(pairs.last_buy >= pairs.first_view).sum().fill_null(0),
        abandoned=left.sum(),
        abandoned_value=only(worth, left).sum(),
    )
