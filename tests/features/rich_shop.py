"""A shop with everything on which two engines could differ, in two batches of different ages."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from features.contract import EVENT_TYPES, OUTCOME_TYPES, Kind
from features.taste import remember_item_vectors
from features.workspace import Conventions, Workspace
from features.worth import remember_buying
from tests.features.given import AS_OF, Row, ago, write_batch

ATTRIBUTES: Mapping[str, Kind] = {
    "income": "number", "visits": "integer", "segment": "category", "vip": "flag",
    "last_call": "time",
}  # fmt: skip
BUYING = {
    "r": 0.7, "alpha": 60.0, "a": 0.2, "b": 0.6, "p": 3.0, "q": 2.5, "v": 20.0, "horizon_days": 90.0
}  # fmt: skip
# In the order of their bytes, which is that of no language.
_TEXTS = ("Z", "a", "b-c", "ä", "Ω", "日本", "🎁", "'; --", "`x`", "%_\\")
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Mars/Olympus", None)
_PRICES = tuple(map(Decimal, ("0", "0.0001", "9.99", "19.9999", "33.3333", "99999999.9999")))
_BEFORE_1970 = datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


def rich_shop(workspace: Workspace, members: int = 40, seed: int = 11) -> Workspace:
    """Fill ``workspace``; gives it back with the attributes that its newer batches have."""
    rng = random.Random(seed)
    people = [f"m{number:02d}" for number in range(members)] + ["zoë", "日本", "o'neill"]
    items = [f"i{number}" for number in range(10)] + ["ï"]
    newer = replace(workspace, conventions=Conventions(ATTRIBUTES, taste=True))
    write_batch(workspace, "members", [_member(rng, name) for name in people[:20]], "a")
    later = [_member(rng, name) | _attributes(rng) for name in people]
    write_batch(newer, "members", later, "b")
    write_batch(newer, "items", [_item(rng, item) for item in items * 2])
    write_batch(newer, "offers", [_offer(rng, name) for name in ("coupon", "news", "ü") * 2])
    write_batch(newer, "pushes", [{"push_id": push} for push in ("p1", "p2")])
    many = [_event(rng, people, items, number) for number in range(members * 30)]
    write_batch(newer, "events", many[::2], "a")
    write_batch(newer, "events", many[1::2], "b")
    decisions = [_decision(rng, people, number) for number in range(members * 3)]
    write_batch(newer, "decisions", decisions)
    write_batch(newer, "outcomes", [_outcome(rng, decisions, n) for n in range(members * 3)])
    for days in (60, 2):
        factors = np.random.default_rng(days).normal(size=(len(items), 12)).astype(np.float32)
        ids = np.array([item.encode() for item in items], dtype=np.bytes_)
        remember_item_vectors(newer, ago(days), ids, factors)
    remember_buying(newer, ago(20), BUYING)
    return newer


def _moment(rng: random.Random) -> datetime:
    """On an edge of a window, just beside it, at the end of a day, before 1970, or anywhere."""
    edge = ago(rng.choice((1, 7, 30, 60, 90, 365)))
    midnight = ago(rng.randint(1, 40))
    anywhere = [ago(rng.uniform(0, days)) for days in (5, 40, 100, 100, 400, 400)]
    edges = (edge, edge - _MICRO, midnight - _MICRO, _BEFORE_1970, AS_OF - _MICRO)
    return rng.choice((*edges, *anywhere))


def _known(rng: random.Random) -> datetime | None:
    return rng.choice((None, _moment(rng), AS_OF))


def _member(rng: random.Random, name: str) -> dict[str, Any]:
    return {
        "member_id": name,
        "known_at": _known(rng),
        "joined_at": rng.choice((None, _moment(rng))),
        "points_expire_at": rng.choice((None, AS_OF + timedelta(days=rng.uniform(-9, 9)))),
        "points_balance": rng.choice((None, 0.0, 12.5)),
        "birth_year": rng.choice((None, 1950, 2004)),
        "timezone": rng.choice(_ZONES),
        "tier": rng.choice((None, *_TEXTS)),
        "region": rng.choice((None, "")),
        "consent_push": rng.choice((None, True, False)),
    }


def _attributes(rng: random.Random) -> dict[str, Any]:
    return {
        "income": rng.choice((None, -0.1, 1e300)),
        "visits": rng.choice((None, -3, 2**53 + 2)),
        "segment": rng.choice((None, *_TEXTS)),
        "vip": rng.choice((None, True, False)),
        "last_call": rng.choice((None, _moment(rng))),
    }


def _item(rng: random.Random, name: str) -> Row:
    return {
        "item_id": name,
        "known_at": _known(rng),
        "category": rng.choice((None, *_TEXTS)),
        "price": rng.choice((None, *_PRICES)),
        "margin_rate": rng.choice((None, 0.25)),
    }


def _offer(rng: random.Random, name: str) -> Row:
    return {
        "offer_id": name,
        "known_at": _known(rng),
        "kind": rng.choice(("percent_off", "content")),
        "value": rng.choice((None, 10.0)),
        "min_spend": rng.choice((None, *_PRICES)),
        "redemption_cost": rng.choice((None, *_PRICES)),
        "contact_cost": Decimal("0.0025"),
        "categories": rng.choice((None, [], list(_TEXTS[:2]))),
        "item_ids": rng.choice((None, ["i1", "ï"])),
        "stock": rng.choice((None, 0, 100)),
        "valid_to": rng.choice((None, _moment(rng))),
    }


def _event(rng: random.Random, people: list[str], items: list[str], number: int) -> Row:
    kind = rng.choice((*EVENT_TYPES, "purchase", "purchase", "purchase", "refund", "add_to_cart"))
    occurred = _moment(rng)
    quantity = rng.choice((None, 0.0, 0.5, 1.0, 2.0, 3.0))
    return {
        "event_id": f"e{number}",
        "member_id": rng.choice(people[1:]),  # the first is only enrolled
        "type": kind,
        "occurred_at": occurred,
        "received_at": rng.choice((None, None, occurred + timedelta(days=rng.uniform(0, 40)))),
        "item_id": rng.choice((None, *items)),
        "category": rng.choice((None, None, *_TEXTS)),
        "quantity": -3.0 if kind == "refund" and quantity == 3.0 else quantity,
        "unit_price": rng.choice((None, *_PRICES)),
        "discount": rng.choice((None, None, Decimal("0.0001"), Decimal("2.5"))),
        "order_id": rng.choice((None, *(f"o{order}" for order in range(9)))),
        "session_id": rng.choice((None, "s1", "s2")),
        "device": rng.choice((None, "web", "ios", "Ω")),
    }


def _decision(rng: random.Random, people: list[str], number: int) -> Row:
    return {
        "decision_id": f"d{number}",
        "push_id": rng.choice(("p1", "p2")),
        "member_id": rng.choice((*people, "only decided")),
        "offer_id": rng.choice((None, "coupon", "news", "ü", "unlisted")),
        "probability": 0.5,
        "decided_at": _moment(rng),
    }


def _outcome(rng: random.Random, decisions: list[Row], number: int) -> Row:
    of = rng.choice(decisions)
    named = rng.random() < 0.6
    return {
        "event_id": f"o{number}",
        "decision_id": of["decision_id"] if named else None,
        "member_id": rng.choice((None, of["member_id"])) if named else of["member_id"],
        "push_id": of["push_id"],
        "type": rng.choice(OUTCOME_TYPES),
        "occurred_at": of["decided_at"] + timedelta(hours=rng.uniform(0, 90)),
    }
