"""The market's clock: people shop in the evening and at weekends.

The simulation runs on shopping days, in which every moment is equally busy. A shopping week maps
onto a calendar week, monotonously, so that orders of events and windows of whole days hold in
both; a window of whole weeks has exactly the same length in both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Share of a day's visits by local hour: quiet nights, a lunch bump, busy evenings.
_HOURS = np.array(
    [
        *(2.0, 1.0, 0.6, 0.4, 0.4, 0.6, 1.2, 2.4, 3.6, 4.2, 4.4, 4.6),
        *(5.6, 5.2, 4.2, 4.0, 4.0, 4.2, 4.6, 5.8, 7.6, 8.8, 7.8, 4.8),
    ]
)
_MONDAY_TO_SUNDAY = np.array([0.95, 0.9, 0.92, 0.95, 0.98, 1.1, 1.2])
_WEEK = (_MONDAY_TO_SUNDAY[:, None] * _HOURS[None, :]).ravel()
_BUSY = np.concatenate([[0.0], np.cumsum(_WEEK)]) / _WEEK.sum() * 7.0  # shopping days
_CALENDAR = np.arange(169) / 24.0  # calendar days
_ORIGIN = datetime(2018, 1, 1, tzinfo=UTC) - timedelta(hours=8)  # a Monday, 00:00 at UTC+8
_ORIGIN_MICROSECONDS = round(_ORIGIN.timestamp()) * 1_000_000
MICROSECONDS_A_DAY = 86_400_000_000


def microseconds(days: NDArray[np.float64]) -> NDArray[np.int64]:
    """Shopping days to microseconds since 1970 in UTC."""
    weeks = np.floor(days / 7.0)
    calendar = np.interp(days - weeks * 7.0, _BUSY, _CALENDAR)
    whole: NDArray[Any] = (weeks * 7).astype(np.int64) * MICROSECONDS_A_DAY
    return whole + np.rint(calendar * MICROSECONDS_A_DAY).astype(np.int64) + _ORIGIN_MICROSECONDS


def shopping_days(moment: datetime) -> float:
    """The inverse of ``microseconds`` for one moment."""
    calendar = (moment - _ORIGIN).total_seconds() / 86_400
    weeks = calendar // 7
    return float(weeks * 7 + np.interp(calendar - weeks * 7, _CALENDAR, _BUSY))
