"""Whether an arm is told apart from the control, at a planned look or at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from experiments.confidence_sequence import standard_errors
from experiments.contrast import Estimate, Lift
from experiments.crossing import WIDEST
from experiments.design import Correction, Sequential
from experiments.findings import Decided
from experiments.group_sequential import boundary
from experiments.multiple import levels

_EARLY = 0.01  # of the information: nothing is ever stopped there
_APART = 0.001  # of the information: looks closer than that are one


@dataclass(frozen=True, slots=True)
class Rule:
    """How large an effect has to be.

    by: ``group``: the bound of the newest of the looks at ``fractions`` of the information;
        ``always``: the confidence sequence, tightest at ``planned`` members.
    """

    by: Sequential
    fractions: tuple[float, ...]
    planned: float

    def bound(self, alpha: float, members: int) -> float:
        """In standard errors of a normal estimate, of ``members`` of both arms."""
        if self.by == "always":
            return standard_errors(members, self.planned, alpha)
        return look_bound(self.fractions, alpha)


@lru_cache(maxsize=256)
def look_bound(fractions: tuple[float, ...], alpha: float) -> float:
    """O'Brien and Fleming's bound (Lan and DeMets) at the newest of the looks."""
    kept: list[float] = []
    for fraction in reversed(fractions):
        if fraction >= _EARLY and (not kept or fraction <= kept[-1] - _APART):
            kept.append(fraction)
    if not fractions or fractions[-1] < _EARLY:
        return WIDEST
    return boundary(kept[::-1], alpha).bounds[-1]


def decided(
    lifts: Sequence[tuple[Lift, int]], alpha: float, rule: Rule, correction: Correction
) -> tuple[Decided, ...]:
    """Of each arm's lift, with the members of both arms: over several arms corrected."""
    sizes = [abs(_normal(lift)) for lift, _ in lifts]
    members = max((count for _, count in lifts), default=0)
    at = levels(sizes, alpha, lambda level: rule.bound(level, members), correction)
    found = []
    for (lift, _), size, level in zip(lifts, sizes, at, strict=True):
        bound = rule.bound(level, members)
        wide = student(bound, lift.df) * lift.error
        value = lift.difference.value
        interval = Estimate(value, value - wide, value + wide)
        z = size if value >= 0 else -size
        found.append(Decided(rule.by, bound, z, level, interval, size >= bound))
    return tuple(found)


def anytime(lift: Lift, members: int, planned: float, alpha: float) -> Estimate:
    """The confidence sequence around a lift of members whose window has passed."""
    wide = student(standard_errors(members, planned, alpha), lift.df) * lift.error
    value = lift.difference.value
    return Estimate(value, value - wide, value + wide)


def student(bound: float, df: float) -> float:
    """The bound of Student's t that is reached as rarely as ``bound`` of a normal."""
    from scipy.special import ndtr, stdtrit

    return -float(stdtrit(df, ndtr(-bound)))


def _normal(lift: Lift) -> float:
    """What a normal estimate as unlikely as this would be, in standard errors."""
    from scipy.special import ndtri

    return -float(ndtri(lift.p / 2)) if lift.p > 0 else lift.difference.value / lift.error
