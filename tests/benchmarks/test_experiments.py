"""The figures of experiments, a few runs of each: that they measure what they say."""

from __future__ import annotations

import numpy as np

from benchmarks.experiments_alarms import alarms
from benchmarks.experiments_arms import Course, evenings
from benchmarks.experiments_assignment import figures as assignment
from benchmarks.experiments_bounds import figures as bounds
from experiments.contrast import Side


def test_bounds_and_assignments_hold() -> None:
    found = [*bounds(20_000), *assignment(20_000)]
    assert all(figure.holds for figure in found)


def test_an_evening_knows_what_was_bought_by_then_and_no_more() -> None:
    course = Course(days=10, window=4)
    seen = list(evenings(course, np.random.default_rng(0)))
    last = seen[-1]
    assert (last.day, last.everybody[0].count) == (10, 1_000)
    assert isinstance(last.complete, tuple)
    closed: Side = last.complete[0]
    assert closed.count == 600
    # Of the members who have come, those of the last days have yet to buy.
    assert last.everybody[0].mean({"margin": 1.0}) < closed.mean({"margin": 1.0})


def test_looking_every_evening_without_a_plan_raises_alarms_that_bounds_do_not() -> None:
    found = [alarms(Course(), np.random.default_rng([1, seed])) for seed in range(40)]
    assert sum(one.repeated for one in found) > 5
    assert sum(one.group for one in found) <= 6
    assert sum(one.always for one in found) <= 2


def test_an_effect_is_found_by_every_way_of_looking() -> None:
    strong = alarms(Course(lift=1.5), np.random.default_rng(3))
    assert strong.fixed
    assert strong.group
    assert strong.few
    assert strong.always
