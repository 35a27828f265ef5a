"""Before anybody is sent anything: how many members, how long, and what lift can be seen at all.

With N members in arms of shares s, an effect is estimated with variance V / N, where

- V = (1 − r²) (σ_c² / s_c + σ_t² / s_t) for a difference of means, and
- V = (1 − r²) ((1 + lift)² σ_c² / s_c + σ_t² / s_t) / mean² for a relative lift (delta method);

r is the correlation of the metric with the same before (CUPED: Deng, Xu, Kohavi and Walker, WSDM
2013). It is found with the wanted power if lift √(N / V) reaches the test's drift: z₁₋ₐ/₂ +
z_power for one look, more for several (``experiments.group_sequential``) or for looking at any time
(``experiments.confidence_sequence``). Of several candidates each is tested at alpha over their
number, the first and hardest step of Holm's; the one with the largest V decides.

Source: Jennison and Turnbull, 2000, section 3.1; a share's variance is p (1 − p) in each arm, with
its own p (unpooled, as it is read).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil, fsum, inf, sqrt

from experiments.confidence_sequence import LEAST_MEMBERS, standard_errors
from experiments.design import Analysis, Sequential
from experiments.errors import ExperimentError
from experiments.group_sequential import (
    Boundary,
    drift_for,
    equal_looks,
    power,
)
from experiments.moments import Moments
from experiments.readout import PLANNED

_ANY_TIME = 28  # looks that stand for any time
_ROUNDS, _NEAR = 20, 1e-3


class PowerError(ExperimentError):
    """A question about power that makes no sense; says what was found and what was wanted."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What members do today.

    mean, variance: of the metric, per member over the window.
    share: the metric is 0 or 1, so that its variance follows its mean.
    correlation: with its covariate from before; 0 where there is none.
    members: how many can be in the experiment.
    per_day: how many of them come into it a day; None: all at once.
    """

    mean: float
    variance: float
    members: int
    share: bool = False
    correlation: float = 0.0
    per_day: float | None = None

    def __post_init__(self) -> None:
        if self.share and not 0 <= self.mean <= 1:
            raise PowerError(f"mean of a share is {self.mean:g}, wanted 0 to 1")
        if not 0 <= self.variance < inf:
            raise PowerError(f"variance is {self.variance:g}, wanted 0 or more")
        if not -1 < self.correlation < 1:
            raise PowerError(f"correlation is {self.correlation:g}, wanted between -1 and 1")
        if self.per_day is not None and not self.per_day > 0:
            raise PowerError(f"members a day are {self.per_day:g}, wanted above 0")


@dataclass(frozen=True, slots=True)
class Question:
    """How it will be read.

    shares: of the arms, together 1. control: the arm that the others are compared with.
    analysis: alpha, power, looks or any time, window.
    relative: the relative lift is tested, with its own error, instead of the difference.
    most_days: longest acceptable time to the last readout.
    candidates: the arms that are to be told from the control (``experiments.readout.candidates``);
        empty for all but the control.
    """

    shares: Mapping[str, float]
    control: str
    analysis: Analysis
    relative: bool = False
    most_days: float = inf
    candidates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.control not in self.shares or len(self.shares) < 2:
            raise PowerError(
                f"arms are {', '.join(self.shares) or 'none'}, wanted control "
                f"{self.control!r} and at least one other"
            )
        for arm, share in self.shares.items():
            if not share > 0:
                raise PowerError(f"share of {arm!r} is {share:g}, wanted above 0")
        total = fsum(self.shares.values())
        if abs(total - 1) > 1e-9:
            raise PowerError(f"shares add up to {total:g}, wanted 1")
        strange = set(self.candidates) - (self.shares.keys() - {self.control})
        if strange:
            raise PowerError(
                f"{', '.join(sorted(strange))} cannot be told from {self.control!r}: no such arm"
            )

    @property
    def compared(self) -> tuple[str, ...]:
        """The arms that are to be told from the control."""
        return self.candidates or tuple(arm for arm in self.shares if arm != self.control)

    @property
    def alpha(self) -> float:
        """Of each comparison with the control."""
        return self.analysis.alpha / len(self.compared)


@dataclass(frozen=True, slots=True)
class Sized:
    """What an effect takes.

    members: of all arms together. arms: of each.
    lift: difference of the means. relative: over the mean of today; None where that is 0.
    days: until the windows of all are closed.
    inflation: members over those of a test with one look.
    """

    members: int
    arms: Mapping[str, int]
    lift: float
    relative: float | None
    days: float
    inflation: float


@dataclass(frozen=True, slots=True)
class CannotMeasure:
    """Why the effect cannot be seen.

    wanted: what it would have taken. within_reach: the smallest effect that can be seen with the
    members and days that there are. None where no number of members would do.
    """

    reasons: tuple[str, ...]
    wanted: Sized | None = None
    within_reach: Sized | None = None


def size(baseline: Baseline, question: Question, lift: float) -> Sized | CannotMeasure:
    """How many members it takes to see ``lift``, a difference of means, in the metric's unit."""
    reasons = _nothing_to_see(baseline, question)
    if reasons:
        return CannotMeasure(reasons)
    if lift == 0 or not -inf < lift < inf:
        return CannotMeasure((f"a lift of {lift:g} takes more members than there can be",))
    if baseline.share and not 0 <= baseline.mean + lift <= 1:
        return CannotMeasure(
            (f"a share of {baseline.mean:.4g} cannot change by {lift:.4g}: it stays in 0 to 1",)
        )
    wanted = _sized(baseline, question, _members(baseline, question, lift), lift)
    reasons = _out_of_reach(baseline, question, wanted)
    if not reasons:
        return wanted
    found = detectable(baseline, question)
    return CannotMeasure(reasons, wanted, found if isinstance(found, Sized) else None)


def detectable(
    baseline: Baseline, question: Question, members: int | None = None
) -> Sized | CannotMeasure:
    """The smallest lift that ``members`` show; None: as many as there are in the time there is."""
    from scipy.optimize import brentq

    reasons = _nothing_to_see(baseline, question)
    if reasons:
        return CannotMeasure(reasons)
    if members is None:
        members = reachable(baseline, question)
    least = _least(question)
    if members < least:
        return CannotMeasure(
            (f"{members:,} members, wanted at least {LEAST_MEMBERS} in each arm: {least:,}",)
        )

    def lacking(lift: float) -> float:
        return _exactly(baseline, question, lift, members) - members

    # In a share nothing lies beyond 1; a relative lift's error grows with the lift itself.
    most = 1 - baseline.mean if baseline.share else 1e6 * sqrt(baseline.variance)
    if lacking(most) > 0:
        return CannotMeasure((f"{members:,} members are too few for any lift",))
    lift = float(brentq(lacking, most * 1e-12, most, rtol=1e-10))
    return _sized(baseline, question, members, lift)


def power_of(baseline: Baseline, question: Question, members: int, lift: float) -> float:
    """Chance that ``members`` show a true ``lift`` in the arm that is hardest to tell."""
    drift = abs(_effect(baseline, question, lift)) * sqrt(
        members / _variance(baseline, question, lift)
    )
    return power(bounds(question, members), drift)


def curve(baseline: Baseline, question: Question, points: int = 8) -> tuple[Sized, ...]:
    """The smallest lift that can be seen with all reachable members, half of them, a quarter, …

    Fewest members first; none where nothing can be seen.
    """
    most = reachable(baseline, question)
    sizes = sorted({most >> halved for halved in range(points)})
    found = (detectable(baseline, question, members) for members in sizes)
    return tuple(one for one in found if isinstance(one, Sized))


def reachable(baseline: Baseline, question: Question) -> int:
    """Members that can be in, with their windows closed, within the longest acceptable time."""
    if baseline.per_day is None:
        return baseline.members if question.analysis.window_days <= question.most_days else 0
    days = max(0.0, question.most_days - question.analysis.window_days)
    return int(min(baseline.members, baseline.per_day * days))


def bounds(question: Question, members: int) -> Boundary:
    """What |Z| has to reach at each look, of an experiment of so many ``members`` in the end.

    At any time, that depends on how far they are from the ``PLANNED`` ones of a readout.
    """
    return _bounds(*_test(question, members))


def ratio_baseline(moments: Moments, numerator: str, denominator: str, members: int) -> Baseline:
    """A ratio of two sums over members, such as margin per send, as a metric per member.

    Its variance is that of (numerator − ratio × denominator) / mean denominator (delta method:
    Deng, Knoblich and Lu, KDD 2018).

    Raises:
        PowerError: the denominator is 0 for all.
        ExperimentError: no such variable.
    """
    mean = moments.mean_of(denominator)
    if mean == 0:
        raise PowerError(f"{denominator} of all members is 0: nothing to divide by")
    ratio = moments.mean_of(numerator) / mean
    variance = (
        moments.variance(numerator)
        - 2 * ratio * moments.covariance(numerator, denominator)
        + ratio**2 * moments.variance(denominator)
    ) / mean**2
    return Baseline(ratio, max(variance, 0.0), members)


def _effect(baseline: Baseline, question: Question, lift: float) -> float:
    return lift / baseline.mean if question.relative else lift


def _variance(baseline: Baseline, question: Question, lift: float) -> float:
    """V of the arm that is hardest to tell from the control."""
    control = treated = baseline.variance
    if baseline.share:
        after = baseline.mean + lift
        control, treated = baseline.mean * (1 - baseline.mean), after * (1 - after)
    scale = 1.0
    if question.relative:
        control *= (1 + lift / baseline.mean) ** 2
        scale = baseline.mean**-2
    parts = control / question.shares[question.control] + treated / _smallest(question)
    return (1 - baseline.correlation**2) * scale * parts


def _exactly(baseline: Baseline, question: Question, lift: float, members: float) -> float:
    """Members that show the lift by the test of an experiment of ``members``."""
    effect = _effect(baseline, question, lift)
    return _variance(baseline, question, lift) * (_drift(question, members) / effect) ** 2


def _drift(question: Question, members: float) -> float:
    return _drift_of(question.analysis.power, *_test(question, members))


def _test(question: Question, members: float) -> tuple[Sequential, int, float, float]:
    """Kind, looks, level, and members of the two arms over the planned ones (two digits)."""
    analysis = question.analysis
    if analysis.sequential == "group":
        return "group", analysis.looks, question.alpha, 1.0
    two = question.shares[question.control] + _smallest(question)
    return "always", _ANY_TIME, question.alpha, float(f"{members * two / PLANNED:.2g}")


@cache
def _drift_of(
    wanted: float, sequential: Sequential, looks: int, alpha: float, grown: float
) -> float:
    return drift_for(_bounds(sequential, looks, alpha, grown), wanted)


@cache
def _bounds(sequential: Sequential, looks: int, alpha: float, grown: float) -> Boundary:
    if sequential == "group":
        return equal_looks(looks, alpha)
    fractions = tuple(number / looks for number in range(1, looks + 1))
    wide = tuple(standard_errors(fraction * grown, 1.0, alpha) for fraction in fractions)
    return Boundary(fractions, wide, (alpha,) * looks, alpha, "obrien_fleming")


def _members(baseline: Baseline, question: Question, lift: float) -> int:
    """As many as show the lift by their own test, which hardly changes with their number."""
    members = _exactly(baseline, question, lift, PLANNED)
    for _ in range(_ROUNDS):
        before, members = members, _exactly(baseline, question, lift, members)
        if abs(members - before) < _NEAR * members:
            break
    return max(ceil(members), _least(question))


def _smallest(question: Question) -> float:
    return min(question.shares[arm] for arm in question.compared)


def _least(question: Question) -> int:
    """Members with which the smallest arm has enough for a normal distribution of its mean."""
    return ceil(LEAST_MEMBERS / min(question.shares.values()) - 1e-9)


def _sized(baseline: Baseline, question: Question, members: int, lift: float) -> Sized:
    coming = 0.0 if baseline.per_day is None else members / baseline.per_day
    fixed = _drift_of(question.analysis.power, "group", 1, question.alpha, 1.0)
    return Sized(
        members=members,
        arms={arm: ceil(members * share - 1e-9) for arm, share in question.shares.items()},
        lift=lift,
        relative=lift / baseline.mean if baseline.mean else None,
        days=coming + question.analysis.window_days,
        inflation=(_drift(question, members) / fixed) ** 2,
    )


def _nothing_to_see(baseline: Baseline, question: Question) -> tuple[str, ...]:
    reasons = []
    if baseline.variance == 0:
        reasons.append("all members did the same over the window: nothing varies")
    if question.relative and baseline.mean <= 0:
        reasons.append(f"the mean is {baseline.mean:g}: a lift relative to it says nothing")
    if baseline.members == 0:
        reasons.append("nobody can be in it")
    return tuple(reasons)


def _out_of_reach(baseline: Baseline, question: Question, wanted: Sized) -> tuple[str, ...]:
    reasons = []
    if wanted.members > baseline.members:
        reasons.append(f"it takes {wanted.members:,} members; {baseline.members:,} can be in it")
    if wanted.days > question.most_days:
        pace = "" if baseline.per_day is None else f" at {baseline.per_day:,.0f} members a day"
        reasons.append(
            f"it takes {wanted.days:,.0f} days{pace}; wanted at most {question.most_days:,.0f}"
        )
    return tuple(reasons)
