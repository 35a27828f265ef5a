from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.design import Analysis
from experiments.moments import Moments
from experiments.power import (
    Baseline,
    CannotMeasure,
    PowerError,
    Question,
    Sized,
    curve,
    detectable,
    power_of,
    ratio_baseline,
    reachable,
    size,
)

HALVES = {"control": 0.5, "treated": 0.5}
HUGE = 10**9


def _asked(shares: dict[str, float] | None = None, **analysis: object) -> Question:
    return Question(shares or HALVES, "control", Analysis(**analysis))  # type: ignore[arg-type]


def _sized(found: Sized | CannotMeasure) -> Sized:
    assert isinstance(found, Sized)
    return found


def test_sizes_are_those_of_the_textbook() -> None:
    # Chow, Shao and Wang, Sample Size Calculations in Clinical Research, 2008, 4.2.1: .65 against
    # .85 takes 70 in each arm; 3.2.1: half a standard deviation takes 63.
    shares = Baseline(0.65, 0.2275, HUGE, share=True)
    assert power_of(shares, _asked(), 140, 0.20) == pytest.approx(0.80, abs=0.005)
    means = Baseline(0.0, 1.0, HUGE)
    assert power_of(means, _asked(), 126, 0.5) == pytest.approx(0.80, abs=0.005)
    # .10 against .12: (1.95996 + .84162)² (.09 + .1056) / .02², rounded up.
    found = _sized(size(Baseline(0.10, 0.09, HUGE, share=True), _asked(), 0.02))
    assert found.arms == {"control": 3_839, "treated": 3_839}
    assert found.relative == pytest.approx(0.2)


@pytest.mark.parametrize("relative", [False, True])
def test_simulated_experiments_find_what_was_promised(relative: bool) -> None:
    random, runs, lift = np.random.default_rng(6), 4_000, 0.05
    question = Question({"control": 0.3, "treated": 0.7}, "control", Analysis(), relative)
    found = _sized(size(Baseline(2.0, 4.0, HUGE), question, lift))  # exponential: sd = mean
    n0, n1 = found.arms["control"], found.arms["treated"]
    # Means of exponential values are gamma; their spread is that of the arm's own mean here.
    m0 = random.gamma(n0, 2.0 / n0, runs)
    m1 = random.normal(2.0 + lift, 2.0 / sqrt(n1), runs)
    v0, v1 = 4.0 / n0, 4.0 / n1
    if relative:
        z = (m1 / m0 - 1) / np.sqrt((v1 + (m1 / m0) ** 2 * v0) / m0**2)
    else:
        z = (m1 - m0) / sqrt(v0 + v1)
    assert abs((np.abs(z) >= 1.96).mean() - 0.8) < 4 * sqrt(0.16 / runs)


@given(
    st.floats(0.01, 0.6),
    st.floats(0.001, 0.2),
    st.integers(1, 6),
    st.floats(0.1, 0.9),
)
@settings(max_examples=30)
def test_size_and_lift_are_two_sides_of_one_question(
    mean: float, lift: float, looks: int, share: float
) -> None:
    question = _asked({"control": 1 - share, "treated": share}, looks=looks)
    baseline = Baseline(mean, mean * (1 - mean), HUGE, share=True)
    needed = _sized(size(baseline, question, lift))
    seen = _sized(detectable(baseline, question, needed.members))
    assert seen.lift <= lift * (1 + 1e-9)
    assert power_of(baseline, question, needed.members, lift) >= 0.8 - 1e-9
    more = _sized(size(baseline, question, lift * 1.1))
    assert more.members <= needed.members


@given(st.integers(1, 10), st.integers(1, 4), st.floats(0.0, 0.9))
@settings(max_examples=30)
def test_more_looks_more_arms_and_less_to_go_by_never_take_fewer_members(
    looks: int, arms: int, correlation: float
) -> None:
    def members(looks: int, arms: int, correlation: float) -> int:
        shares = dict.fromkeys(("control", *"abcdefg"[:arms]), 1 / (arms + 1))
        baseline = Baseline(5.0, 900.0, HUGE, correlation=correlation)
        return _sized(size(baseline, _asked(shares, looks=looks), 0.4)).members

    asked = members(looks, arms, correlation)
    assert members(looks + 1, arms, correlation) >= asked
    assert members(looks, arms + 1, correlation) >= asked
    assert members(looks, arms, correlation + 0.05) <= asked
    assert asked == pytest.approx(members(looks, arms, 0) * (1 - correlation**2), abs=1.1)


def test_looking_at_any_time_takes_more_than_a_few_looks() -> None:
    baseline = Baseline(5.0, 900.0, HUGE)
    one, five, always = (
        _sized(size(baseline, _asked(looks=looks, sequential=kind), 1.5))
        for looks, kind in ((1, "group"), (5, "group"), (1, "always"))
    )
    assert one.inflation == 1
    assert five.inflation == pytest.approx(1.025, abs=1e-3)
    assert 1.5 < always.inflation < 2
    assert one.members < five.members < always.members
    # A readout's sequence is tightest at 10,000 members: further off it takes more.
    far = _sized(size(baseline, _asked(sequential="always"), 0.15))
    assert far.inflation > always.inflation
    assert power_of(baseline, _asked(sequential="always"), far.members, 0.15) == pytest.approx(
        0.8, abs=1e-3
    )


def test_days_are_the_coming_of_the_members_and_the_window_of_the_last() -> None:
    at_once = Baseline(5.0, 900.0, HUGE)
    found = _sized(size(at_once, _asked(window_days=14), 0.4))
    assert found.days == 14
    daily = replace(at_once, per_day=1_000.0)
    assert _sized(size(daily, _asked(window_days=14), 0.4)).days == pytest.approx(
        found.members / 1_000 + 14
    )


def test_what_cannot_be_measured_is_told_with_what_can() -> None:
    baseline = Baseline(5.0, 900.0, 20_000, per_day=500.0)
    question = replace(_asked(window_days=14), most_days=30.0)
    found = size(baseline, question, 0.4)
    assert isinstance(found, CannotMeasure)
    assert found.reasons == (
        "it takes 176,600 members; 20,000 can be in it",
        "it takes 367 days at 500 members a day; wanted at most 30",
    )
    assert found.wanted is not None
    assert found.wanted.members == 176_600
    assert found.within_reach is not None
    assert found.within_reach.members == reachable(baseline, question) == 8_000
    assert _sized(size(baseline, question, found.within_reach.lift * 1.001)).days <= 30


def test_nothing_that_varies_nobody_and_impossible_lifts_cannot_be_measured() -> None:
    def reasons(baseline: Baseline, question: Question, lift: float) -> str:
        found = size(baseline, question, lift)
        assert isinstance(found, CannotMeasure)
        return "; ".join(found.reasons)

    asked = _asked()
    assert "nothing varies" in reasons(Baseline(0.0, 0.0, 10_000), asked, 1.0)
    assert "nobody" in reasons(Baseline(1.0, 1.0, 0), asked, 1.0)
    assert "more members than there can be" in reasons(Baseline(1.0, 1.0, 9_000), asked, 0.0)
    assert "stays in 0 to 1" in reasons(Baseline(0.9, 0.09, 9_000, share=True), asked, 0.2)
    relative = replace(asked, relative=True)
    assert "relative to it says nothing" in reasons(Baseline(0.0, 1.0, 9_000), relative, 1.0)
    few = detectable(Baseline(1.0, 1.0, 150), asked)
    assert few == CannotMeasure(("150 members, wanted at least 100 in each arm: 200",))


def test_half_the_members_show_a_lift_larger_by_root_two() -> None:
    found = curve(Baseline(5.0, 900.0, 64_000), _asked(), points=5)
    assert [one.members for one in found] == [4_000, 8_000, 16_000, 32_000, 64_000]
    assert found[0].lift == pytest.approx(4 * found[-1].lift, rel=1e-6)


def test_a_ratio_varies_like_its_linear_form() -> None:
    random = np.random.default_rng(0)
    sends = random.integers(1, 6, 4_000).astype(np.float64)
    margin = 2.0 * sends + random.normal(0, 1, 4_000)
    moments = Moments.of(("margin", "sends"), np.column_stack([margin, sends]))
    found = ratio_baseline(moments, "margin", "sends", 4_000)
    ratio = margin.mean() / sends.mean()
    assert found.mean == pytest.approx(ratio)
    by_hand = np.var((margin - ratio * sends) / sends.mean(), ddof=1)
    assert found.variance == pytest.approx(by_hand)


def test_questions_that_make_no_sense_are_refused() -> None:
    with pytest.raises(PowerError, match="wanted control 'control' and at least one other"):
        _asked({"control": 1.0})
    with pytest.raises(PowerError, match=r"shares add up to 0\.9"):
        _asked({"control": 0.5, "treated": 0.4})
    with pytest.raises(PowerError, match="share of 'treated' is 0"):
        _asked({"control": 1.0, "treated": 0.0})
    with pytest.raises(PowerError, match="mean of a share is 2"):
        Baseline(2.0, 1.0, 10, share=True)
