"""When an experiment is looked at."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from experiments.deciding import look_bound
from experiments.design import Analysis
from experiments.looks import information, look_at, planned
from tests.experiments.members import START

FOUR = Analysis(looks=4, days=28)
DAY = timedelta(days=1)


def test_looks_are_equally_far_apart_in_time() -> None:
    assert planned(FOUR, START) == tuple(START + days * DAY for days in (7, 14, 21, 28))


@pytest.mark.parametrize(
    ("day", "number", "due", "last"),
    [
        (6, 0, False, False),
        (7, 1, True, False),
        (8, 1, False, False),
        (21, 3, True, False),
        (28, 4, True, True),
        (40, 4, True, True),
    ],
)
def test_a_readout_is_a_look_at_its_moment_and_after_the_last(
    day: int, number: int, due: bool, last: bool
) -> None:
    found = look_at(FOUR, START, START + day * DAY)
    assert (found.number, found.due, found.last) == (number, due, last)
    assert (found.next_at is None) == last


def test_a_readout_between_looks_names_the_one_before_and_the_one_after() -> None:
    found = look_at(FOUR, START, START + 8 * DAY)
    assert (found.moment, found.next_at) == (START + 7 * DAY, START + 14 * DAY)


def test_stopping_early_is_the_last_look() -> None:
    found = look_at(FOUR, START, START + 20 * DAY, stopped_at=START + 10 * DAY)
    assert (found.number, found.due, found.last) == (2, True, True)
    assert found.fractions[-1] == pytest.approx(information(FOUR, 10))
    before = look_at(FOUR, START, START + 9 * DAY, stopped_at=START + 10 * DAY)
    assert (before.number, before.due, before.last) == (1, False, False)


def test_an_experiment_stopped_at_its_start_had_no_look() -> None:
    found = look_at(FOUR, START, START + DAY, stopped_at=START)
    assert (found.number, found.due, found.last) == (0, False, True)


def test_an_experiment_that_is_always_on_ends_with_its_last_window_after_the_stop() -> None:
    always = Analysis(sequential="always")
    ends = [
        look_at(always, START, START + day * DAY, stopped_at=START + 80 * DAY).last
        for day in (79, 93, 94)
    ]
    assert planned(always, START) == ()
    assert look_at(always, START, START + 90 * DAY).last is False
    assert ends == [False, False, True]


def test_information_is_the_time_that_members_spend_in_their_windows() -> None:
    """Half-way through 28 days, members with 14-day windows spent 14²/2 of 14²/2 + 14² days."""
    assert information(FOUR, 14) == pytest.approx(1 / 3)
    assert information(FOUR, 28) == 1


@pytest.mark.parametrize("window_days", [1.0, 14.0, 28.0])
def test_daily_looks_at_open_windows_raise_no_more_false_alarms_than_alpha(
    window_days: float,
) -> None:
    """Totals without an effect, 28 looks; members come evenly and buy at any time in the window."""
    analysis = Analysis(looks=28, days=28, window_days=window_days)
    fractions = tuple(information(analysis, day) for day in range(1, 29))
    bounds = np.array([look_bound(fractions[:day], 0.05) for day in range(1, 29)])
    rng = np.random.default_rng(40)
    steps = np.sqrt(np.diff([0, *fractions])) * rng.standard_normal((40_000, 28))
    z = steps.cumsum(axis=1) / np.sqrt(fractions)
    alarms = float((np.abs(z) >= bounds).any(axis=1).mean())
    assert alarms == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 40_000))
