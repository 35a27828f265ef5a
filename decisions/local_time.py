"""Where members' clocks stand."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from decisions.members import Members

FEATURE = "timezone"


def utc_offsets(members: Members, at: datetime, default: str) -> NDArray[np.int64]:
    """(n,) seconds that each member's clock is ahead of UTC at ``at``.

    A member without a zone, or with one that is none, lives by ``default``.
    """
    usual = _offset(ZoneInfo(default), at)
    column = members.column(FEATURE)
    if column is None:
        return np.full(len(members), usual, dtype=np.int64)
    zones = members.encoding.categories.get(FEATURE, ())
    known = np.array([*(_of_zone(zone, at, usual) for zone in zones), usual], dtype=np.int64)
    codes = np.where(np.isnan(column), len(zones), column).astype(np.int64)
    return known[codes]


def _of_zone(name: str, at: datetime, usual: int) -> int:
    try:
        return _offset(ZoneInfo(name), at)
    except (ValueError, OSError, KeyError):  # what clients write into a column, no setting
        return usual


def _offset(zone: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(UTC).astimezone(zone).utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0
