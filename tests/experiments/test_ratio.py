"""Ratios of totals, and return on cost."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.cells import NAMES
from experiments.contrast import Estimate, Lift, Side, Untold, sides
from experiments.design import Analysis
from experiments.figures import incremental
from experiments.moments import Moments
from experiments.ratio import ratio_lift, return_on_cost
from tests.experiments.members import values


def pair(arm: np.ndarray, control: np.ndarray) -> tuple[Side, Side]:
    found = sides({0: Moments.of(NAMES, arm)}, {0: Moments.of(NAMES, control)})
    assert not isinstance(found, Untold)
    return found


def sent(rng: np.random.Generator, count: int, taste: float = 1.0) -> np.ndarray:
    """Members whose sends are alike: each has a margin per send of their own."""
    sends = 1.0 + rng.poisson(3, count)
    margin = sends * rng.gamma(1, taste, count) + rng.normal(0, 1, count)
    return values(count, margin=margin, sends=sends)


def test_margin_per_send_is_the_ratio_of_the_totals() -> None:
    arm = values(3, margin=np.array([10.0, 0, 2]), sends=np.array([2.0, 1, 1]))
    control = values(3, margin=np.array([3.0, 1, 2]), sends=np.array([1.0, 2, 1]))
    found = ratio_lift("margin_per_send", *pair(arm, control))
    assert isinstance(found, Lift)
    assert (found.arm, found.control) == pytest.approx((12 / 4, 6 / 4))
    # By hand, control: residuals margin − 1.5 sends are 1.5, −2, .5: 6.5 / 2 / 3 / (4/3)².
    # Arm: residuals margin − 3 sends are 4, −3, −1: 26 / 2 / 3 / (4/3)².
    assert found.error**2 == pytest.approx((26 + 6.5) / 2 / 3 / (4 / 3) ** 2)


def test_the_member_is_the_unit_and_not_the_send() -> None:
    """A test that takes each send for one of its own covers the truth far too rarely."""
    rng = np.random.default_rng(7)
    ours = naive = 0
    for _ in range(600):
        tables = sent(rng, 250), sent(rng, 250)
        found = ratio_lift("margin_per_send", *pair(*tables))
        assert isinstance(found, Lift)
        ours += found.difference.low <= 0 <= found.difference.high
        wide = 1.96 * np.sqrt(sum(_per_send(table) for table in tables))
        naive += abs(found.difference.value) <= wide
    assert ours / 600 == pytest.approx(0.95, abs=3.5 * np.sqrt(0.05 * 0.95 / 600))
    assert naive / 600 < 0.85


def _per_send(table: np.ndarray) -> float:
    """Variance of the mean over sends, as if they were independent."""
    margin, sends = (table[:, NAMES.index(name)] for name in ("margin", "sends"))
    each = np.repeat(margin / sends, sends.astype(int))
    return float(each.var(ddof=1) / len(each))


def test_a_holdout_that_gets_no_sends_has_no_margin_per_send() -> None:
    rng = np.random.default_rng(8)
    found = ratio_lift("margin_per_send", *pair(sent(rng, 200), values(200, margin=1.0)))
    assert isinstance(found, Untold)
    assert found.reason == "not_from_zero"


def test_return_on_cost_is_incremental_gain_by_incremental_cost() -> None:
    rng = np.random.default_rng(9)
    cost = 0.1 + 0.2 * rng.random(5000)
    arm = values(5000, gain=1 - cost + rng.normal(0, 2, 5000), cost=cost)
    holdout = values(5000, gain=rng.normal(0, 2, 5000))
    found = return_on_cost(*pair(arm, holdout))
    assert isinstance(found, Estimate)
    gain = arm[:, NAMES.index("gain")].mean() - holdout[:, NAMES.index("gain")].mean()
    assert found.value == pytest.approx(gain / cost.mean())
    assert found.low < 0.8 / 0.2 < found.high


def test_the_interval_of_a_return_covers_it() -> None:
    rng = np.random.default_rng(10)
    covered = 0
    for _ in range(600):
        cost = rng.exponential(0.3, 300) * (rng.random(300) < 0.2)
        arm = values(300, gain=2 * cost + rng.normal(0, 0.5, 300), cost=cost)
        found = return_on_cost(*pair(arm, values(300, gain=rng.normal(0, 0.5, 300))))
        assert isinstance(found, Estimate)
        covered += found.low <= 2 <= found.high
    assert covered / 600 == pytest.approx(0.95, abs=3.5 * np.sqrt(0.05 * 0.95 / 600))


def test_an_arm_that_costs_no_more_has_no_return() -> None:
    rng = np.random.default_rng(11)
    arm, control = (values(300, gain=rng.normal(0, 1, 300), cost=rng.random(300)) for _ in "ab")
    assert isinstance(return_on_cost(*pair(arm, control)), Untold)


def test_costs_that_are_alike_for_all_are_no_return_of_trillions() -> None:
    """Means of .05 over unequal numbers of members differ in their last digit."""
    rng = np.random.default_rng(13)
    arm, control = (
        values(count, gain=rng.normal(2 - count / 999, 1, count), cost=np.full(count, 0.05))
        for count in (911, 1303)
    )
    both = pair(arm, control)
    assert isinstance(return_on_cost(*both), Untold)
    assert incremental(both, 911, Analysis()).cost == Estimate(0.0, 0.0, 0.0)
