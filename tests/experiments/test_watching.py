from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from experiments.panel import CannotSay
from experiments.watching import (
    Counted,
    Ratio,
    Usual,
    WatchingError,
    beside_usual,
    dispersion,
    observed_over_expected,
    rate_rise,
    stability_p,
)

HOURS = 24 * 7 * 6


def told(found: Ratio | CannotSay) -> Ratio:
    assert isinstance(found, Ratio)
    return found


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 5_000), st.integers(1, 5_000))
def test_the_chance_of_a_rise_is_that_of_the_binomial(k: int, j: int, n: int, m: int) -> None:
    found = rate_rise(Counted(k, n + 60), Counted(j, m + 60))
    if not k + j:
        assert isinstance(found, CannotSay)
        return
    share = (n + 60) / (n + m + 120)
    exact = binomtest(k, k + j, share, "greater").pvalue
    assert told(found).p == pytest.approx(exact, abs=1e-9)


def test_the_interval_of_a_rise_holds_the_truth() -> None:
    rng = np.random.default_rng(1)
    recent, past = rng.binomial(4_000, 0.004, 2_000), rng.binomial(9_000, 0.002, 2_000)
    found = [
        told(rate_rise(Counted(int(k), 4_000), Counted(int(j), 9_000)))
        for k, j in zip(recent, past, strict=True)
    ]
    covered = np.mean([one.low <= 2 <= one.high for one in found])
    assert covered >= 0.95 - 3 * (0.95 * 0.05 / 2_000) ** 0.5  # Clopper-Pearson: at least


def test_days_that_differ_by_chance_have_no_dispersion_and_others_do() -> None:
    rng = np.random.default_rng(2)
    even = [Counted(int(k), 1_000) for k in rng.binomial(1_000, 0.02, 200)]
    rates = rng.gamma(2, 0.01, 200)
    odd = [Counted(int(k), 1_000) for k in rng.binomial(1_000, rates)]
    assert dispersion(even) < 1 + 4 * (2 / 199) ** 0.5
    assert dispersion(odd) > 5
    assert dispersion(even[:4]) == 1
    assert dispersion([Counted(0, 10)] * 9) == 1


def test_a_stability_index_of_the_same_distribution_is_within_chance() -> None:
    rng = np.random.default_rng(3)
    shares, n, m = np.full(10, 0.1), 400, 900
    small = 0
    for _ in range(1_000):
        p, q = rng.multinomial(n, shares) / n, rng.multinomial(m, shares) / m
        index = float(((p - q) * np.log(p / q)).sum())
        small += stability_p(index, n, m, 10) < 0.05
    assert abs(small / 1_000 - 0.05) < 4 * (0.05 * 0.95 / 1_000) ** 0.5
    assert stability_p(0.3, 50, 50, 10) > 0.01  # large, and of few members no finding
    assert stability_p(0.3, 5_000, 5_000, 10) < 1e-9
    assert stability_p(0.3, 0, 50, 10) == 1


def test_a_calibrated_prediction_is_seldom_found_out() -> None:
    rng = np.random.default_rng(4)
    small, covered, runs = 0, 0, 600
    for _ in range(runs):
        chance = rng.beta(1, 20, 2_000)
        member = rng.integers(0, 1_000, 2_000)
        found = told(observed_over_expected(rng.random(2_000) < chance, chance, member))
        small, covered = small + (found.p < 0.05), covered + (found.low <= 1 <= found.high)
    assert small / runs < 0.05 + 4 * (0.05 * 0.95 / runs) ** 0.5
    assert covered / runs > 0.95 - 4 * (0.05 * 0.95 / runs) ** 0.5


def test_what_a_member_does_twice_counts_as_one_surprise() -> None:
    rng = np.random.default_rng(5)
    chance = np.full(1_000, 0.1)
    happened = rng.random(1_000) < 0.13
    once = told(observed_over_expected(happened, chance, np.arange(1_000)))
    twice = told(
        observed_over_expected(
            np.tile(happened, 2), np.tile(chance, 2), np.tile(np.arange(1_000), 2)
        )
    )
    assert twice.ratio == pytest.approx(once.ratio)
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.15)


def test_few_expected_conversions_cannot_say() -> None:
    found = observed_over_expected(np.zeros(50, bool), np.full(50, 0.1), np.arange(50))
    assert found == CannotSay(("5 conversions expected, wanted at least 20",))


def test_nothing_at_all_where_much_was_expected_stands_out() -> None:
    found = told(observed_over_expected(np.zeros(500, bool), np.full(500, 0.1), np.arange(500)))
    assert found.ratio == 0
    assert found.p < 1e-6
    assert found.high < 0.5


def day_and_night(rng: np.random.Generator, level: float = 200) -> list[int]:
    hour = np.arange(HOURS)
    shape = 1 + 0.8 * np.sin(2 * np.pi * hour / 24) + 0.3 * ((hour // 24) % 7 > 4)
    wobble = np.exp(rng.normal(0, 0.15, HOURS))
    return [int(one) for one in rng.poisson(level * shape * wobble)]


def test_an_hour_is_held_against_the_same_hour_of_the_weeks_before() -> None:
    hours = [0] * HOURS
    hours[-1::-168] = [70, 100, 90, 110, 100, 100]
    found = beside_usual(hours, 1)
    assert isinstance(found, Usual)
    assert (found.now, found.usual) == (70, 100)
    assert found.factor == pytest.approx(70.5 / 100.5)


def test_a_quiet_stream_seldom_stands_out_and_a_stop_always() -> None:
    rng = np.random.default_rng(6)
    loud = 0
    for _ in range(100):
        hours = day_and_night(rng)
        for length in (1, 24):
            found = beside_usual(hours, length)
            assert isinstance(found, Usual)
            loud += abs(found.deviations) > 5 and abs(log(found.factor)) > log(2)
        stopped = beside_usual([*hours[:-1], 0], 1)
        assert isinstance(stopped, Usual)
        assert stopped.deviations < -5
    assert loud == 0


def test_one_odd_week_in_the_past_moves_the_usual_little() -> None:
    hours = day_and_night(np.random.default_rng(7))
    odd = list(hours)
    odd[-2 * 168 : -168] = [20 * one for one in odd[-2 * 168 : -168]]
    plain, moved = beside_usual(hours, 24), beside_usual(odd, 24)
    assert isinstance(plain, Usual)
    assert isinstance(moved, Usual)
    assert moved.usual < 1.3 * plain.usual


def test_two_weeks_are_too_few() -> None:
    assert isinstance(beside_usual([10] * 24 * 14, 1), CannotSay)


def test_counts_below_nothing_are_refused() -> None:
    with pytest.raises(WatchingError, match="-1 of 5, wanted 0 or more"):
        Counted(-1, 5)
