"""The plan of a push: inside its limits, in step with single decisions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.decide import decide
from decisions.errors import DecisionError
from decisions.infeasible import Infeasible
from decisions.plan import plan
from decisions.policy import Policy
from tests.decisions.conftest import Fixed, ask, crowd, members, offer, push


def test_the_budget_goes_to_those_whom_the_push_changes_most() -> None:
    wanted = push(budget=2.0)
    planned = plan(
        ask(crowd(4), wanted, offer("ten", contact_cost=1)),
        Fixed(np.array([[0.02], [0.05], [-0.03], [0.04]])),
    )
    assert planned.ranking.tolist() == [1, 3]
    assert planned.funnel.members == {"sent": 2, "budget_spent": 1, "no_positive_gain": 1}
    assert planned.gain == pytest.approx(4 + 3)
    assert planned.cost == 2.0


def test_single_decisions_at_the_plans_prices_agree_with_the_plan() -> None:
    rng = np.random.default_rng(3)
    wanted = push(budget=40.0, offer_ids=["ten", "twenty"], exploration=0.05, holdout=0.1)
    offers = (offer("ten", contact_cost=0.5), offer("twenty", contact_cost=1))
    guess = Fixed(rng.normal(0.01, 0.02, (500, 2)))
    planned = plan(ask(crowd(500), wanted, *offers), guess)
    single = decide(ask(crowd(500), wanted, *offers, prices=planned.prices), guess)
    assert (single.offer == planned.decisions.offer).mean() > 0.99
    same = single.offer == planned.decisions.offer
    assert (single.probability == planned.decisions.probability)[same].all()


@pytest.mark.parametrize("exploration", [0.0, 0.2])
def test_the_gain_is_near_its_bound_and_never_above_with_exploration_too(
    exploration: float,
) -> None:
    rng = np.random.default_rng(4)
    wanted = push(budget=150.0, exploration=exploration)
    gains = Fixed(rng.normal(0.02, 0.02, (500, 1)))
    planned = plan(ask(crowd(500), wanted, offer("ten", contact_cost=0.5)), gains)
    assert planned.gain <= planned.gain_bound + 1e-9
    assert planned.gain == pytest.approx(planned.gain_bound, rel=0.02)


def test_a_contact_that_pulls_the_return_of_the_whole_push_too_low_is_not_made() -> None:
    wanted = push(min_return=3.5)  # gains of 2 and 4 at a cost of 1 each: 3 together
    planned = plan(
        ask(crowd(2), wanted, offer("ten", contact_cost=1)), Fixed(np.array([[0.03], [0.05]]))
    )
    assert planned.ranking.tolist() == [1]


def test_exploration_that_breaks_the_budget_is_refused_with_its_size() -> None:
    wanted = push(budget=3.0, exploration=0.5)
    with pytest.raises(DecisionError, match="exploration of 50% in push 'spring' alone sends"):
        plan(ask(crowd(200), wanted, offer("ten", contact_cost=1)), Fixed(np.full((200, 1), 0.1)))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    budget=st.floats(0, 50),
    size=st.integers(0, 60),
    stock=st.integers(0, 30),
)
def test_no_plan_breaks_its_budget_its_size_or_its_stock(
    seed: int, budget: float, size: int, stock: int
) -> None:
    rng = np.random.default_rng(seed)
    wanted = push(budget=budget, max_audience=size, offer_ids=["ten", "gift"], holdout=0.1)
    offers = (offer("ten", contact_cost=0.7), offer("gift", contact_cost=1, stock=stock))
    planned = plan(ask(crowd(80), wanted, *offers), Fixed(rng.normal(0.01, 0.03, (80, 2))))
    sent = planned.decisions.offer[planned.ranking]
    assert planned.cost <= budget + 1e-9
    assert len(sent) <= size
    assert (sent == 1).sum() <= stock
    assert sum(planned.funnel.members.values()) == 80
    assert "holdout" not in np.array(planned.decisions.reason)[planned.ranking]


def test_every_limit_of_a_push_holds_and_its_price_is_told() -> None:
    rng = np.random.default_rng(11)
    people = members(*[(1, 10 * (row % 10), row % 2) for row in range(400)])
    wanted = push(
        offer_ids=["ten", "gift"],
        channels=["email"],
        budget=90,
        min_return=1.5,
        exploration=0.05,
        limits={
            "offer_caps": {"ten": 60},
            "offer_floors": {"gift": 20},
            "channel_caps": {"email": 30},
            "segment_floors": {'lifecycle == "slipping"': 40},
        },
    )
    offers = (offer("ten", contact_cost=0.5), offer("gift", contact_cost=1.0))
    policy = Policy("salt", consent_when_missing=True, channel_costs={"email": 0.2})
    planned = plan(
        ask(people, wanted, *offers, policy=policy), Fixed(rng.normal(0.01, 0.02, (400, 2)))
    )
    sent = planned.decisions.option[planned.ranking, 0]
    assert planned.cost <= 90
    assert planned.gain >= 1.5 * planned.cost
    assert (sent % 2 == 0).sum() <= 60
    assert (sent % 2 == 1).sum() >= 20
    assert (sent >= 2).sum() <= 30
    assert people.values[planned.ranking, 2].sum() >= 40
    assert planned.gain <= planned.gain_bound + 1e-6
    assert set(planned.prices.offers) <= {"ten", "gift"}


def test_limits_that_cannot_hold_together_are_named_with_their_push() -> None:
    wanted = push(limits={"offer_floors": {"ten": 30}, "channel_caps": {"push": 20}})
    with pytest.raises(Infeasible, match=r"limits of push 'spring' conflict: .*offer ten"):
        plan(ask(crowd(100), wanted), Fixed(np.full((100, 1), 0.1)))


def test_a_member_gets_no_more_than_the_push_allows_one_member() -> None:
    wanted = push(offer_ids=["a", "b", "c"], max_audience=10, limits={"per_member": 2})
    offers = [offer(name) for name in "abc"]
    guess = Fixed(np.tile([0.03, 0.02, 0.01], (20, 1)))
    planned = plan(ask(crowd(20), wanted, *offers), guess)
    assert len(planned.ranking) == 10
    assert (planned.decisions.option[planned.ranking] == [0, 1]).all()
    assert planned.gain == pytest.approx(10 * 5)


def test_a_push_to_nobody_is_an_empty_plan() -> None:
    planned = plan(ask(crowd(0), push(budget=5.0)), Fixed(np.zeros((0, 1))))
    assert planned.funnel.members == {}
    assert planned.gain == planned.cost == 0
