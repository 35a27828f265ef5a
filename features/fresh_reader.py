"""Fresh features as they are read: each value with its age, and nothing that must not be believed.

An online store gives back whatever was last written, for ever. What is missing, too old, or of the
future is told apart here, the same for every store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from features.fresh import HORIZON, SKEW, FreshRow, utc_day

SILENT = timedelta(minutes=1)
"""After so long without a word from the follower, an unchanged count may be wrong."""

NAMES = (
    "last_seen", "last_category", "open_cart_items", "open_cart_value", "contacts_today",
    "last_click", "cared_category",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """A fresh value, the moment since which it stands, and how long ago that was, in seconds."""

    value: datetime | str | float
    at: datetime
    age: float


@dataclass(frozen=True, slots=True)
class Fresh:
    """What is fresh of one member.

    values: by name of ``NAMES``; None = nothing known, or not to be believed: older than the
        horizon, later than now, or a count of today that nobody keeps up to date.
    behind: seconds since the follower had everything; None = it was never heard of.
    """

    values: Mapping[str, Value | None]
    behind: float | None


class FreshReader(Protocol):
    """Reads the fresh features of some members."""

    def read(self, member_ids: Sequence[str], now: datetime) -> dict[str, Fresh]:
        """Every asked member, unknown ones with no values. Raises ``FeatureError``."""


def believed(row: FreshRow | None, followed_at: datetime | None, now: datetime) -> Fresh:
    """What to believe at ``now`` of a stored ``row``; None = the member is unknown.

    followed_at: when the follower last had read and stored everything.
    """
    heard = followed_at is not None and followed_at <= now + SKEW
    behind = _age(followed_at, now) if heard and followed_at is not None else None
    if row is None:
        return Fresh(dict.fromkeys(NAMES), behind)
    values: dict[str, Value | None] = {
        "last_seen": _value(row.last_seen_at, row.last_seen_at, now),
        "last_category": _value(row.last_category, row.last_category_at, now),
        "open_cart_items": _value(row.open_cart_items, row.open_cart_at, now),
        "open_cart_value": _value(row.open_cart_value, row.open_cart_at, now),
        "contacts_today": None,
        "last_click": _value(row.last_click_at, row.last_click_at, now),
        "cared_category": _value(row.cared_category, row.cared_category_at, now),
    }
    if behind is not None and behind <= SILENT.total_seconds():
        values["contacts_today"] = _contacts_today(row, now)
    return Fresh(values, behind)


def _value(
    value: datetime | str | float | None, at: datetime | None, now: datetime
) -> Value | None:
    if value is None or at is None or at > now + SKEW or at < now - HORIZON:
        return None
    return Value(value, at, _age(at, now))


def _contacts_today(row: FreshRow, now: datetime) -> Value | None:
    midnight = utc_day(now)
    if row.contacts_at is None or row.contacts_at < midnight:
        return Value(0.0, midnight, _age(midnight, now))
    if utc_day(row.contacts_at) > midnight:  # a moment after midnight by another clock
        return None
    return _value(row.contacts_today, row.contacts_at, now)


def _age(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())
