"""Two arms compared: difference and relative lift of a metric, with intervals.

Members differ between the times before and after a change of shares, and so do the arms' parts of
them: arms are compared within each epoch of shares, and the differences are averaged (otherwise a
change of shares would pass for an effect). An epoch weighs by n m / (n + m), the members of the two
arms: least variance where effect and spread are alike. With one epoch, this is Welch's test.

Source: Welch, Biometrika 34, 1947; weights: Cochran, Biometrics 10, 1954; relative lift: Deng,
Knoblich and Lu, KDD 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import hypot, sqrt
from typing import Literal

import numpy as np

from experiments.moments import Moments

LEAST_MEMBERS = 100  # in each arm: below, means of money are far from normal
ROUNDING = 1e-12  # a standard error below this share of the mean is none
_AWAY = 3.0  # standard errors from 0 that a mean needs before anything is divided by it

Parts = list[tuple[float, int]]  # of a variance, with degrees of freedom
Reason = Literal[
    "no_members", "too_few_members", "nothing_varies", "not_from_zero", "between_looks"
]


@dataclass(frozen=True, slots=True)
class Estimate:
    """value, with the interval low to high."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Untold:
    """A figure that these members cannot tell, and why in words."""

    reason: Reason
    told: str


@dataclass(frozen=True, slots=True)
class Lift:
    """What an arm's members did more than the control's, of one metric, per member assigned.

    arm, control: plain means of the two (over several epochs, weighed as the difference is).
    difference: arm less control, with the fixed 1 − alpha interval: as if looked at once.
    relative: the same as a share of the control's mean; untold where that is not clearly above 0.
    error: standard error of the difference. df: degrees of freedom (Welch, Satterthwaite).
    p: two-sided, of no difference; as if looked at once.
    adjusted: whether covariates were used (CUPED); then difference need not be arm − control.
    """

    metric: str
    arm: float
    control: float
    difference: Estimate
    relative: Estimate | Untold
    error: float
    df: float
    p: float
    adjusted: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One arm of a contrast: its epochs with their weights, which add up to 1."""

    strata: tuple[tuple[float, Moments], ...]

    @property
    def count(self) -> int:
        return sum(moments.count for _, moments in self.strata)

    def mean(self, along: Mapping[str, float]) -> float:
        """Of the sum of variables times numbers that ``along`` names."""
        return sum(
            weight * number * moments.mean_of(name)
            for weight, moments in self.strata
            for name, number in along.items()
        )

    def variances(self, along: Mapping[str, float]) -> Parts:
        """Of the mean, in parts: what each epoch adds, with its degrees of freedom."""
        number = np.array(list(along.values()))
        parts = []
        for weight, moments in self.strata:
            rows = [moments.names.index(name) for name in along]
            spread = float(number @ moments.comoment[np.ix_(rows, rows)] @ number)
            df = moments.count - 1
            parts.append((weight**2 * max(spread, 0.0) / df / moments.count, df))
        return parts

    def variance(self, along: Mapping[str, float]) -> float:
        """Of the mean."""
        return sum(part for part, _ in self.variances(along))


def sides(arm: Mapping[int, Moments], control: Mapping[int, Moments]) -> tuple[Side, Side] | Untold:
    """The epochs in which both arms have at least two members, by ``Cells.of``."""
    both = [
        epoch
        for epoch in sorted(arm.keys() & control.keys())
        if min(arm[epoch].count, control[epoch].count) > 1
    ]
    if not both:
        return Untold("no_members", "there is no time at which both arms have members")
    weight = {
        epoch: arm[epoch].count * control[epoch].count / (arm[epoch].count + control[epoch].count)
        for epoch in both
    }
    total = sum(weight.values())
    first, second = (
        Side(tuple((weight[epoch] / total, one[epoch]) for epoch in both)) for one in (arm, control)
    )
    return first, second


def lift(
    metric: str,
    arm: Side,
    control: Side,
    alpha: float = 0.05,
    slopes: Mapping[str, float] | None = None,
) -> Lift | Untold:
    """Difference of the means of ``metric``, of members assigned, whatever reached them.

    Args:
        slopes: of covariates, taken off the metric (``experiments.cuped``).
    """
    along = {metric: 1.0, **{name: -slope for name, slope in (slopes or {}).items()}}
    found = compared(
        metric,
        (arm.mean({metric: 1.0}), control.mean({metric: 1.0})),
        arm.mean(along) - control.mean(along),
        (arm.variances(along), control.variances(along)),
        alpha,
    )
    return replace(found, adjusted=True) if slopes and isinstance(found, Lift) else found


def compared(
    metric: str,
    means: tuple[float, float],
    difference: float,
    variances: tuple[Parts, Parts],
    alpha: float,
) -> Lift | Untold:
    """The lift of any two independent estimates; ``means`` and ``variances`` arm first."""
    parts = [*variances[0], *variances[1]]
    variance = sum(part for part, _ in parts)
    if not sqrt(variance) > ROUNDING * max(abs(means[0]), abs(means[1])):
        return Untold("nothing_varies", f"{metric} is the same for all members")
    error = sqrt(variance)
    df = 1 / sum((part / variance) ** 2 / freedom for part, freedom in parts)
    return Lift(
        metric,
        *means,
        around(difference, error, df, alpha),
        _relative(metric, means, difference, variances, (df, alpha)),
        error,
        df,
        p_value(difference, error, df),
    )


def around(value: float, error: float, df: float, alpha: float) -> Estimate:
    """The 1 − alpha interval of Student's t."""
    from scipy.special import stdtrit

    wide = -float(stdtrit(df, alpha / 2)) * error
    return Estimate(value, value - wide, value + wide)


def p_value(value: float, error: float, df: float) -> float:
    """Two-sided, of a true value of 0."""
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(value) / error))


def _relative(
    metric: str,
    means: tuple[float, float],
    difference: float,
    variances: tuple[Parts, Parts],
    level: tuple[float, float],
) -> Estimate | Untold:
    """By the delta method; with covariates, the adjusted spread over the plain mean."""
    arm, control = (sqrt(sum(part for part, _ in parts)) for parts in variances)
    if not means[1] > _AWAY * control:
        return Untold("not_from_zero", f"the control's {metric} is not clearly above 0")
    error = hypot(arm, means[0] / means[1] * control) / means[1]
    return around(difference / means[1], error, *level)
