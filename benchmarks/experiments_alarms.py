"""False alarms of experiments without an effect, and the power of those with one.

Every evening of 28 is looked at, by the same rules as a readout. The reference is the fixed test
looked at as often: what happens to those who look without a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.experiments_arms import Course, Seen, evenings
from benchmarks.figure import Figure
from experiments.contrast import Lift, Side, lift
from experiments.deciding import Rule, decided
from experiments.design import Analysis
from experiments.looks import information

ALPHA = 0.05
LOOKS, FEWER = 28, 5
EFFECT = 0.4  # of the share who buy: a fixed test finds it with a chance of about .85


@dataclass(frozen=True, slots=True)
class Alarms:
    """Whether each way of looking found something in one run."""

    fixed: bool
    repeated: bool
    group: bool
    always: bool
    few: bool


def figures(runs: int) -> Iterator[Figure]:
    without = [alarms(Course(), np.random.default_rng([1, seed])) for seed in range(runs)]
    fixed, repeated, group, always = (
        float(np.mean([getattr(one, name) for one in without]))
        for name in ("fixed", "repeated", "group", "always")
    )
    yield Figure(
        "aa_fixed_horizon", fixed, ALPHA, "share", fixed / ALPHA, ".04 to .06", .04 <= fixed <= .06
    )  # fmt: skip
    yield Figure(
        "aa_28_looks_group_sequential", group, repeated, "share", group / repeated,
        "at most .06; the fixed test looked at as often beside it", group <= 0.06,
    )  # fmt: skip
    yield Figure(
        "aa_28_looks_confidence_sequence", always, repeated, "share", always / repeated,
        "at most .05; the fixed test looked at as often beside it", always <= 0.05,
    )  # fmt: skip
    yield from _power(runs)


def _power(runs: int) -> Iterator[Figure]:
    course = Course(lift=EFFECT)
    found = [alarms(course, np.random.default_rng([2, seed])) for seed in range(runs)]
    fixed, few, group, always = (
        float(np.mean([getattr(one, name) for one in found]))
        for name in ("fixed", "few", "group", "always")
    )
    yield Figure(
        "power_group_sequential_5_looks", few, fixed, "share", few / fixed,
        "at least .97 of the fixed test's", few >= 0.97 * fixed,
    )  # fmt: skip
    yield Figure(
        "power_group_sequential_28_looks", group, fixed, "share", group / fixed,
        "told beside", True,
    )  # fmt: skip
    yield Figure(
        "power_confidence_sequence", always, fixed, "share", always / fixed,
        "told beside: the windows of the last two weeks are still open", True,
    )  # fmt: skip


def alarms(course: Course, random: np.random.Generator) -> Alarms:
    """One run, looked at every evening."""
    analysis = Analysis(days=course.days, window_days=course.window, looks=LOOKS)
    planned = 2.0 * course.a_day * course.days
    found = dict.fromkeys(("fixed", "repeated", "group", "always", "few"), False)
    fractions: list[float] = []
    few: list[float] = []
    for seen in evenings(course, random):
        share = information(analysis, float(seen.day))
        fractions.append(share)
        now = lift("margin", *seen.everybody, ALPHA)
        if not isinstance(now, Lift):  # nobody has bought anything yet
            continue
        found["fixed"] = now.p < ALPHA
        found["repeated"] |= found["fixed"]
        found["group"] |= _reached(now, seen.everybody, Rule("group", tuple(fractions), planned))
        if _due(seen.day, course.days):
            few.append(share)
            found["few"] |= _reached(now, seen.everybody, Rule("group", tuple(few), planned))
        found["always"] |= _always(seen, planned)
    return Alarms(**found)


def _due(day: int, days: int) -> bool:
    """Whether one of five looks, equally far apart, falls on this evening."""
    return any(round(days * number / FEWER) == day for number in range(1, FEWER + 1))


def _always(seen: Seen, planned: float) -> bool:
    """By the confidence sequence of the members whose window has passed."""
    if not isinstance(seen.complete, tuple):
        return False
    now = lift("margin", *seen.complete, ALPHA)
    return isinstance(now, Lift) and _reached(now, seen.complete, Rule("always", (), planned))


def _reached(found: Lift, pair: tuple[Side, Side], rule: Rule) -> bool:
    members = sum(side.count for side in pair)
    return decided([(found, members)], ALPHA, rule, "holm")[0].crossed
