"""Customer lifetime value: what members will buy within a horizon, and what it will earn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.bgnbd import BgNbd
from models.errors import ModelError
from models.gamma_gamma import GammaGamma

KIND = "clv"
YEAR = 365.25  # days
# A member's own margin counts as much as that of all members after so many purchases.
TRUSTED_AFTER = 5.0
_STEP_DAYS = 30.0  # within a step all purchases are discounted alike

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Histories:
    """What members who bought had bought by a moment; a purchase is a day with an order.

    frequency: (n,) purchases after the first, whole numbers.
    recency: (n,) days from the first purchase to the last; 0 without a repeat.
    age: (n,) days from the first purchase to the moment.
    spend: (n,) what all purchases brought, refunds taken off, currency.
    margin: (n,) what of it was earned, currency; may be below 0.
    """

    frequency: Numbers
    recency: Numbers
    age: Numbers
    spend: Numbers
    margin: Numbers

    def __len__(self) -> int:
        return len(self.frequency)

    def __post_init__(self) -> None:
        for name in ("spend", "margin"):
            money = getattr(self, name)
            if len(money) != len(self.frequency) or not np.isfinite(money).all():
                raise ModelError(f"{name} of {len(self.frequency)} members, wanted a number each")

    @property
    def purchases(self) -> Numbers:
        return self.frequency + 1


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is expected of each member within the horizon, (n,), whatever is sent.

    purchases: days with an order, 0 or more.
    spend: currency, 0 or more.
    margin: currency at today's worth: what comes later counts less, by the yearly discount.
    """

    purchases: Numbers
    spend: Numbers
    margin: Numbers


@dataclass(frozen=True)
class Clv:
    """A fitted model of how often members buy, how much, and what that earns.

    buying: times are in days.
    spending: worth is spend, currency.
    margin_rate: margin as a share of spend over all members.
    level: purchases of the season ahead over those that ``buying``, which knows none, expects.
    worth_level: what a purchase of that season is worth over what ``spending`` expects.
    horizon_days: how far ahead; the levels hold for this horizon.
    yearly_discount: 0.1 = what comes a year later is worth 1 / 1.1.
    """

    buying: BgNbd
    spending: GammaGamma
    margin_rate: float
    level: float
    worth_level: float
    horizon_days: int
    yearly_discount: float

    def __post_init__(self) -> None:
        for name, level in (("level", self.level), ("worth level", self.worth_level)):
            if not 0 < level < np.inf:
                raise ModelError(f"{name} is {level}, wanted a finite number above 0")
        if self.horizon_days < 1:
            raise ModelError(f"horizon is {self.horizon_days} days, wanted 1 or more")
        if not 0 <= self.yearly_discount < np.inf:
            raise ModelError(f"yearly discount is {self.yearly_discount}, wanted 0 or more")

    def predict(self, seen: Histories) -> Forecast:
        """What members with these histories will do within the horizon.

        A member's margin is their expected spend times their margin rate: their own so far, drawn
        towards everybody's as if they had made ``TRUSTED_AFTER`` more typical purchases.

        Raises:
            ModelError: a history that cannot be; says which row.
        """
        purchases, share = self._expected(seen)
        worth = self.spending.expected_worth(seen.purchases, seen.spend / seen.purchases)
        spend = purchases * worth * self.worth_level
        typical = TRUSTED_AFTER * self.spending.mean
        rate = (seen.margin + typical * self.margin_rate) / (np.maximum(seen.spend, 0) + typical)
        return Forecast(purchases, spend, spend * share * rate)

    def _expected(self, seen: Histories) -> tuple[Numbers, Numbers]:
        """Purchases, and the share of their worth that is left after discounting."""
        cuts = np.append(np.arange(0.0, self.horizon_days, _STEP_DAYS), self.horizon_days)
        before = np.zeros(len(seen))
        discounted = np.zeros(len(seen))
        for start, end in pairwise(cuts):
            until = self.buying.expected_purchases(end, seen.frequency, seen.recency, seen.age)
            worth = (1 + self.yearly_discount) ** (-(start + end) / 2 / YEAR)
            discounted += (until - before) * worth
            before = until
        share = np.divide(discounted, before, out=np.ones_like(before), where=before > 0)
        return self.level * before, share

    def save(self, folder: Path) -> None:
        Artifact(KIND, asdict(self)).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; check the files' hashes first where they came from elsewhere.

        Raises:
            ArtifactError: another kind of model, or parts that do not fit each other.
        """
        config = dict(Artifact.load(folder, KIND).config)
        try:
            buying, spending = BgNbd(**config.pop("buying")), GammaGamma(**config.pop("spending"))
            return cls(buying, spending, **config)
        except (KeyError, TypeError, ModelError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error
