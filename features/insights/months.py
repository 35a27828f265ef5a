"""Months as analyses see them: from the first of a month to the next, midnight UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from features.errors import FeatureError
from features.moments import moment


class TooShortError(FeatureError):
    """No month of history to look at."""


def month_ends(as_of: datetime, months: int, first: datetime) -> tuple[datetime, ...]:
    """The moments between which the last ``months`` months lie, oldest first: at least two.

    All are midnights UTC: the firsts of months, and at the end the midnight before ``as_of`` where
    a month is not over. Only those after ``first``, when the data begin.

    Raises:
        TooShortError: no two of them.
    """
    last = moment(as_of).replace(hour=0, minute=0, second=0, microsecond=0)
    found = [last.replace(day=1)]
    for _ in range(months):
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    ends = sorted({last, *found} if last != found[0] else set(found))
    after = tuple(one for one in ends[-(months + 1) :] if one > first)
    if len(after) < 2:
        raise TooShortError(
            f"purchases begin on {first:%Y-%m-%d}, so no month before {last:%Y-%m-%d} can be "
            "looked at; come back when one has passed, or give a later --as-of"
        )
    return after


def month_number(day: datetime) -> int:
    """Months since the year 0."""
    return day.year * 12 + day.month - 1


def month_name(number: int) -> str:
    """Such as ``2026-05``."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
