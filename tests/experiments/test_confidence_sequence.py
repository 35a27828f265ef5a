from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.confidence_sequence import (
    LEAST_MEMBERS,
    Band,
    SequenceError,
    band,
    difference_band,
    mean_band,
    standard_errors,
)
from experiments.moments import Moments
from experiments.panel import CannotSay

LOOKS, A_LOOK, RUNS = 28, 200, 1_000


def test_width_is_that_of_the_paper() -> None:
    # Waudby-Smith et al., equation (9), by hand: the mean of n values with rho.
    members, planned, alpha = 500, 2_000, 0.05
    grown = members / planned * 8.211_968  # −W₋₁(−alpha² / e) − 1 at .05
    by_hand = sqrt(2 * (grown + 1) / (members * grown) * log(sqrt(grown + 1) / alpha))
    found = mean_band(members, 3.0, 1.0, planned, alpha)
    assert isinstance(found, Band)
    assert found.high - 3.0 == pytest.approx(by_hand, rel=1e-6)
    # The paper's closed form of the same choice: −2 ln alpha + ln(−2 ln alpha) + 1, near it.
    assert abs(-2 * log(alpha) + log(-2 * log(alpha)) + 1 - 8.212) < 0.6


@given(st.floats(0.01, 20), st.floats(0.001, 0.3))
def test_it_is_never_narrower_than_a_fixed_interval_nor_than_at_the_planned_size(
    share: float, alpha: float
) -> None:
    from scipy.stats import norm

    wide = standard_errors(share * 1e4, 1e4, alpha)
    assert wide >= standard_errors(1e4, 1e4, alpha) - 1e-9
    assert wide > norm.ppf(1 - alpha / 2)


@given(st.floats(-8, 8), st.floats(0.01, 20), st.floats(0.001, 0.3))
def test_p_is_under_alpha_where_the_band_leaves_zero_out(
    z: float, share: float, alpha: float
) -> None:
    found = band(z, 1.0, int(share * 1e4), 1e4, alpha)
    if abs(found.p - alpha) > 1e-9:
        assert (found.p < alpha) == (found.low > 0 or found.high < 0)
    assert 0 <= found.p <= 1


def test_looked_at_28_times_it_raises_few_false_alarms_where_a_fixed_test_raises_many() -> None:
    random = np.random.default_rng(4)
    size = (2, RUNS, LOOKS, A_LOOK)
    spend = random.exponential(20.0, size) * (random.random(size) < 0.3)
    mean = spend.mean(axis=3).cumsum(axis=2) / np.arange(1, LOOKS + 1)
    square = (spend**2).mean(axis=3).cumsum(axis=2) / np.arange(1, LOOKS + 1)
    members = A_LOOK * np.arange(1, LOOKS + 1)
    error = np.sqrt(((square - mean**2) / members).sum(axis=0))
    z = np.abs((mean[1] - mean[0]) / error)
    wide = [standard_errors(2 * n, 2 * A_LOOK * LOOKS) for n in members.tolist()]
    assert (z >= wide).any(axis=1).mean() <= 0.05
    assert (z >= 1.96).any(axis=1).mean() > 0.15


def test_a_difference_comes_from_the_moments_of_two_arms() -> None:
    random = np.random.default_rng(1)
    control, treated = (
        Moments.of(("margin",), random.normal(mean, 1.0, (5_000, 1))) for mean in (1.0, 1.2)
    )
    found = difference_band(treated, control, "margin", planned=10_000)
    assert isinstance(found, Band)
    assert found.low < 0.2 < found.high
    assert found.low > 0
    assert found.wide == pytest.approx(3.035, abs=1e-3)
    back = difference_band(control, treated, "margin", planned=10_000)
    assert isinstance(back, Band)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_too_few_members_and_nothing_that_varies_are_told() -> None:
    few = mean_band(LEAST_MEMBERS - 1, 1.0, 1.0, 1_000)
    assert few == CannotSay(("99 members in the sample, wanted at least 100",))
    same = Moments.of(("margin",), np.zeros((500, 1)))
    found = difference_band(same, same, "margin", 1_000)
    assert found == CannotSay(("all members did the same: nothing varies",))


def test_numbers_that_none_can_have_are_refused() -> None:
    with pytest.raises(SequenceError, match="standard error is 0"):
        band(1.0, 0.0, 500, 1_000)
    with pytest.raises(SequenceError, match="planned members are 0"):
        standard_errors(10, 0)
    with pytest.raises(SequenceError, match="alpha is 1"):
        standard_errors(10, 10, 1.0)
