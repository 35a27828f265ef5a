"""For which moments features are built, when decisions come one by one at any time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

MOST = 40
_STEPS = (1, 7, 28, 91, 364)  # days
_EPOCH = datetime(2000, 1, 3, tzinfo=UTC)  # a Monday


def feature_moments(asked: pd.Series[pd.Timestamp]) -> list[datetime]:
    """Few moments such that each of ``asked`` has one at or before it, oldest first.

    Pushes are decided all at once: their moments are taken as they are. Where a campaign engine
    asks member by member, each decision has a moment of its own; then it reads what was known at
    the start of its day, or of its week, month, quarter, whatever makes at most 40. Features a
    little old are what the scorer had, too.
    """
    exact = sorted(moment.to_pydatetime().astimezone(UTC) for moment in asked.unique())
    moments = exact
    for days in _STEPS:
        if len(moments) <= MOST:
            break
        step = timedelta(days=days)
        moments = sorted({_EPOCH + (moment - _EPOCH) // step * step for moment in exact})
    return moments


def moment_of(asked: pd.Series[pd.Timestamp], moments: list[datetime]) -> NDArray[np.int64]:
    """(n,) position in ``moments`` of the last one at or before each of ``asked``.

    ``moments`` are those of ``feature_moments(asked)``: every row has one.
    """
    decided = asked.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    taken = np.array([moment.replace(tzinfo=None) for moment in moments], dtype="datetime64[us]")
    found = np.searchsorted(taken, decided.astype("datetime64[us]"), side="right") - 1
    return np.asarray(found, dtype=np.int64)
