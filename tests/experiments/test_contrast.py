"""Two arms compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from experiments.contrast import Lift, Side, Untold, lift, sides
from experiments.moments import Moments

Y = ("y",)


def both(arm: dict[int, list[float]], control: dict[int, list[float]]) -> tuple[Side, Side]:
    """Of values by epoch."""
    moments = [
        {epoch: Moments.of(Y, np.array(found)[:, None]) for epoch, found in one.items()}
        for one in (arm, control)
    ]
    found = sides(*moments)
    assert not isinstance(found, Untold)
    return found


def told(found: Lift | Untold) -> Lift:
    assert isinstance(found, Lift)
    return found


def test_a_difference_and_its_error_by_hand() -> None:
    # Variances 4 and 1 of 3 members each: 4/3 + 1/3 = 5/3; df = (5/3)² / ((4/3)²/2 + (1/3)²/2).
    found = told(lift("y", *both({0: [6, 8, 10]}, {0: [4, 5, 6]})))
    assert (found.arm, found.control, found.difference.value) == pytest.approx((8, 5, 3))
    assert found.error**2 == pytest.approx(5 / 3)
    assert found.df == pytest.approx(50 / 17)


def test_one_epoch_is_the_test_of_welch() -> None:
    rng = np.random.default_rng(5)
    arm, control = rng.exponential(3, 400), rng.exponential(2, 150)
    found = told(lift("y", *both({0: arm.tolist()}, {0: control.tolist()})))
    reference = ttest_ind(arm, control, equal_var=False)
    interval = reference.confidence_interval(0.95)
    assert found.p == pytest.approx(reference.pvalue, abs=1e-12)
    assert found.df == pytest.approx(reference.df)
    assert (found.difference.low, found.difference.high) == pytest.approx(tuple(interval))


def test_a_change_of_shares_half_way_does_not_pass_for_an_effect() -> None:
    """Members of the second epoch spend more, and most are in the arm: Simpson's paradox."""
    rng = np.random.default_rng(6)
    arm = {0: rng.normal(10, 3, 100).tolist(), 1: rng.normal(20, 3, 900).tolist()}
    control = {0: rng.normal(10, 3, 900).tolist(), 1: rng.normal(20, 3, 100).tolist()}
    found = told(lift("y", *both(arm, control)))
    naive = np.mean([*arm[0], *arm[1]]) - np.mean([*control[0], *control[1]])
    assert naive > 7
    assert found.difference.low < 0 < found.difference.high
    assert found.error < 0.3


def test_an_epoch_in_which_an_arm_had_nobody_is_left_out() -> None:
    found = told(lift("y", *both({1: [6, 8, 10]}, {0: [90, 95, 99], 1: [4, 5, 6]})))
    assert found.difference.value == pytest.approx(3)


def test_arms_that_were_never_there_together_cannot_be_compared() -> None:
    moments = Moments.of(Y, np.ones((5, 1)))
    found = sides({0: moments}, {1: moments})
    assert isinstance(found, Untold)
    assert found.reason == "no_members"


def test_members_who_all_did_the_same_tell_nothing() -> None:
    found = lift("y", *both({0: [0.1] * 50}, {0: [0.1] * 70}))
    assert isinstance(found, Untold)
    assert found.reason == "nothing_varies"


def test_a_relative_lift_is_withheld_where_the_control_may_as_well_be_at_0() -> None:
    found = told(lift("y", *both({0: [5, 6, 7, 8]}, {0: [-1, 0, 1, 2]})))
    assert isinstance(found.relative, Untold)
    assert found.relative.reason == "not_from_zero"


def test_a_relative_lift_by_hand() -> None:
    # 8 / 5 − 1; variance (4/3 + 1.6² / 3) / 25.
    found = told(lift("y", *both({0: [6, 8, 10]}, {0: [4, 5, 6]})))
    assert not isinstance(found.relative, Untold)
    wide = (found.difference.high - found.difference.value) / found.error
    assert found.relative.value == pytest.approx(0.6)
    assert found.relative.high - found.relative.value == pytest.approx(
        wide * np.sqrt((4 / 3 + 1.6**2 / 3) / 25)
    )


MONEY = st.lists(
    st.integers(-(10**6), 10**6).map(lambda cents: cents / 100), min_size=2, max_size=20
)


@given(MONEY, MONEY)
def test_swapping_the_arms_turns_the_sign(arm: list[float], control: list[float]) -> None:
    one, other = (lift("y", *both({0: a}, {0: b})) for a, b in ((arm, control), (control, arm)))
    assert type(one) is type(other)
    if isinstance(one, Lift) and isinstance(other, Lift):
        assert one.difference.value == -other.difference.value
        assert one.difference.low == pytest.approx(-other.difference.high)
        assert one.p == pytest.approx(other.p)
