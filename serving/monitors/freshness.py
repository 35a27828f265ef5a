"""Data freshness: how old is the newest row of each feed, and what was made of them?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from serving.monitors.result import Result
from serving.monitors.thresholds import Thresholds

NAME = "freshness"


@dataclass(frozen=True, slots=True)
class Feed:
    """newest: the moment of its newest row; None where it never had one. means: what to do."""

    name: str
    newest: datetime | None
    means: str = "no newer row came in"


def freshness(feeds: Iterable[Feed], limits: Thresholds, now: datetime) -> list[Result]:
    """Alert beyond the limit in days, warn beyond three quarters of it.

    A feed that never had a row cannot be late: there may be none.
    """
    return [_judged(feed, limits, now) for feed in feeds]


def _judged(feed: Feed, limits: Thresholds, now: datetime) -> Result:
    most = limits.freshness.get(feed.name, limits.freshness_days)
    if feed.newest is None:
        return Result(NAME, feed.name, "cannot_say", "never had a row", now, None, most)
    age = max((now - feed.newest).total_seconds() / 86_400, 0.0)
    words = f"newest of {feed.newest:%Y-%m-%d %H:%M} UTC, {age:.1f} days ago, limit {most:g}"
    if age > most:
        return Result(NAME, feed.name, "alert", f"{words}: {feed.means}", now, age, most)
    return Result(NAME, feed.name, "warn" if age > 0.75 * most else "ok", words, now, age, most)
