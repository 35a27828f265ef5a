"""What a plan promises, whether it can be measured, what others promise, and what limits cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.measurable import measurability
from decisions.plan import Plan, Problem, planned, problem_of
from decisions.policy import Prices
from decisions.promise import promise
from decisions.rivals import best_single, rivals
from decisions.words import in_words
from tests.decisions.conftest import Fixed, ask, crowd, offer, push


@dataclass(frozen=True)
class Known:
    """A model whose promises come true by half, more or less."""

    slope: float = 0.5
    error: float = 0.1


def made(
    uplift: list[list[float]], count: int, cost: float = 1.0, **limits: object
) -> tuple[Problem, Plan]:
    names = [f"offer{column}" for column in range(len(uplift[0]))]
    offers = [offer(name, contact_cost=cost) for name in names]
    question = ask(crowd(count), push(offer_ids=names, **limits), *offers)
    problem = problem_of(question, Fixed(np.array(uplift), margin_each=100.0))
    return problem, planned(problem)


def test_a_promise_adds_up_and_is_held_to_what_such_promises_were_worth() -> None:
    problem, plan = made([[0.05]], 10)
    told = promise(problem.candidates, plan.decisions, Known())
    assert (told.members, told.contacts) == (10, 10)
    assert told.orders == pytest.approx(0.5)
    assert told.cost == pytest.approx(10)
    assert told.gain == pytest.approx(10 * 4)
    # Half of the 5 of margin each comes true, the cost of 1 does in full.
    assert told.calibrated == pytest.approx(10 * 1.5)
    assert told.interval is not None
    low, high = told.interval
    # Chance: p (1 - p) 100² each, p = .15; of the model: .1 of 50.
    error = np.sqrt(10 * 0.15 * 0.85 * 100**2 + 5**2)
    assert (high - low) / 2 == pytest.approx(1.6449 * error, rel=1e-4)
    assert told.evidence == {"modelled": 10}


def test_nothing_is_said_of_how_sure_an_assumption_is() -> None:
    problem, plan = made([[0.05]], 10)
    told = promise(problem.candidates, plan.decisions, None)
    assert told.calibrated is None
    assert told.interval is None


def test_a_holdout_too_small_says_what_size_would_do() -> None:
    problem, plan = made([[0.02]], 400, holdout=0.2)
    found = measurability(problem.candidates, plan.decisions.option, plan.withheld)
    assert not found.measurable
    assert found.wanted is not None
    assert "cannot be measured at this audience size" in found.verdict
    problem, plan = made([[0.02]], round(1.3 * found.wanted / 0.8), holdout=0.2)
    enough = measurability(problem.candidates, plan.decisions.option, plan.withheld)
    assert enough.measurable
    assert enough.verdict.startswith("can be measured")


def test_the_size_said_to_do_shows_an_effect_as_often_as_said() -> None:
    problem, plan = made([[0.02]], 400, holdout=0.2)
    found = measurability(problem.candidates, plan.decisions.option, plan.withheld)
    assert found.wanted is not None
    rng = np.random.default_rng(5)
    sent, held = found.wanted, round(found.wanted * found.held / found.sent)
    treated = 100 * rng.binomial(sent, 0.12, 4000) / sent - 1
    control = 100 * rng.binomial(held, 0.1, 4000) / held
    error = np.sqrt(1e4 * 0.12 * 0.88 / sent + 1e4 * 0.1 * 0.9 / held)
    assert ((treated - control) / error > 1.96).mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("uplift", "holdout", "verdict"),
    [(0.05, 0.0, "nobody is held out"), (-0.05, 0.5, "nobody is sent anything")],
)
def test_what_can_never_be_measured_says_why(uplift: float, holdout: float, verdict: str) -> None:
    problem, plan = made([[uplift]], 200, holdout=holdout)
    found = measurability(problem.candidates, plan.decisions.option, plan.withheld)
    assert found.wanted is None
    assert not found.measurable
    assert verdict in found.verdict


def test_a_ranking_is_followed_to_the_size_or_the_budget_with_the_best_single_offer() -> None:
    problem, _ = made([[0.02, 0.04], [0.05, 0.03], [0.01, 0.06], [0.03, 0.03]], 4)
    candidates = problem.candidates
    assert best_single(candidates, np.ones(4, dtype=bool)) == 1
    rank = np.array([1.0, 4.0, 3.0, 2.0])
    found = rivals(candidates, {"by rank": rank, "nobody": np.full(4, -np.inf)}, 3, 2.5)
    assert found["by rank"].members == 2
    assert found["by rank"].gain == pytest.approx((3 - 1) + (6 - 1))
    assert found["by rank"].cost == pytest.approx(2)
    assert found["nobody"].members == 0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), budget=st.floats(0, 30), size=st.integers(0, 40))
def test_no_ranking_promises_more_than_the_plan(seed: int, budget: float, size: int) -> None:
    rng = np.random.default_rng(seed)
    uplift = rng.normal(0.01, 0.03, (40, 2)).tolist()
    problem, plan = made(uplift, 40, budget=budget, max_audience=size)
    rank = rng.random(40)
    found = rivals(problem.candidates, {"random": rank}, size, budget)["random"]
    assert found.gain <= plan.bound + 1e-6
    assert found.cost <= budget + 1e-6


def test_prices_are_told_in_words() -> None:
    wanted = push(offer_ids=["ten"], budget=100, min_audience=5)
    prices = Prices(
        budget=1.42, audience=-0.3, offers={"ten": 0.05}, segments={'tier == "gold"': -0.2}
    )
    assert in_words(wanted, prices) == (
        "100 more budget earns 142",
        "min_audience costs: 100 fewer members in the audience earn 30",
        "100 more contacts with offer ten earn 5",
        'its floor costs: 100 fewer members where tier == "gold" earn 20',
    )
    assert in_words(push(), Prices()) == ()
