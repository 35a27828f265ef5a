"""How much more members buy in the season ahead than a model expects that knows no seasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.errors import ModelError
from training.errors import TrainingError

YEAR = timedelta(weeks=52)  # the same weekdays
# A year ago counts where the model could then look back on this much: with less, it still learned
# how often members buy, and was off by more than the season.
SETTLED = timedelta(days=180)
FAITH = 30.0  # purchases as expected that are added to what happened: a few purchases change little
UNKNOWN = "no closed window"

Window = tuple[float, float]  # purchases expected, and those that happened


@dataclass(frozen=True, slots=True)
class Season:
    """level: by how much expected purchases are multiplied. window: what that was learned from."""

    level: float
    window: str


def season(
    as_of: datetime, horizon: timedelta, first: datetime, look: Callable[[datetime], Window]
) -> Season:
    """The level of the ``horizon`` after ``as_of``.

    That of the same calendar window a year ago, where half a year of history lies before it; else
    that of the latest closed window; else 1. Either way ``(happened + 30) / (expected + 30)``,
    over the members known when the window began, with a model fitted on what was known then: so
    the level also mends what is wrong with the model itself.

    Args:
        first: when history begins.
        look: a window, from its start: purchases expected in it, and those that happened; raises
            TrainingError or ModelError where nothing could be learned by then.
    """
    ago, latest = as_of - YEAR, as_of - horizon
    known = [("the same days a year ago", ago)] if ago - first >= SETTLED else []
    known += [("the latest closed window", latest)] if latest > first else []
    for words, start in known:
        if start + horizon > as_of:  # not closed yet: the horizon is longer than a year
            continue
        try:
            expected, happened = look(start)
        except (TrainingError, ModelError):
            continue
        return Season((happened + FAITH) / (expected + FAITH), f"{words}, from {start:%Y-%m-%d}")
    return Season(1.0, UNKNOWN)
