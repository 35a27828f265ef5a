"""Shares by a day, where not everybody could be watched to the end."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from features.insights.survival import (
    FEWEST,
    Estimate,
    Untold,
    by_day,
    incidence,
    mean,
    share,
)


def counted(days: list[int]) -> NDArray[np.int64]:
    return np.bincount(days, minlength=36).astype(np.int64)


# Weeks of remission under 6-MP: Freireich et al., Blood 21, 1963, in every textbook.
RELAPSED = counted([6, 6, 6, 7, 10, 13, 16, 22, 23])
WATCHED = counted([6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])


@pytest.mark.parametrize(
    ("week", "kept", "low", "high"),
    [(6, 0.8571, 0.6197, 0.9516), (7, 0.8067, 0.5631, 0.9228), (13, 0.6902, 0.4316, 0.8491),
     (23, 0.4482, 0.1881, 0.6801)],
)  # fmt: skip
def test_the_curve_of_the_textbooks(week: int, kept: float, low: float, high: float) -> None:
    found = incidence(RELAPSED, WATCHED)
    ends = (1 - found.share[week], 1 - found.high[week], 1 - found.low[week])
    assert ends == pytest.approx((kept, low, high), abs=2e-4)


def test_who_was_watched_less_long_is_at_risk_less_long() -> None:
    found = incidence(RELAPSED, WATCHED)
    assert found.at_risk[[0, 6, 7, 23, 35]].tolist() == [21, 21, 17, 6, 1]


def test_where_nobody_has_had_it_the_share_may_still_be_above_none() -> None:
    found = incidence(np.zeros(5, dtype=np.int64), np.array([0, 0, 0, 0, 99]))
    assert found.share.tolist() == [0.0] * 5
    assert found.low.tolist() == [0.0] * 5
    assert found.high[4] == pytest.approx(1 - 0.025 ** (1 / 99))


@pytest.mark.parametrize(("last", "low"), [(0, 0.9404), (5, 0.8301)])
def test_once_everybody_has_had_it_the_share_is_known_as_well_as_on_that_day(
    last: int, low: float
) -> None:
    """60 at once; or 55, and the other five three days later."""
    happened = np.zeros(40, dtype=np.int64)
    happened[0], happened[3] = 60 - last, last
    found = incidence(happened, np.zeros(40, dtype=np.int64))
    assert (found.share[30], found.high[30]) == (1.0, 1.0)
    assert found.low[30] == pytest.approx(low, abs=1e-4)


@pytest.mark.parametrize("day", [10, 30])
def test_the_interval_holds_as_often_as_it_says(day: int) -> None:
    rng = np.random.default_rng(5)
    truth, runs, inside = 1 - np.exp(-day / 40), 600, 0
    for _ in range(runs):
        wait, watched = rng.exponential(40, 150).astype(int), rng.integers(5, 60, 150)
        happened = np.bincount(wait[wait <= watched], minlength=60)
        ended = np.bincount(watched[wait > watched], minlength=60)
        found = incidence(happened, ended)
        # A wait of whole days: by the end of day d all waits below d + 1 are over.
        inside += found.low[day - 1] <= truth <= found.high[day - 1]
    assert inside / runs == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / runs) ** 0.5)


def test_a_cohort_that_could_not_be_watched_so_long_is_too_early_to_tell() -> None:
    followed = np.zeros(61, dtype=np.int64)
    followed[20], followed[60] = 100, FEWEST - 1
    curve = incidence(np.zeros(61, dtype=np.int64), followed)
    told = by_day(curve, 30, followed, "joined")
    assert told == Untold("too_early", "29 of 129 members joined 30 days ago or more, wanted 30")
    assert isinstance(by_day(curve, 20, followed, "joined"), Estimate)


def test_few_members_tell_nothing() -> None:
    few = Untold("too_few_members", "29 members, wanted 30")
    assert mean(29, 290.0, 2900.0) == few
    assert share(3, 29) == few


def test_shares_and_means_have_the_intervals_of_the_books() -> None:
    # Wilson's interval of 10 in 100; the mean of 50 ones and 50 threes, spread 100 / 99.
    found = share(10, 100)
    assert isinstance(found, Estimate)
    assert (found.low, found.high) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    middle = mean(100, 200.0, 500.0)
    assert isinstance(middle, Estimate)
    assert (middle.value, middle.high) == pytest.approx((2.0, 2.0 + 1.96 * 0.1005), abs=1e-3)
