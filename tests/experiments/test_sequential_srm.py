from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import dirichlet_multinomial, multinomial

from experiments.sequential_srm import (
    ALARM,
    CONCENTRATIONS,
    SequentialSrmError,
    sequential_srm,
)

HALVES = {"control": 0.5, "treated": 0.5}
FOUR = {"champion": 0.4, "challenger": 0.3, "random": 0.2, "holdout": 0.1}


def _p(counts: list[int], earlier: float = 1.0) -> float:
    return sequential_srm(dict(zip(HALVES, counts, strict=True)), HALVES, earlier).p


@given(st.lists(st.integers(0, 4_000), min_size=4, max_size=4))
def test_p_is_the_ratio_of_the_chances_of_the_counts(counts: list[int]) -> None:
    found = sequential_srm(dict(zip(FOUR, counts, strict=True)), FOUR)
    members, shares = sum(counts), np.array(list(FOUR.values()))
    as_set = multinomial.logpmf(counts, members, shares)
    others = [dirichlet_multinomial.logpmf(counts, k * shares, members) for k in CONCENTRATIONS]
    other = logsumexp(others) - np.log(len(CONCENTRATIONS))
    assume(as_set - other > -700)  # beyond, p is 0 to a float
    assert np.log(found.p) == pytest.approx(min(0.0, as_set - other), abs=1e-4)


def test_watched_daily_for_a_hundred_days_it_raises_few_false_alarms() -> None:
    random, runs, alpha = np.random.default_rng(2), 500, 0.05
    control = random.binomial(1_000, 0.5, (runs, 100)).cumsum(axis=1)
    ever = 0
    for run in control.tolist():
        p = 1.0
        for day, count in enumerate(run, 1):
            p = _p([count, 1_000 * day - count], p)
        ever += p < alpha
    assert ever / runs <= alpha


def test_a_lost_arm_shows_within_a_few_thousand_members() -> None:
    assert sequential_srm({"control": 1_650, "treated": 1_350}, HALVES).alarm
    assert sequential_srm({"control": 75_900, "treated": 74_100}, HALVES).alarm
    assert not sequential_srm({"control": 1_520, "treated": 1_480}, HALVES).alarm
    assert sequential_srm({"control": 40}, HALVES).alarm  # nobody in the other arm


def test_an_alarm_does_not_pass() -> None:
    alarmed = sequential_srm({"control": 1_700, "treated": 1_300}, HALVES)
    later = sequential_srm({"control": 20_000, "treated": 20_000}, HALVES, alarmed.p)
    assert later.alarm
    assert later.p == alarmed.p < ALARM


def test_nobody_is_no_mismatch() -> None:
    found = sequential_srm({}, HALVES)
    assert (found.p, found.alarm) == (1.0, False)
    assert found.expected == {"control": 0.0, "treated": 0.0}


def test_arms_without_a_share_and_shares_that_are_none_are_refused() -> None:
    with pytest.raises(SequentialSrmError, match="members in other, which has no share"):
        sequential_srm({"other": 1}, HALVES)
    with pytest.raises(SequentialSrmError, match=r"add up to 0\.9"):
        sequential_srm({}, {"control": 0.5, "treated": 0.4})
    with pytest.raises(SequentialSrmError, match="share of 'b' is 0"):
        sequential_srm({}, {"a": 1.0, "b": 0.0})
    with pytest.raises(SequentialSrmError, match="-1 members in 'control'"):
        sequential_srm({"control": -1}, HALVES)
