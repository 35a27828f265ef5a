"""Random histories of a small shop, rich in what goes wrong with time: for property tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from features.contract import EVENT_TYPES, OUTCOME_TYPES, Kind
from tests.features.oracle.knowledge import History, Row

MEMBERS = ("anna", "ben", "zoë")
ITEMS = ("i1", "i2", "i3", "i4")
OFFERS = ("coupon", "news", "gift")
PUSHES = ("p1", "p2")
CATEGORIES = ("beach", "city", "ski")
ATTRIBUTES: Mapping[str, Kind] = {
    "income": "number", "visits": "integer", "segment": "category", "vip": "flag",
    "last_call": "time", "remark": "text",
}  # fmt: skip

_MICRO, _SECOND, _HOUR, _DAY = (
    timedelta(microseconds=1),
    timedelta(seconds=1),
    timedelta(hours=1),
    timedelta(days=1),
)
# Each one different in how its days lie to those of UTC, and in when its clocks change.
ZONES = (
    None, "UTC", "Europe/Berlin", "America/New_York", "Asia/Taipei", "Asia/Kathmandu",
    "Pacific/Auckland", "Mars/Olympus", "",
)  # fmt: skip
# Clocks change in Berlin, New York and Auckland; leap days; ends of months and of a year.
TURNS = tuple(
    datetime.fromisoformat(moment).replace(tzinfo=UTC)
    for moment in (
        "2023-10-29T01:00", "2023-11-05T06:00", "2024-02-29T00:00", "2024-02-29T23:59:59",
        "2024-03-10T07:00", "2024-03-31T01:00", "2024-04-06T14:00", "2025-03-30T01:00",
        "2025-09-27T14:00", "2025-10-26T01:00", "2025-11-02T06:00", "2025-11-30T23:59:59.999999",
        "2025-12-31T23:30", "2026-01-31T12:00", "2026-02-28T23:45", "2026-03-01T00:00",
        "2026-03-08T07:00", "2026-03-29T01:00", "2026-04-04T14:00", "2026-04-30T18:00",
    )
)  # fmt: skip
# Days end where the moment asked for ends them: midnights of UTC, and moments that are none.
AS_OFS = tuple(
    datetime.fromisoformat(moment).replace(tzinfo=UTC)
    for moment in (
        "2024-03-01T00:00", "2025-11-03T00:00", "2026-03-30T00:00", "2026-05-01T00:00",
        "2024-03-01T09:30:15", "2025-12-31T23:59:59.999999", "2026-03-29T01:30:00.000250",
        "2026-04-05T14:45",
    )
)  # fmt: skip


@lru_cache
def _edges(as_of: datetime) -> tuple[datetime, ...]:
    """Moments before ``as_of`` where something turns: windows, days, clocks; and just beside."""
    windows = [as_of - timedelta(days=days) for days in (0, 1, 7, 30, 90, 365)]
    midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=days) for days in (0, 1, 2, 31, 365)]
    turns = [turn for turn in TURNS if timedelta(0) < as_of - turn < timedelta(days=420)]
    beside = [point + step for point in (*windows, *days) for step in (-_MICRO, timedelta(0))]
    around = [turn + step for turn in turns for step in (-_SECOND, timedelta(0), _HOUR)]
    return tuple(sorted({moment for moment in (*beside, *around) if moment < as_of}))


@lru_cache
def moments(as_of: datetime) -> st.SearchStrategy[datetime]:
    """Moments before ``as_of``: at edges, whole days ago, on few days to meet, and anywhere."""
    meeting = st.tuples(st.sampled_from((0, 1, 2, 8, 29, 40)), st.sampled_from((0, 5, 11, 23)))
    return st.one_of(
        st.sampled_from(_edges(as_of)),
        st.sampled_from((10, 15, 20, 30, 40, 45, 60, 90)).map(lambda days: as_of - days * _DAY),
        meeting.map(lambda drawn: as_of - drawn[0] * _DAY - (drawn[1] + 1) * _HOUR),
        st.integers(1, 450 * 86_400).map(lambda seconds: as_of - seconds * _SECOND),
    )


@lru_cache
def _from(as_of: datetime) -> st.SearchStrategy[datetime]:
    """Moments at or after ``as_of``."""
    steps = (timedelta(0), _MICRO, _SECOND, _HOUR, _DAY, 35 * _DAY)
    return st.sampled_from(steps).map(lambda step: as_of + step)


@lru_cache
def _arrivals(as_of: datetime) -> st.SearchStrategy[Any]:
    """When an event arrives: a time after it happened (or before), or a moment near ``as_of``."""
    late = (-_DAY, timedelta(0), _MICRO, _HOUR, _DAY, 40 * _DAY)
    near = (as_of - _DAY, as_of - _MICRO, as_of, as_of + _MICRO)
    return st.sampled_from((None, None, None, None, *late, *near))


_PRICES = st.sampled_from(
    [None, *(Decimal(text) for text in ("0", "0.0001", "1", "9.99", "10", "19.9999", "33.3333"))]
)
_QUANTITIES = st.sampled_from([None, None, 0.0, 0.5, 1.0, 1.0, 2.0, 3.0])
_DISCOUNTS = st.sampled_from([None, None, None, *map(Decimal, ("0", "0.0001", "2.5", "12"))])
_KINDS = st.sampled_from(
    [*EVENT_TYPES, *("purchase",) * 5, *("view",) * 2, "add_to_cart", "refund"]
)


def _happened(row: dict[str, Any]) -> Row:
    """An event that arrived some time after it occurred; a refund may say its quantity below 0."""
    arrival = row["received_at"]
    late = isinstance(arrival, timedelta)
    taken_back = row["type"] == "refund" and row["quantity"] == 3.0
    return {
        **row,
        "received_at": row["occurred_at"] + arrival if late else arrival,
        "quantity": -3.0 if taken_back else row["quantity"],
    }


def _events(happened: st.SearchStrategy[datetime], arrivals: st.SearchStrategy[Any]) -> Any:
    drawn = st.fixed_dictionaries(
        {
            "member_id": st.sampled_from(MEMBERS),
            "type": _KINDS,
            "occurred_at": happened,
            "received_at": arrivals,
            "item_id": st.sampled_from((None, *ITEMS)),
            "category": st.sampled_from((None, None, *CATEGORIES)),
            "quantity": _QUANTITIES,
            "unit_price": _PRICES,
            "discount": _DISCOUNTS,
            "order_id": st.sampled_from((None, "o1", "o2", "o3")),
            "session_id": st.sampled_from((None, "s1", "s2")),
            "device": st.sampled_from((None, "web", "ios")),
            "with_last": st.sampled_from((False, False, False, False, True)),
        }
    )
    return drawn.map(_happened)


def _together(rows: Sequence[Row]) -> Iterator[Row]:
    """Events of which some happen in one instant: lines of an order, an item added and bought."""
    last: Row = {}
    for row in rows:
        same = ("member_id", "item_id", "occurred_at", "received_at") if row["with_last"] else ()
        last = {**row, **{name: last[name] for name in same if last}}
        yield last


def _versions(known: st.SearchStrategy[datetime | None], as_of: datetime) -> dict[str, Any]:
    """Versions of members, items and offers: what they say, and since when that is known."""
    edge = st.sampled_from((*_edges(as_of), as_of, as_of + _DAY))
    members = {
        "member_id": st.sampled_from((*MEMBERS, "only enrolled")),
        "known_at": known,
        "timezone": st.sampled_from(ZONES),
        "joined_at": st.none() | edge,
        "points_expire_at": st.none() | edge,
        "birth_year": st.sampled_from((None, 1980, 2004)),
        "tier": st.sampled_from((None, "basic", "plus")),
        "gender": st.sampled_from((None, "f")),
        "region": st.sampled_from((None, "north")),
        "points_balance": st.sampled_from((None, 0.0, 12.5)),
        "consent_push": st.sampled_from((None, True, False)),
        "consent_sms": st.sampled_from((None, True, False)),
        "income": st.sampled_from((None, 0.1)),
        "visits": st.sampled_from((None, 3)),
        "segment": st.sampled_from((None, "a", "b")),
        "vip": st.sampled_from((None, True, False)),
        "last_call": st.none() | edge,
        "remark": st.sampled_from((None, "text")),
    }
    items = {
        "item_id": st.sampled_from((*ITEMS, "only listed")),
        "known_at": known,
        "category": st.sampled_from((None, *CATEGORIES)),
        "price": _PRICES,
        "margin_rate": st.sampled_from((None, 0.25)),
    }
    offers = {
        "offer_id": st.sampled_from(OFFERS[:2]),
        "known_at": known,
        "kind": st.sampled_from(("percent_off", "content", "content")),
        "value": st.sampled_from((None, 10.0)),
        "min_spend": _PRICES,
        "redemption_cost": _PRICES,
        "contact_cost": _PRICES,
        "stock": st.sampled_from((None, 0, 100)),
        "valid_to": st.none() | edge,
    }
    return {
        name: st.fixed_dictionaries(columns)
        for name, columns in (("members", members), ("items", items), ("offers", offers))
    }


def _decisions(decided: st.SearchStrategy[datetime]) -> Any:
    return st.fixed_dictionaries(
        {
            "member_id": st.sampled_from((*MEMBERS, "only decided")),
            "push_id": st.sampled_from(PUSHES),
            "offer_id": st.sampled_from((None, *OFFERS)),
            "probability": st.just(0.5),
            "decided_at": decided,
        }
    )


def _outcomes(happened: st.SearchStrategy[datetime]) -> Any:
    """Of a decision, or of a member and a push, or of both; also of a decision nobody made."""
    named = st.sampled_from((None, None, *(f"d{number}" for number in range(5)), "poison d0"))
    return st.fixed_dictionaries(
        {
            "decision_id": named,
            "member_id": st.sampled_from((None, *MEMBERS)),
            "push_id": st.sampled_from(PUSHES),
            "type": st.sampled_from(OUTCOME_TYPES),
            "occurred_at": happened,
        }
    )


def _mostly(often: Any, seldom: Any) -> Any:
    """``seldom`` once in eight times."""
    return st.integers(0, 7).flatmap(lambda drawn: seldom if drawn == 1 else often)


def _some(rows: Any, usually: int) -> Any:
    """A list of about that many rows; rarely of few, so that small faults are found too."""
    third = usually // 3
    many = st.lists(rows, min_size=usually - third, max_size=usually + third)
    return _mostly(many, st.lists(rows, max_size=2))


@lru_cache
def histories(as_of: datetime, shops: int = 1) -> st.SearchStrategy[History]:
    """Histories of shops side by side around ``as_of``, most rows known by then.

    A shop has three members or four, and about thirty rows.
    """
    mostly_before = _mostly(moments(as_of), _from(as_of))
    known = st.none() | st.sampled_from(_edges(as_of)) | _from(as_of)
    versions = _versions(known, as_of)
    shop = st.fixed_dictionaries(
        {
            "members": _some(versions["members"], 3),
            "items": _some(versions["items"], 3),
            "offers": _some(versions["offers"], 2),
            "events": _some(_events(mostly_before, _arrivals(as_of)), 14),
            "decisions": _some(_decisions(mostly_before), 3),
            "outcomes": _some(_outcomes(mostly_before), 4),
            "pushes": st.just([{"push_id": push} for push in PUSHES]),
        }
    )
    return st.tuples(*[shop] * shops).map(lambda drawn: _side_by_side(drawn, ""))


@lru_cache
def poison(as_of: datetime, shops: int = 1) -> st.SearchStrategy[History]:
    """Rows for the same shops, every one of which happened at or after ``as_of``, or arrived so."""
    ahead = _from(as_of)
    happens_ahead = _events(ahead, _arrivals(as_of))
    arrives_ahead = _events(moments(as_of), ahead)
    versions = _versions(ahead, as_of)
    shop = st.fixed_dictionaries(
        {
            "members": st.lists(versions["members"], max_size=2),
            "items": st.lists(versions["items"], max_size=2),
            "offers": st.lists(versions["offers"], max_size=2),
            "events": st.lists(happens_ahead | arrives_ahead, min_size=1, max_size=6),
            "decisions": st.lists(_decisions(ahead), max_size=3),
            "outcomes": st.lists(_outcomes(ahead), max_size=3),
        }
    )
    return st.tuples(*[shop] * shops).map(lambda drawn: _side_by_side(drawn, "poison "))


def told_apart(history: History, number: int) -> History:
    """What was drawn for one shop as that of the shop of this number, to stand beside others."""
    return History(
        **{name: [in_shop(number, row) for row in rows] for name, rows in history.tables()}
    )


_Tables = Mapping[str, Sequence[Row]]
# What tells the shops apart. Orders and sessions do not: a number is one member's own.
_IDS = ("member_id", "item_id", "offer_id", "push_id", "decision_id", "event_id")


def _side_by_side(shops: Sequence[_Tables], prefix: str) -> History:
    """All shops as one history."""
    rows: dict[str, list[Row]] = {}
    for number, shop in enumerate(shops):
        for table, drawn in shop.items():
            found = list(_together(drawn)) if table == "events" else drawn
            rows.setdefault(table, []).extend(
                in_shop(number, row) for row in _named(table, found, prefix)
            )
    return History(**rows)


def in_shop(number: int, row: Row) -> Row:
    """The row with the ids of that shop; those of the first one are as they are."""
    ids = {name: f"{row[name]} of {number}" for name in _IDS if row.get(name) is not None}
    return {**row, **ids} if number else row


def _named(table: str, rows: Sequence[Row], prefix: str) -> Iterator[Row]:
    """With an id for each row that needs one, and a digest that is not in order of the rows."""
    keys = {"events": "event_id", "decisions": "decision_id", "outcomes": "event_id"}
    for number, row in enumerate(rows):
        digest = hashlib.md5(f"{prefix}{table}{number}".encode()).hexdigest()
        named = {**row, "digest": digest}
        if table in keys:
            named[keys[table]] = f"{prefix}{table[0]}{number}"
        yield named
