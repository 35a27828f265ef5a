"""Allocation: within every limit, near the optimum, and certified."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from decisions.allocation import NOBODY, Limits, allocate
from decisions.errors import DecisionError

FREE = np.inf


def limits(
    budget: float = FREE, audience: float = FREE, stock: tuple[float, ...] = (FREE,)
) -> Limits:
    return Limits(budget, audience, np.array(stock))


def test_prefers_the_better_return_to_the_bigger_gain() -> None:
    gain, cost = np.array([[2000.0], [1000.0]]), np.array([[1000.0], [100.0]])
    assert allocate(gain, cost, limits(budget=1000)).offer.tolist() == [NOBODY, 0]


def test_takes_the_largest_gains_when_only_the_audience_is_limited() -> None:
    gain = np.array([[1.0], [5.0], [3.0], [-2.0]])
    allocation = allocate(gain, np.ones((4, 1)), limits(audience=2))
    assert allocation.offer.tolist() == [NOBODY, 0, 0, NOBODY]
    assert allocation.audience_price == 1.0


def test_a_scarce_offer_goes_to_those_who_would_miss_it_most() -> None:
    gain = np.array([[10.0, 9.0], [10.0, 1.0]])
    allocation = allocate(gain, np.ones((2, 2)), limits(stock=(1, FREE)))
    assert allocation.offer.tolist() == [1, 0]


def test_nobody_gets_an_offer_that_gains_nothing() -> None:
    gain = np.array([[0.0, -1.0], [-np.inf, -np.inf]])
    allocation = allocate(gain, np.ones((2, 2)), limits(stock=(FREE, FREE)))
    assert allocation.offer.tolist() == [NOBODY, NOBODY]
    assert allocation.value == allocation.bound == 0


@pytest.mark.parametrize("budget", [-1.0, float("nan")])
def test_a_budget_below_zero_is_refused(budget: float) -> None:
    with pytest.raises(DecisionError, match="wanted 0 or more"):
        limits(budget=budget)


def random_market(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], Limits]:
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(0, 60)), int(rng.integers(1, 5))
    gain = np.round(rng.normal(1, 3, (n, m)), int(rng.integers(0, 3)))
    gain[rng.random((n, m)) < 0.1] = -np.inf
    cost = np.round(rng.uniform(0, 2, (n, m)), 1)
    stock = np.where(rng.random(m) < 0.5, np.inf, rng.integers(0, 10, m))
    budget = float(rng.choice([0.0, 3.0, 20.0, np.inf]))
    audience = float(rng.choice([0, 5, 20, np.inf]))
    return gain, cost, Limits(budget, audience, stock)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_limit_holds_and_the_bound_is_above_the_value(seed: int) -> None:
    gain, cost, within = random_market(seed)
    allocation = allocate(gain, cost, within)
    chosen = np.flatnonzero(allocation.offer != NOBODY)
    offers = allocation.offer[chosen]
    assert (gain[chosen, offers] > 0).all()
    assert cost[chosen, offers].sum() <= within.budget + 1e-9
    assert len(chosen) <= within.audience
    assert (np.bincount(offers, minlength=len(within.stock)) <= within.stock).all()
    assert allocation.value <= allocation.bound + 1e-6


def optimum(gain: NDArray[np.float64], cost: NDArray[np.float64], within: Limits) -> float:
    """The exact optimum by HiGHS."""
    n, m = gain.shape
    allowed = np.isfinite(gain)
    per_member = np.kron(np.eye(n), np.ones((1, m)))
    rows = [per_member, cost.reshape(1, -1), np.ones((1, n * m)), np.tile(np.eye(m), n)]
    upper = np.r_[np.ones(n), within.budget, within.audience, within.stock]
    constraint = LinearConstraint(np.vstack(rows), -np.inf, upper)
    values = np.where(allowed, gain, 0).ravel()
    solved = milp(
        -values, constraints=constraint, integrality=np.ones(n * m),
        bounds=Bounds(0, allowed.ravel().astype(float)),
    )  # fmt: skip
    return float(-solved.fun)


@pytest.mark.parametrize("seed", range(8))
def test_reaches_the_exact_optimum_up_to_one_contact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gain, cost = rng.normal(1, 3, (150, 3)), rng.uniform(0.1, 2, (150, 3))
    within = Limits(25.0, 60.0, np.array([15.0, np.inf, np.inf]))
    best, found = optimum(gain, cost, within), allocate(gain, cost, within)
    assert found.bound >= best - 1e-6
    assert found.value >= best - gain.max()
    assert found.value >= 0.97 * best
