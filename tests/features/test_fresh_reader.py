"""What a reader believes of a fresh row: each value with its age, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from features.fresh import HORIZON, SKEW, FreshRow
from features.fresh_reader import NAMES, SILENT, Fresh, Value, believed

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 20, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def ago(**since: float) -> datetime:
    return NOW - timedelta(**since)


def row(at: datetime) -> FreshRow:
    return FreshRow(at, "shoes", at, 2.0, 30.0, at, 1.0, at, at, "hats", at)


def test_every_value_has_its_own_age() -> None:
    stored = FreshRow(
        ago(seconds=5), "shoes", ago(minutes=2), 2.0, 30.0, ago(hours=3), 1.0, ago(hours=6),
        ago(seconds=9), "hats", ago(minutes=3),
    )  # fmt: skip
    assert believed(stored, ago(seconds=4), NOW) == Fresh(
        {
            "last_seen": Value(ago(seconds=5), ago(seconds=5), 5.0),
            "last_category": Value("shoes", ago(minutes=2), 120.0),
            "open_cart_items": Value(2.0, ago(hours=3), 10800.0),
            "open_cart_value": Value(30.0, ago(hours=3), 10800.0),
            "contacts_today": Value(1.0, ago(hours=6), 21600.0),
            "last_click": Value(ago(seconds=9), ago(seconds=9), 9.0),
            "cared_category": Value("hats", ago(minutes=3), 180.0),
        },
        behind=4.0,
    )


def test_an_unknown_member_has_no_value() -> None:
    assert believed(None, NOW, NOW) == Fresh(dict.fromkeys(NAMES), 0.0)


@pytest.mark.parametrize(
    ("at", "known"),
    [
        (NOW - HORIZON, True),
        (NOW - HORIZON - TICK, False),  # no store of Feast holds its ttl on read
        (NOW + SKEW, True),
        (NOW + SKEW + TICK, False),
    ],
)
def test_what_is_too_old_or_of_the_future_is_not_believed(at: datetime, known: bool) -> None:
    values = believed(row(at), NOW, NOW).values
    told = [values[name] is not None for name in NAMES if name != "contacts_today"]
    assert told == [known] * 6


def test_yesterdays_contacts_are_none_of_today() -> None:
    yesterday = believed(row(MIDNIGHT - TICK), NOW, NOW).values["contacts_today"]
    assert yesterday == Value(0.0, MIDNIGHT, 15 * 3600.0)
    today = believed(row(MIDNIGHT), NOW, NOW).values["contacts_today"]
    assert today == Value(1.0, MIDNIGHT, 15 * 3600.0)


@pytest.mark.parametrize("followed", [None, NOW - SILENT - TICK, NOW + SKEW + TICK])
def test_counts_of_today_need_a_follower_at_work(followed: datetime | None) -> None:
    found = believed(row(ago(hours=1)), followed, NOW).values
    assert found["contacts_today"] is None
    assert found["open_cart_items"] == Value(2.0, ago(hours=1), 3600.0)


def test_a_moment_slightly_ahead_is_not_of_negative_age() -> None:
    seen = believed(row(NOW + TICK), NOW, NOW).values["last_seen"]
    assert seen is not None
    assert seen.age == 0.0
