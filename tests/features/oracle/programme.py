"""Membership and popularity once more, slowly and plainly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction

from features.contract import Kind
from tests.features.oracle.knowledge import (
    Features,
    Known,
    Row,
    Value,
    exact,
    money,
    share,
    worth,
)


def membership(known: Known, attributes: Mapping[str, Kind]) -> dict[str, Features]:
    """``features.membership.membership``."""
    answer: dict[str, Features] = {}
    for member in known.roster:
        row = known.members.get(member, {})
        tenure = known.days_since(row.get("joined_at"))
        expired = known.days_since(row.get("points_expire_at"))
        born = row.get("birth_year")
        answer[member] = {
            "tenure_days": None if tenure is None or tenure < 0 else tenure,
            "tier": row.get("tier"),
            "points_balance": _attribute(known, row.get("points_balance"), "number"),
            "points_expire_days": None if expired is None else -expired,
            "age": None if born is None else Fraction(known.as_of.year - born),
            "gender": row.get("gender"),
            "region": row.get("region"),
            "timezone": row.get("timezone"),
            **{
                name: _attribute(known, row.get(name), "flag")
                for name in ("consent_push", "consent_email", "consent_sms")
            },
            **{
                name: _attribute(known, row.get(name), kind)
                for name, kind in attributes.items()
                if kind != "text"
            },
        }
    return answer


def _attribute(known: Known, value: object, kind: Kind) -> Value:
    if value is None:
        return None
    match kind:
        case "time":
            return known.days_since(value)  # type: ignore[arg-type] # a time is a datetime
        case "category":
            return str(value)
        case _:
            return exact(value)  # type: ignore[arg-type] # numbers and flags


def popularity(known: Known) -> dict[str, Features]:
    """``features.popularity.popularity``."""
    seen = {event["item_id"] for event in known.events if event.get("item_id") is not None}
    return {item: _item(known, item) for item in {*seen, *known.items}}


def _item(known: Known, item: str) -> Features:
    events = [event for event in known.events if event.get("item_id") == item]
    bought = [event for event in events if event["type"] == "purchase"]
    lines = [event for event in bought if known.within(event["occurred_at"], 90)]
    views = [event for event in events if event["type"] == "view"]
    month = {line["member_id"] for line in lines if known.within(line["occurred_at"], 30)}
    earlier = {line["member_id"] for line in lines if not known.within(line["occurred_at"], 30)}
    growth = Fraction(len(month) + 1) / (Fraction(len(earlier), 2) + 1)
    listed = known.items.get(item, {})
    paid = [exact(line["unit_price"]) for line in lines if line.get("unit_price") is not None]
    categories = [event["category"] for event in events if event.get("category") is not None]
    discount = sum((money(exact(line.get("discount"))) for line in lines), Fraction(0))
    given = listed.get("price"), listed.get("margin_rate")
    return {
        "buyers_30d": Fraction(len(month)),
        "buyers_90d": Fraction(len({line["member_id"] for line in lines})),
        "views_30d": Fraction(sum(known.within(view["occurred_at"], 30) for view in views)),
        "trend": math.log(growth),
        "price": share(sum(paid, Fraction(0)), len(paid)) if given[0] is None else exact(given[0]),
        "margin_rate": None if given[1] is None else exact(given[1]),
        "category": listed.get("category") or min(categories, default=None),
        "conversion_90d": _conversion(known, views, lines),
        "discount_depth_90d": share(discount, sum(map(worth, lines), Fraction(0))),
    }


def _conversion(known: Known, views: list[Row], bought: list[Row]) -> Fraction | None:
    """Of the members who viewed in the last 90 days, who bought at or after their first view."""
    since = known.as_of - timedelta(days=90)
    viewers = {view["member_id"] for view in views if view["occurred_at"] >= since}
    converted = 0
    for member in viewers:
        first = min(
            view["occurred_at"]
            for view in views
            if view["member_id"] == member and view["occurred_at"] >= since
        )
        converted += any(
            line["member_id"] == member and line["occurred_at"] >= first for line in bought
        )
    return share(converted, len(viewers))
