"""Members split as the shares say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy.stats import chisquare

from experiments.cells import NAMES, Cell, Cells
from experiments.moments import Moments
from experiments.srm import sample_ratio
from tests.experiments.members import START


def split(*epochs: Mapping[str, int], shares: Sequence[Mapping[str, float]]) -> Cells:
    """Counts of members of each epoch."""
    k = len(NAMES)
    found = [
        Cell(arm, epoch, "", "", True, Moments(NAMES, count, np.zeros(k), np.zeros((k, k))))
        for epoch, counts in enumerate(epochs)
        for arm, count in counts.items()
    ]
    return Cells(START, tuple(shares), tuple(found))


EVEN = {"a": 0.5, "b": 0.5}


def test_one_epoch_is_pearsons_chi_square() -> None:
    found = sample_ratio(split({"a": 880, "b": 120}, shares=[{"a": 0.9, "b": 0.1}]))
    reference = chisquare([880, 120], [900, 100])
    assert (found.statistic, found.p) == pytest.approx((reference.statistic, reference.pvalue))
    assert found.passed


def test_a_split_of_50_6_to_49_4_of_100_000_is_found() -> None:
    assert sample_ratio(split({"a": 50_600, "b": 49_400}, shares=[EVEN])).passed is False
    assert sample_ratio(split({"a": 50_300, "b": 49_700}, shares=[EVEN])).passed


def test_shares_that_were_changed_are_no_mismatch() -> None:
    cells = split({"a": 900, "b": 100}, {"a": 2000, "b": 2000}, shares=[{"a": 0.9, "b": 0.1}, EVEN])
    found = sample_ratio(cells)
    assert found.passed
    assert found.expected == pytest.approx({"a": 2900, "b": 2100})
    assert found.df == 2


def test_mismatches_of_two_epochs_that_even_out_are_found() -> None:
    cells = split({"a": 700, "b": 300}, {"a": 300, "b": 700}, shares=[EVEN, EVEN])
    assert sample_ratio(cells).passed is False


def test_an_arm_that_joined_later_is_not_missed_before() -> None:
    shares = [{"a": 0.5, "b": 0.5, "c": 0.0}, {"a": 0.4, "b": 0.4, "c": 0.2}]
    cells = split({"a": 500, "b": 500, "c": 0}, {"a": 400, "b": 400, "c": 200}, shares=shares)
    assert sample_ratio(cells).passed


@pytest.mark.parametrize(("strays", "passed"), [(3, True), (300, False)])
def test_members_of_an_arm_without_a_share_are_an_alarm_unless_a_few_in_passing(
    strays: int, passed: bool
) -> None:
    shares = [{"a": 0.5, "b": 0.5, "c": 0.0}]
    assert sample_ratio(split({"a": 5000, "b": 5000, "c": strays}, shares=shares)).passed is passed


def test_a_handful_of_members_is_not_checked() -> None:
    found = sample_ratio(split({"a": 9, "b": 0}, shares=[EVEN]))
    assert (found.p, found.passed) == (None, None)


def test_false_alarms_are_as_rare_as_one_in_a_thousand() -> None:
    rng = np.random.default_rng(20)
    alarms = 0
    for first in rng.binomial(20_000, 0.9, 4000).tolist():
        counts = {"a": first, "b": 20_000 - first}
        alarms += sample_ratio(split(counts, shares=[{"a": 0.9, "b": 0.1}])).passed is False
    assert alarms / 4000 <= 0.001 + 4 * np.sqrt(0.001 / 4000)


def test_watched_every_day_there_are_no_more_false_alarms() -> None:
    rng = np.random.default_rng(21)
    watched = once = 0
    for _ in range(120):
        days = rng.binomial(100, 0.5, 50).cumsum()
        looks = [
            split({"a": int(first), "b": 100 * day - int(first)}, shares=[EVEN])
            for day, first in enumerate(days, 1)
        ]
        watched += any(sample_ratio(one, watched=True).passed is False for one in looks)
        once += any((sample_ratio(one).p or 0) < 0.05 for one in looks)
    assert watched <= 2  # chance of three: 120³ / 6 × .001³ < .0003
    assert once > 25  # chi-square, asked every day


def test_watched_a_lost_arm_is_found_within_days() -> None:
    assert sample_ratio(split({"a": 60, "b": 5}, shares=[EVEN]), watched=True).passed is False
