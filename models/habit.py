"""The habit of buying: a model of when members buy and when they stop, read from few features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.artifact import ArtifactError
from models.errors import ModelError
from models.trees import positions

_FURTHEST = 12.0  # log odds: nobody is surer than that
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Habit:
    """Log odds of at least one purchase within a horizon, after the BG/NBD model.

    Given that a member has not left for good at age *T*, their rate of buying is gamma distributed
    with shape ``r + x`` and ``alpha + T`` days (x: purchases after the first), so that they buy
    nothing within *h* days with probability ``((alpha + T) / (alpha + T + h)) ** (r + x)``.

    r, alpha, a, b: of ``training.bgnbd``, in days.
    never: log odds of who never bought.
    towards: 1, or -1 where the question is who will *not* buy.

    Source: Fader, Hardie and Lee, Marketing Science 24, 2005.
    """

    names: ClassVar[tuple[str, ...]] = ("orders_life", "gap_mean_days", "recency_days")

    r: float
    alpha: float
    a: float
    b: float
    horizon_days: float
    never: float
    towards: int = 1

    def __post_init__(self) -> None:
        parts = (self.r, self.alpha, self.a, self.b, self.horizon_days)
        if not all(0 < part < np.inf for part in parts) or not np.isfinite(self.never):
            raise ArtifactError(f"a habit of {parts}, wanted finite numbers above 0")
        if self.towards not in (1, -1):
            raise ArtifactError(f"towards is {self.towards}, wanted 1 or -1")

    def score(self, values: NDArray[np.float32], names: tuple[str, ...]) -> Numbers:
        """Raw scores (n,): log odds, not yet calibrated.

        Args:
            values: (n, columns) numbers.
            names: what stands in which column; may hold more than the model reads, in any order.

        Raises:
            ModelError: a column that the model reads is missing, or the shapes do not fit.
        """
        if values.ndim != 2 or values.shape[1] != len(names):
            raise ModelError(f"values are {values.shape}, wanted (rows, {len(names)})")
        columns = positions(self.names, names)
        read = values if columns is None else values[:, columns]
        times, recency, age, bought = history(read.astype(np.float64))
        active = np.where(times > 0, _expit(-self._gone(times, recency, age)), 1.0)
        buys = -np.expm1(-(self.r + times) * np.log1p(self.horizon_days / (self.alpha + age)))
        chance = np.clip(active * buys, np.exp(-_FURTHEST), 1 - np.exp(-_FURTHEST))
        odds = np.log(chance) - np.log1p(-chance)
        return np.asarray(self.towards * np.where(bought, odds, self.never))

    def _gone(self, times: Numbers, recency: Numbers, age: Numbers) -> Numbers:
        """Log odds of having left for good, of members who bought again."""
        after = np.where(times > 0, self.b + times - 1, 1.0)
        silence = np.log((self.alpha + age) / (self.alpha + recency))
        return np.asarray(np.log(self.a) - np.log(after) + (self.r + times) * silence)


def history(read: Numbers) -> tuple[Numbers, Numbers, Numbers, NDArray[np.bool_]]:
    """(n,) purchases after the first, days from first to last, age in days, and who ever bought.

    ``read`` (n, 3) are the columns ``Habit.names``. Orders of one day count as one where all were
    on one day; else the mean gap counts for each order after the first.
    """
    orders, gap, recency_days = read.T
    bought = ~np.isnan(recency_days) & (orders > 0)
    again = bought & (gap > 0) & (orders > 1)
    times = np.where(again, orders - 1, 0.0)
    between = np.where(again, times * gap, 0.0)
    since = np.where(bought, np.maximum(recency_days, 0.0), 0.0)
    return times, between, between + since, bought


def _expit(log_odds: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -500.0, 500.0))))
