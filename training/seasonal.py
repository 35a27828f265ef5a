"""How much more members buy in the season ahead than a model expects that knows no seasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.gamma_gamma import GammaGamma
from training.errors import TrainingError

YEAR = timedelta(weeks=52)  # the same weekdays
# A year ago counts where the model could then look back on this much: with less, it still learned
# how often members buy, and was off by more than the season.
SETTLED = timedelta(days=180)
FAITH = 30.0  # purchases as expected that are added to what happened: a few purchases change little
UNKNOWN = "no closed window"

# A member's own purchases may say less of the next one than the model, which knows no heavy tails,
# takes them to: so much of them is tried.
TRUSTS = (1.0, 0.5, 0.25, 0.125, 0.0625)

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Closed:
    """A window of the past, over the members known when it began, (n,) each.

    expected: purchases expected of each with what was known then; purchases, spend: what happened.
    seen, mean: how many purchases each had made by then, and what they were worth on average.
    spending: as fitted on what was known then.
    """

    expected: Numbers
    purchases: Numbers
    spend: Numbers
    seen: Numbers
    mean: Numbers
    spending: GammaGamma


@dataclass(frozen=True, slots=True)
class Season:
    """What a closed window says of the one ahead.

    level: by how much expected purchases are multiplied. worth_level: and what one is worth.
    trust: how much each purchase of a member's own counts in what the next is worth.
    window: what that was learned from, in words.
    """

    level: float
    worth_level: float
    trust: float
    window: str


def season(
    as_of: datetime, horizon: timedelta, first: datetime, look: Callable[[datetime], Closed]
) -> Season:
    """The levels of the ``horizon`` after ``as_of``.

    Those of the same calendar window a year ago, where half a year of history lies before it; else
    those of the latest closed window; else 1. Either way ``(happened + 30) / (expected + 30)``
    purchases, over the members known when the window began, with a model fitted on what was known
    then: so the level also mends what is wrong with the model itself. ``worth_level`` is the same
    of what the purchases that happened were worth; the trust is that of ``TRUSTS`` under which
    worth found over worth promised varies least, in logarithms.

    Args:
        first: when history begins.
        look: a window, from its start; raises TrainingError or ModelError where nothing could be
            learned by then.
    """
    ago, latest = as_of - YEAR, as_of - horizon
    known = [("the same days a year ago", ago)] if ago - first >= SETTLED else []
    known += [("the latest closed window", latest)] if latest > first else []
    for words, start in known:
        if start + horizon > as_of:  # not closed yet: the horizon is longer than a year
            continue
        try:
            closed = look(start)
        except (TrainingError, ModelError):
            continue
        level = (closed.purchases.sum() + FAITH) / (closed.expected.sum() + FAITH)
        trust, worth_level = _worth(closed)
        return Season(float(level), worth_level, trust, f"{words}, from {start:%Y-%m-%d}")
    return Season(1.0, 1.0, 1.0, UNKNOWN)


def _worth(closed: Closed) -> tuple[float, float]:
    """The trust in members' own purchases, and the level of what a purchase is worth."""
    bought = (closed.purchases > 0) & (closed.spend > 0)
    times, spend = closed.purchases[bought], closed.spend[bought]
    if not len(times):
        return 1.0, 1.0

    def promised(trust: float) -> Numbers:
        return closed.spending.trusting(trust).expected_worth(closed.seen, closed.mean)[bought]

    def spread(trust: float) -> float:
        # As times more or less than promised: on the plain scale a few bulk orders would decide.
        return float(np.log(spend / times / promised(trust)).std())

    trust = min(TRUSTS, key=spread)
    faith = FAITH * closed.spending.mean
    level = (spend.sum() + faith) / (times @ promised(trust) + faith)
    return trust, float(level)
