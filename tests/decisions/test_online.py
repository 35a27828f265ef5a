"""Single decisions: like the plan's while enough is left, honest about chances when it is not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.online import best_first, one_by_one, over, shuffled
from benchmarks.paced_push import PUSH, Shape, market
from decisions.decide import decide
from decisions.exploration import NO_SEND
from decisions.online import decide_online
from decisions.pacing import CONTACTS, MONEY, UNIT, Terms
from decisions.policy import Prices
from tests.decisions.conftest import Fixed, ask, crowd, offer, push

TWO = (offer("ten", contact_cost=1.0), offer("twenty", contact_cost=3.0))


def uplifts(n: int) -> Fixed:
    """Of both offers: ``twenty`` gains more, and costs more."""
    return Fixed(np.array([[0.03, 0.07]]))


def test_with_enough_left_the_answer_is_that_of_decide() -> None:
    wanted = ask(
        crowd(500), push(offer_ids=["ten", "twenty"], exploration=0.3, holdout=0.1), *TWO,
        prices=Prices(budget=0.5),
    )  # fmt: skip
    plenty = Terms(wanted.prices, {MONEY: 10 * UNIT, CONTACTS: 1, "offer:ten": 1})
    online = decide_online(wanted, uplifts(500), plenty)
    whole = decide(wanted, uplifts(500))
    assert online.decisions.offer.tolist() == whole.offer.tolist() == online.planned.tolist()
    assert online.decisions.probability.tolist() == whole.probability.tolist()
    assert online.decisions.reason == whole.reason


def test_what_cannot_be_paid_any_more_falls_to_the_next_best() -> None:
    wanted = ask(crowd(1), push(offer_ids=["ten", "twenty"]), *TWO)
    for left in ({MONEY: 3 * UNIT - 1}, {"offer:twenty": 0}):
        online = decide_online(wanted, uplifts(1), Terms(wanted.prices, left))
        assert online.decisions.offer.tolist() == [0]
        assert online.planned.tolist() == [1]


@pytest.mark.parametrize("left", [{MONEY: UNIT - 1}, {CONTACTS: 0}, {"channel:push": 0}])
def test_where_nothing_is_left_nothing_is_sent_for_certain(left: dict[str, int]) -> None:
    wanted = ask(crowd(200), push(offer_ids=["ten", "twenty"], exploration=0.5, holdout=0.2), *TWO)
    online = decide_online(wanted, uplifts(200), Terms(wanted.prices, left)).decisions
    assert (online.offer == NO_SEND).all()
    assert (online.probability == 1.0).all()
    assert set(online.reason) == {"budget_spent", "holdout"}
    held = [why == "holdout" for why in decide(wanted, uplifts(200)).reason]
    assert [why == "holdout" for why in online.reason] == held


def test_a_draw_among_what_is_left_is_logged_as_such() -> None:
    n = 20_000
    wanted = ask(crowd(n), push(offer_ids=["ten", "twenty"], exploration=0.3), *TWO)
    online = decide_online(wanted, uplifts(n), Terms(wanted.prices, {"offer:twenty": 0})).decisions
    for choice, chance in ((0, 0.7 + 0.15), (NO_SEND, 0.15)):
        mine = online.offer == choice
        assert online.probability[mine] == pytest.approx(chance)
        assert mine.mean() == pytest.approx(chance, abs=0.01)


@pytest.mark.parametrize("order", ["random", "best first"])
def test_one_call_at_a_time_earns_what_the_plan_does(order: str) -> None:
    shop = market(Shape(1500, offers=5, stocked=1))
    asked = shuffled(shop) if order == "random" else best_first(shop)
    gain, taken = one_by_one(shop, asked)
    assert over(shop, taken) == 0
    assert taken[MONEY] > 0.97 * shop.release.limits(PUSH)[MONEY]
    assert gain >= 0.97 * shop.plan.gain


def test_what_fails_is_spent_on_those_still_to_come() -> None:
    shop = market(Shape(1500, offers=5, stocked=1))
    gain, taken = one_by_one(shop, shuffled(shop), failing=0.2)
    fixed = 0.8 * shop.plan.gain  # what prices that never move would have kept
    assert gain > 1.02 * fixed
    assert taken[MONEY] > 0.9 * shop.release.limits(PUSH)[MONEY]
