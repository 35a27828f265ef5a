"""Whether experiments find a lift as often as ``experiments.power`` promised before them.

A history of members tells mean, spread and what their past explains; that sizes an experiment, and
experiments of that size are run on other members of the same kind, with the lift. The reference is
the power that was promised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from benchmarks.experiments_arms import Numbers, pair
from benchmarks.figure import Figure
from experiments.contrast import Lift, lift
from experiments.cuped import slopes
from experiments.deciding import Rule, decided
from experiments.design import Analysis
from experiments.moments import Moments
from experiments.power import Baseline, Question, Sized, size
from experiments.readout import PLANNED

NAMES = ("margin", "before_margin")
ALPHA = 0.05
_ANY_TIME = 28  # looks
HISTORY = 40_000  # members
LIFT = 0.08  # of the mean
SHARES = {"control": 0.4, "treated": 0.6}
# A part of everybody's month follows from the month before.
_HABIT, _SKEW = sqrt(0.6), 0.8


@dataclass(frozen=True, slots=True)
class Way:
    """How it is read: with what, and what is lifted."""

    analysis: Analysis
    adjusted: bool = False
    share: bool = False


WAYS: Mapping[str, Way] = {
    "mean": Way(Analysis()),
    "mean_5_looks": Way(Analysis(looks=5)),
    "mean_any_time": Way(Analysis(sequential="always")),
    "cuped": Way(Analysis(), adjusted=True),
    "converted": Way(Analysis(metric="converted"), share=True),
}


def figures(runs: int) -> Iterator[Figure]:
    for number, (name, way) in enumerate(WAYS.items()):
        before = _members(HISTORY, way, 0.0, np.random.default_rng([8, number]))
        moments = Moments.of(NAMES, before)
        correlation = _correlation(moments) if way.adjusted else 0.0
        baseline = Baseline(
            moments.mean_of("margin"), moments.variance("margin"), 10**9, way.share, correlation
        )
        question = Question(SHARES, "control", way.analysis)
        found = size(baseline, question, LIFT * baseline.mean)
        if not isinstance(found, Sized):
            raise AssertionError(found.reasons)
        share = float(
            np.mean(
                [_found(found, way, np.random.default_rng([9, number, n])) for n in range(runs)]
            )
        )
        wanted = way.analysis.power
        yield Figure(
            f"power_as_promised_{name}", share, wanted, "share", share / wanted,
            f"within .03, and chance, in experiments of {found.members:,} members",
            abs(share - wanted) < 0.03 + 2 * sqrt(0.16 / runs),
        )  # fmt: skip


def _correlation(moments: Moments) -> float:
    both = moments.covariance(*NAMES)
    return both / sqrt(moments.variance(NAMES[0]) * moments.variance(NAMES[1]))


def _found(sized: Sized, way: Way, random: np.random.Generator) -> bool:
    """One experiment, looked at after equal parts of its members."""
    treated, control = (
        _members(sized.arms[arm], way, lifted, random)
        for arm, lifted in (("treated", LIFT), ("control", 0.0))
    )
    always = way.analysis.sequential == "always"
    looks = _ANY_TIME if always else way.analysis.looks
    for look in range(1, looks + 1):
        both = pair(
            NAMES,
            treated[: len(treated) * look // looks],
            control[: len(control) * look // looks],
        )
        along = slopes("margin", NAMES[1:], *both) if way.adjusted else None
        seen = lift("margin", *both, ALPHA, along)
        fractions = tuple(number / looks for number in range(1, look + 1))
        rule = Rule(way.analysis.sequential, fractions, PLANNED)
        members = sum(side.count for side in both)
        if isinstance(seen, Lift) and decided([(seen, members)], ALPHA, rule, "holm")[0].crossed:
            return True
    return False


def _members(count: int, way: Way, lifted: float, random: np.random.Generator) -> Numbers:
    """(count, 2) a metric and the same before."""
    habit, now, then = random.normal(size=(3, count))
    after, before = (
        np.exp(_SKEW * (_HABIT * habit + sqrt(1 - _HABIT**2) * noise)) for noise in (now, then)
    )
    if way.share:
        # A tenth converts.
        likely = 0.1 * np.array([1 + lifted, 1.0])
        return np.asarray(random.random((count, 2)) < likely, dtype=np.float64)
    # The lift is the same for all: spread and past stay as they were.
    return np.column_stack([after + lifted * np.exp(_SKEW**2 / 2), before])
