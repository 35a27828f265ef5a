"""Clickstream features: how often, when and on what a member looks around, and what they leave."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.local_time import local_second
from features.moments import DAY, days_since, micros, only, recent, within
from features.rolled import day_of
from features.tables import MONEY

EVENING_HOURS = (18, 24)
_COUNTS = (
    "sessions_7d", "sessions_30d", "views_7d", "views_30d", "views_90d", "searches_30d",
    "carts_30d",
)  # fmt: skip


def clickstream(
    roster: ir.Table, sessions: ir.Table, people: ir.Table, touched: ir.Table, as_of: datetime
) -> ir.Table:
    """What each member of ``roster`` did on site and in the app, as known at ``as_of``.

    Clicks are views, searches, cart, wishlist and app-open events. A session is a member's clicks
    with one ``session_id`` on one device; those without one form a session a UTC day and device.

    Args:
        sessions: of ``recent_sessions`` at the same ``as_of``.
        people: of ``rolled.people``, with the days of ``as_of``.
        touched: of ``touched_items`` at the same ``as_of``, with ``listed_price`` (float), the
            price of the newest version of the item known then.

    Returns:
        One row per member; counts are 0 where there is nothing.
        sessions_7d, sessions_30d: sessions with a click in the window.
        views_7d, views_30d, views_90d, searches_30d: events in the window.
        carts_30d: add-to-cart events in the last 30 days.
        abandoned_carts_30d: items added to the cart in the last 30 days and since neither bought
            nor removed.
        abandoned_value_30d: Σ over those items of the largest quantity × unit price added, at the
            item's price where the event has none; currency.
        abandoned_age_days: days since the latest addition of one of those items; missing = none.
        view_to_buy_90d: of the items viewed in the last 90 days, the share bought at or after
            their first view in it; missing = none viewed.
        last_seen_days: days since the last click, life; missing = never seen.
        evening_share_90d: of the sessions of the last 90 days, the share that began, by their first
            click in it, from 18 to 24 o'clock in the member's time zone.
        weekend_share_90d: the share of them that began on a Saturday or Sunday there.
        usual_hour: the hour, 0 to 23, in which most of them began there, the earliest among equals.
            All three missing without a session.
        device: the device of most clicks in the last 90 days, the first by name among equals.
    """
    seen = people.filter(people.known_day < day_of(as_of))
    last = seen.group_by("member_id").agg(last_seen=seen.last_click.max())
    joined = roster
    for part in (last, _visits(sessions), _usual_hour(sessions), _device(sessions), _left(touched)):
        joined = joined.left_join(part, "member_id").drop("member_id_right")
    count = joined.sessions.cast("float64").nullif(0.0)
    return joined.select(
        "member_id",
        **{name: joined[name].fill_null(0).cast("float64") for name in _COUNTS},
        abandoned_carts_30d=joined.abandoned.fill_null(0).cast("float64"),
        abandoned_value_30d=joined.abandoned_value.cast("float64").fill_null(0.0),
        abandoned_age_days=days_since(joined.abandoned_at, as_of),
        view_to_buy_90d=joined.bought.cast("float64") / joined.viewed.nullif(0).cast("float64"),
        last_seen_days=days_since(joined.last_seen, as_of),
        evening_share_90d=joined.evenings.cast("float64") / count,
        weekend_share_90d=joined.weekends.cast("float64") / count,
        usual_hour=joined.usual_hour.cast("float64"),
        device=joined.device,
    )


def recent_sessions(visits: ir.Table, zones: ir.Table, as_of: datetime) -> ir.Table:
    """The sessions of the 90 days before ``as_of`` that were known by then, one row each.

    Args:
        visits: of ``rolled.visits``, with the days of ``as_of``.
        zones: of ``local_time.member_zones`` at the same ``as_of``.

    Returns:
        ``member_id``, ``device``, ``clicks`` and the counts of windows; ``hour`` (0 to 23) and
        ``weekend`` of the first click in the member's time zone.
    """
    today = day_of(as_of)
    known = visits.filter(visits.known_day < today, visits.day >= today - 90)
    week, month = (known.day >= today - days for days in (7, 30))
    sessions = known.group_by("member_id", "session_key", "device").agg(
        first_second=known.first_second.min(),
        clicks=known.clicks.sum(),
        sessions_7d=week.cast("int64").max(),
        sessions_30d=month.cast("int64").max(),
        views_7d=only(known.views, week).sum(),
        views_30d=only(known.views, month).sum(),
        views_90d=known.views.sum(),
        searches_30d=only(known.searches, month).sum(),
        carts_30d=only(known.carts, month).sum(),
    )
    local = local_second(sessions, zones, "first_second")
    # Day 0 was a Thursday: days 2 and 3 of each seven are Saturday and Sunday.
    return local.mutate(
        hour=((local.local_second % DAY) // 3600).cast("int64"),
        weekend=((local.local_second // DAY) % 7).isin((2, 3)),
    ).drop("first_second", "session_key", "local_second")


def touched_items(events: ir.Table, as_of: datetime) -> ir.Table:
    """What members viewed, added, removed and bought in the 90 days before ``as_of``, by item.

    Args:
        events: of ``Tables.events``.

    Returns:
        One row per member and item: ``first_view``, ``last_buy``, ``last_add`` (of 30 days),
        ``last_out`` (bought or removed), all in microseconds; ``worth``, the largest quantity ×
        unit price added in 30 days; ``views_30d``.
    """
    kinds = ("view", "add_to_cart", "remove_from_cart", "purchase")
    touches = recent(events, as_of, 90)
    touches = touches.filter(touches.item_id.notnull() & touches["type"].isin(kinds))
    at = micros(touches.occurred_at)
    month = within(touches.occurred_at, as_of, 30)
    bought, viewed = touches["type"] == "purchase", touches["type"] == "view"
    added = (touches["type"] == "add_to_cart") & month
    out = bought | (touches["type"] == "remove_from_cart")
    worth = touches.quantity.fill_null(1.0) * touches.unit_price.cast("float64")
    return touches.group_by("member_id", "item_id").agg(
        first_view=only(at, viewed).min(),
        last_buy=only(at, bought).max(),
        last_add=only(at, added).max(),
        last_out=only(at, out).max(),
        worth=only(worth, added).max(),
        views_30d=(viewed & month).sum(),
    )


def _visits(sessions: ir.Table) -> ir.Table:
    evening = (sessions.hour >= EVENING_HOURS[0]) & (sessions.hour < EVENING_HOURS[1])
    return sessions.group_by("member_id").agg(
        sessions=sessions.count(),
        evenings=evening.sum(),
        weekends=sessions.weekend.sum(),
        **{name: sessions[name].sum() for name in _COUNTS},
    )


def _usual_hour(sessions: ir.Table) -> ir.Table:
    """The most frequent hour: of the largest count, and of its hours the least, in one number."""
    hours = sessions.group_by("member_id", "hour").agg(times=sessions.count())
    best = hours.group_by("member_id").agg(best=(hours.times * 24 + (23 - hours.hour)).max())
    return best.select("member_id", usual_hour=23 - best.best % 24)


def _device(sessions: ir.Table) -> ir.Table:
    used = sessions.filter(sessions.device.notnull())
    used = used.group_by("member_id", "device").agg(clicks=used.clicks.sum())
    most_first = [ibis.desc(used.clicks), ibis.asc(used.device)]
    place = ibis.row_number().over(ibis.window(group_by=used.member_id, order_by=most_first))
    ranked = used.mutate(place=place)
    return ranked.filter(ranked.place == 0).select("member_id", "device")


def _left(touched: ir.Table) -> ir.Table:
    """Per member: items viewed, bought after viewing, left in the cart, and what those cost."""
    left = touched.last_add.notnull() & (
        touched.last_out.isnull() | (touched.last_out < touched.last_add)
    )
    worth = ibis.coalesce(touched.worth, touched.listed_price, 0.0).cast(MONEY)
    return touched.group_by("member_id").agg(
        viewed=touched.first_view.count(),
        bought=(touched.last_buy >= touched.first_view).sum().fill_null(0),
        abandoned=left.sum(),
        abandoned_value=only(worth, left).sum(),
        abandoned_at=only(touched.last_add // 1_000_000, left).max(),
    )
