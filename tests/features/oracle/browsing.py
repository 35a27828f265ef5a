"""Clickstream once more, slowly and plainly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from tests.features.oracle.knowledge import CLICKS, Features, Known, Row, exact, money, share

_zones = lru_cache(available_timezones)


def clickstream(known: Known) -> dict[str, Features]:
    """``features.clickstream.clickstream``."""
    return {member: _member(known, member) for member in known.roster}


def _member(known: Known, member: str) -> Features:
    events = known.of(member)
    clicks = [event for event in events if event["type"] in CLICKS]

    def count(kind: str, days: int) -> Fraction:
        return Fraction(
            sum(
                event["type"] == kind and known.within(event["occurred_at"], days)
                for event in events
            )
        )

    used = Counter(
        click["device"]
        for click in clicks
        if click.get("device") is not None and known.within(click["occurred_at"], 90)
    )
    return {
        "sessions_7d": Fraction(len(_sessions(known, clicks, 7))),
        "sessions_30d": Fraction(len(_sessions(known, clicks, 30))),
        "views_7d": count("view", 7),
        "views_30d": count("view", 30),
        "views_90d": count("view", 90),
        "searches_30d": count("search", 30),
        "carts_30d": count("add_to_cart", 30),
        **_left_behind(known, events),
        "view_to_buy_90d": _view_to_buy(known, events),
        "last_seen_days": known.days_since(
            max((click["occurred_at"] for click in clicks), default=None)
        ),
        **_habits(known, member, clicks),
        "device": min(used, key=lambda device: (-used[device], device), default=None),
    }


def _sessions(known: Known, clicks: list[Row], days: int) -> list[datetime]:
    """When each session with a click in the window had its first click there."""
    began: dict[Any, datetime] = {}
    for click in clicks:
        moment = click["occurred_at"].astimezone(UTC)
        if known.within(moment, days):
            named = click.get("session_id") is not None
            session = ("named", click["session_id"]) if named else ("day", moment.date())
            key = (*session, click.get("device"))
            began[key] = min(moment, began.get(key, moment))
    return list(began.values())


def _habits(known: Known, member: str, clicks: list[Row]) -> Features:
    """At what hours and on what days of the member's own clock their sessions begin."""
    name = known.members.get(member, {}).get("timezone")
    zone = ZoneInfo(name if name in _zones() else "UTC")
    began = [moment.astimezone(zone) for moment in _sessions(known, clicks, 90)]
    hours = Counter(moment.hour for moment in began)
    usual = min(hours, key=lambda hour: (-hours[hour], hour), default=None)
    return {
        "evening_share_90d": share(sum(18 <= moment.hour < 24 for moment in began), len(began)),
        "weekend_share_90d": share(sum(moment.weekday() >= 5 for moment in began), len(began)),
        "usual_hour": None if usual is None else Fraction(usual),
    }


def _times(events: list[Row], chosen: Callable[[Row], bool]) -> dict[str, list[datetime]]:
    """The moments of the events chosen, by item; events without an item are left out."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for event in events:
        if event.get("item_id") is not None and chosen(event):
            times[event["item_id"]].append(event["occurred_at"])
    return times


def _left_behind(known: Known, events: list[Row]) -> Features:
    """Items put in the cart in the last 30 days and since neither bought nor removed."""
    added = _times(events, lambda event: _added(known, event))
    ended = _times(events, lambda event: event["type"] in ("purchase", "remove_from_cart"))
    left = [
        item for item, times in added.items() if not any(end >= max(times) for end in ended[item])
    ]
    newest = max((max(added[item]) for item in left), default=None)
    return {
        "abandoned_carts_30d": Fraction(len(left)),
        "abandoned_value_30d": sum(
            (_value_left(known, events, item) for item in left), Fraction(0)
        ),
        "abandoned_age_days": known.days_since(newest),
    }


def _added(known: Known, event: Row) -> bool:
    return event["type"] == "add_to_cart" and known.within(event["occurred_at"], 30)


def _value_left(known: Known, events: list[Row], item: str) -> Fraction:
    """The largest quantity × unit price added, else the item's own price."""
    priced = [
        money(exact(event.get("quantity"), 1) * exact(event["unit_price"]))
        for event in events
        if event.get("item_id") == item
        and _added(known, event)
        and event.get("unit_price") is not None
    ]
    return max(priced) if priced else exact(known.items.get(item, {}).get("price"))


def _view_to_buy(known: Known, events: list[Row]) -> Fraction | None:
    recent = [event for event in events if known.within(event["occurred_at"], 90)]
    viewed = _times(recent, lambda event: event["type"] == "view")
    bought = _times(recent, lambda event: event["type"] == "purchase")
    through = [item for item in viewed if any(at >= min(viewed[item]) for at in bought[item])]
    return share(len(through), len(viewed))
