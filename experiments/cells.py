"""What a readout is made of: moments of members, cell by cell, and what is known of the cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from experiments.design import SEGMENTS
from experiments.errors import ExperimentError
from experiments.moments import Moments

# One value of each a member assigned, from the first exposure for ``Analysis.window_days``, as
# known at ``as_of``; ``before_`` ones from the ``Analysis.before_days`` up to the first exposure.
# Members without any outcome count with 0. Money is in the workspace's currency.
VARIABLES: Mapping[str, str] = {
    "gain": "money: margin less cost",
    "margin": "money: of what was bought, refunds taken off, after discounts",
    "revenue": "money: of what was bought, refunds taken off",
    "converted": "1 where there was a conversion, else 0",
    "conversions": "number of conversions",
    "cost": "money: contacts, and what redeemed offers cost beside their discount",
    "coupon": "money: discounts redeemed; in the margin already, told only",
    "sends": "number of pushes sent",
    "reached": "1 where a push was delivered, else 0",
    "redeemed": "number of offers redeemed",
    "unsubscribed": "1 where the member unsubscribed, else 0",
    "complained": "1 where the member complained, else 0",
    "judged": "the deciding metric, at most Analysis.cap and at least minus it where one is set",
    "before_margin": "as margin, before",
    "before_revenue": "as revenue, before",
    "before_converted": "as converted, before",
    "before_judged": "the deciding metric's covariate, before, with the same cap",
}
NAMES = tuple(VARIABLES)
# By which covariates a metric is adjusted (CUPED): its own past, and whether there was any. Costs
# have no past that would foretell them: for the gain, the margin does.
COVARIATES: Mapping[str, tuple[str, ...]] = {
    "gain": ("before_margin", "before_converted"),
    "margin": ("before_margin", "before_converted"),
    "revenue": ("before_revenue", "before_converted"),
    "converted": ("before_converted", "before_margin"),
    "conversions": ("before_converted", "before_margin"),
    "judged": ("before_judged", "before_converted"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Members of one arm who are alike.

    epoch: position in ``Cells.shares`` of the shares that held at the member's first exposure.
    lifecycle, value_tier: features at the first exposure; "" where they were not known.
    complete: whether their whole window had passed by ``Cells.as_of``.
    moments: over ``NAMES``, in that order, and maybe more, of which guardrails are.
    also: values of segments that no feature tells, by name.
    """

    arm: str
    epoch: int
    lifecycle: str
    value_tier: str
    complete: bool
    moments: Moments
    also: Mapping[str, str] = field(default_factory=dict)

    def segment(self, name: str) -> str:
        """Its value of one of ``SEGMENTS`` or ``also``. ``ExperimentError`` of another."""
        known = {**dict(zip(SEGMENTS, (self.lifecycle, self.value_tier), strict=True)), **self.also}
        if name not in known:
            raise ExperimentError(f"segment {name!r} is not known, wanted {', '.join(known)}")
        return known[name]


@dataclass(frozen=True, slots=True)
class Exposure:
    """When members came in.

    first, last: of the first exposures, UTC; None of nobody.
    crossed: members with logged decisions in two arms; they count in the first alone.
    unheard: members sent nothing whose conversions seem to go unreported; 0 where nothing hints so.
    """

    first: datetime | None = None
    last: datetime | None = None
    crossed: int = 0
    unheard: int = 0


@dataclass(frozen=True, slots=True)
class Cells:
    """All members that had been exposed by ``as_of``, each in exactly one cell.

    as_of: UTC; outcomes known later are not in.
    shares: of each epoch, from the start on, share by name of the arm (``Allocation.share``); an
        experiment whose shares never changed has one.
    """

    as_of: datetime
    shares: tuple[Mapping[str, float], ...]
    cells: tuple[Cell, ...]
    exposure: Exposure = Exposure()

    def __post_init__(self) -> None:
        for place, shares in enumerate(self.shares):
            if abs(math.fsum(shares.values()) - 1) > 1e-6:
                raise ExperimentError(f"shares of epoch {place} do not add up to 1: {shares}")
        for cell in self.cells:
            if not 0 <= cell.epoch < len(self.shares):
                raise ExperimentError(
                    f"a cell is of epoch {cell.epoch}, wanted 0 to {len(self.shares) - 1}"
                )
            if cell.arm not in self.shares[cell.epoch]:
                raise ExperimentError(f"a cell is of arm {cell.arm!r}, which has no share")
            if cell.moments.names[: len(NAMES)] != NAMES or cell.moments.names != self.names:
                raise ExperimentError(f"moments of {cell.moments.names}, wanted {self.names}")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the variables."""
        return self.cells[0].moments.names if self.cells else NAMES

    def of(self, arm: str, inside: Callable[[Cell], bool] | None = None) -> dict[int, Moments]:
        """Moments of an arm by epoch, only of cells that are ``inside``; epochs without members
        are absent."""
        parts: dict[int, list[Moments]] = {}
        for cell in self.cells:
            if cell.arm == arm and cell.moments.count and (inside is None or inside(cell)):
                parts.setdefault(cell.epoch, []).append(cell.moments)
        return {epoch: Moments.total(self.names, found) for epoch, found in parts.items()}

    def total(self, arm: str) -> Moments:
        """Of all members of the arm."""
        return Moments.total(self.names, self.of(arm).values())
