"""Where members' clocks stand."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from decisions.members import Members

FEATURE = "timezone"


def utc_offsets(members: Members, at: datetime, default: str) -> NDArray[np.int64]:
    """(n,) seconds that each member's clock is ahead of UTC at ``at``.

    A member without a zone, or with one that is none, lives by ``default``.
    """
    column = members.column(FEATURE)
    zones = () if column is None else tuple(members.encoding.categories.get(FEATURE, ()))
    known = np.array(_known(zones, at, default), dtype=np.int64)
    if column is None:
        return np.full(len(members), known[-1], dtype=np.int64)
    codes = np.where(np.isnan(column), len(zones), column).astype(np.int64)
    return known[codes]


@lru_cache(maxsize=64)
def _known(zones: tuple[str, ...], at: datetime, default: str) -> tuple[int, ...]:
    """Of each of ``zones``, and of the default last; a push asks for the same again and again."""
    usual = _offset(ZoneInfo(default), at)
    return (*(_of_zone(zone, at, usual) for zone in zones), usual)


def _of_zone(name: str, at: datetime, usual: int) -> int:
    try:
        return _offset(ZoneInfo(name), at)
    except (ValueError, OSError, KeyError):  # what clients write into a column, no setting
        return usual


def _offset(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(UTC).astimezone(zone).utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0
