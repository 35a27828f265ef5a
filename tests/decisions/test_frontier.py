"""The frontier: what more, or less, money would bring."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.frontier import frontier
from decisions.infeasible import Infeasible
from decisions.plan import Problem, planned, problem_of
from tests.decisions.conftest import Fixed, ask, crowd, offer, push


@dataclass(frozen=True)
class Measured:
    slope: float
    error: float


def problem(uplift: object, costs: tuple[float, ...], **changes: object) -> Problem:
    """A conversion is worth 100, so that an uplift of .01 earns 1 before cost."""
    names = [f"o{number}" for number in range(len(costs))]
    offers = [offer(name, contact_cost=cost) for name, cost in zip(names, costs, strict=True)]
    gains = np.asarray(uplift, dtype=np.float64)
    return problem_of(
        ask(crowd(len(gains)), push(offer_ids=names, **changes), *offers), Fixed(gains)
    )


def random_problem(seed: int, members: int, **changes: object) -> Problem:
    uplift = np.random.default_rng(seed).normal(0.005, 0.01, (members, 3))
    return problem(uplift, (0.1, 0.2, 0.3), **changes)


def test_the_largest_profit_and_the_largest_return_differ() -> None:
    # 100 spent gain 1,000; another 900 gain another 1,000.
    found = frontier(problem([[1.1, -1], [-1, 1.9]], (10, 90), budget=10), None)
    profit = found.points[found.largest_profit]
    assert profit.cost == pytest.approx(100)
    assert profit.gain == pytest.approx(200)
    assert found.largest_return is not None
    best = found.points[found.largest_return]
    assert best.cost == pytest.approx(10, rel=1e-3)
    assert best.gain == pytest.approx(100, rel=1e-3)


def test_the_point_at_the_pushs_own_budget_is_the_plan() -> None:
    asked = random_problem(1, 3000, budget=150.0, exploration=0.03, holdout=0.1)
    own = next(one for one in frontier(asked, None).points if one.limit == pytest.approx(150))
    made = planned(asked)
    assert own.gain == pytest.approx(made.gain, rel=0.005)
    assert own.cost == pytest.approx(made.cost, rel=0.005)
    assert own.members == pytest.approx(len(made.ranking), rel=0.01)
    assert own.price == pytest.approx(made.prices.budget, rel=0.1)


def test_a_floor_makes_the_curve_begin_where_it_can_be_met() -> None:
    asked = random_problem(2, 1000, budget=100.0, limits={"offer_floors": {"o2": 100}})
    found = frontier(asked, None)
    assert found.points[0].cost == pytest.approx(100 * 0.3, rel=0.01)
    assert found.points[0].members == pytest.approx(100, abs=1)


def test_where_nothing_costs_anything_the_audience_grows() -> None:
    free = frontier(problem(np.linspace(-0.01, 0.03, 400)[:, None], (0.0,)), None)
    assert free.along == "members"
    assert free.points[0].members == pytest.approx(0, abs=1)
    assert free.points[-1].members == pytest.approx(300, abs=3)
    assert free.points[-1].gain_per_cost is None


def test_the_interval_scales_the_effect_and_not_the_cost() -> None:
    asked = problem(np.full((50, 1), 0.05), (1.0,), budget=20.0)
    own = next(p for p in frontier(asked, Measured(0.5, 0.0)).points if p.limit == 20)
    assert own.gain == pytest.approx(20 * 4, rel=1e-3)
    assert own.calibrated == pytest.approx(20 * 1.5, rel=1e-3)
    width = 1.645 * np.sqrt(20 * 0.15 * 0.85 * 100**2)
    assert own.interval == pytest.approx((30 - width, 30 + width), rel=1e-2)


def test_it_is_written_as_json() -> None:
    found = frontier(random_problem(4, 200), Measured(1.0, 0.1))
    text = json.loads(json.dumps(found.to_json()))
    assert text["points"][-1]["gain"] == found.points[-1].gain
    assert text["points"][0]["return"] is None


@pytest.mark.parametrize("members", [0, 20])
def test_a_push_to_nobody_has_a_frontier_of_nothing(members: int) -> None:
    nobody = problem(np.full((members, 1), 0.05), (1.0,), eligibility="recency_days > 1000")
    found = frontier(nobody, None)
    assert all(point.gain == point.cost == 0 for point in found.points)
    assert found.largest_return is None


def test_a_push_that_no_budget_makes_possible_is_refused() -> None:
    asked = random_problem(5, 200, limits={"offer_floors": {"o0": 150, "o1": 150}})
    with pytest.raises(Infeasible, match="the limits conflict"):
        frontier(asked, None)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.booleans())
def test_more_money_never_gains_less_and_each_further_unit_no_more(
    seed: int, members: int, capped: bool
) -> None:
    limits = {"limits": {"offer_caps": {"o0": members // 5}}} if capped else {}
    problem = random_problem(seed, members, **limits)
    points = frontier(problem, None, points=9).points
    gain, limit = (np.array([getattr(p, name) for p in points]) for name in ("gain", "limit"))
    # Where nothing is worth sending, what is left is the draws' softness: a share of the spread.
    most = max(float(np.abs(gain).max()), float(problem.candidates.gain.std()), 1e-9)
    assert (np.diff(gain) >= -1e-3 * most).all()
    # Concave: no point lies below the line between its neighbours.
    if len(points) > 2:
        left, right = np.diff(limit)[:-1], np.diff(limit)[1:]
        line = (gain[:-2] * right + gain[2:] * left) / (left + right)
        assert (gain[1:-1] >= line - 2e-3 * most).all()
