"""Local times of one time zone to UTC, many at once, exactly as the standard library does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_PROBE = timedelta(hours=6)
_SECOND = timedelta(seconds=1)


def utc_of(local: NDArray[np.int64], timezone: tzinfo) -> NDArray[np.int64]:
    """Microseconds since 1970 in UTC, of ``local`` wall-clock microseconds in ``timezone``.

    A time that the clock shows twice is the first of the two; one that it skips is read with the
    offset before the change (both as ``datetime.replace(tzinfo=...)`` with fold 0). The times lie
    in the years 2 to 9998.
    """
    if not len(local):
        return local
    first, last = (_moment(int(edge)).year for edge in (local.min(), local.max()))
    changes: list[int] = []
    offsets: list[int] = [_offset(datetime(first, 1, 1), timezone)]  # noqa: DTZ001 (a wall clock)
    for year in range(first, last + 1):
        for moment, offset in _changes(timezone, year):
            changes.append(moment)
            offsets.append(offset)
    places = np.searchsorted(np.array(changes, dtype=np.int64), local, side="right")
    return local - np.array(offsets, dtype=np.int64)[places]


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _offset(local: datetime, timezone: tzinfo) -> int:
    offset = local.replace(tzinfo=timezone).utcoffset()
    return 0 if offset is None else round(offset / timedelta(microseconds=1))


@lru_cache(maxsize=1024)
def _changes(timezone: tzinfo, year: int) -> tuple[tuple[int, int], ...]:
    """Wall-clock moments of a year from which another offset holds, with that offset."""
    found = []
    early = datetime(year, 1, 1)  # noqa: DTZ001 (a wall clock)
    end = datetime(year + 1, 1, 1)  # noqa: DTZ001 (a wall clock)
    while early < end:
        late = min(early + _PROBE, end)
        before, after = _offset(early, timezone), _offset(late, timezone)
        if before != after:
            moment = _first_second(early, late, timezone)
            since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
            found.append((round(since / timedelta(microseconds=1)), after))
        early = late
    return tuple(found)


def _first_second(early: datetime, late: datetime, timezone: tzinfo) -> datetime:
    """The first whole second after ``early`` with the offset of ``late``."""
    wanted = _offset(late, timezone)
    while late - early > _SECOND:
        middle = early + timedelta(seconds=(late - early) // _SECOND // 2)
        early, late = (early, middle) if _offset(middle, timezone) == wanted else (middle, late)
    return late
