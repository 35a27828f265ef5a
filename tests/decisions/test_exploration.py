"""Choices at random: as often as logged, over what is allowed, for no more than they may cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.decide import candidates_of, decide
from decisions.exploration import NO_SEND, affordable_share, chances, draw
from decisions.policy import Prices
from tests.decisions.conftest import Fixed, ask, crowd, members, offer, push

THREE = push(
    offer_ids=["ten", "twenty", "gift"], exploration=0.4, exploration_floor=0.3, holdout=0.1
)
OFFERS = (offer("ten"), offer("twenty"), offer("gift", eligibility="recency_days < 20"))
PROMISING = Fixed(np.array([[0.01, 0.03, 0.02]]))


def test_choices_happen_as_often_as_logged_whatever_the_gains_weigh() -> None:
    n = 60_000
    found = decide(ask(crowd(n), THREE, *OFFERS, prices=Prices(scale=1.5)), PROMISING)
    total = 0.0
    for choice in (NO_SEND, 0, 1):
        mine = found.offer == choice
        logged = np.unique(np.round(found.probability[mine], 12))
        assert len(logged) == 1
        assert mine.mean() == pytest.approx(logged[0], abs=4 * np.sqrt(0.25 / n))
        total += float(logged[0])
    assert total == pytest.approx(1.0)
    assert not (found.offer == 2).any()  # not allowed to anybody


def test_a_draw_prefers_what_promises_more_and_leaves_nothing_out() -> None:
    question = ask(crowd(1), THREE, *OFFERS, prices=Prices(scale=1.0))
    q = chances(question, candidates_of(question, PROMISING), np.array([0]))[0]
    assert q[1] > q[0] > q[3] > 0
    assert q[2] == 0
    assert q.min(where=q > 0, initial=1) >= 0.3 / 3
    assert q.sum() == pytest.approx(1.0)


def test_members_of_whom_little_is_known_are_explored_as_often_as_others() -> None:
    known, little = [(1.0, 30.0, 0.0)] * 4000, [(1.0, np.nan, np.nan)] * 4000
    people = members(*known, *little)
    question = ask(people, replace(THREE, offer_ids=("ten",)), offer("ten"))
    drawn = draw(question, candidates_of(question, Fixed(np.array([[0.02]]))))
    first, second = drawn.explored[:4000].mean(), drawn.explored[4000:].mean()
    assert first == pytest.approx(second, abs=0.05)
    assert second == pytest.approx(0.4 * 0.9, abs=0.04)


def test_held_out_members_are_never_explored() -> None:
    question = ask(crowd(5000), THREE, *OFFERS)
    found = candidates_of(question, PROMISING)
    assert found.eligibility.held.any()
    assert not (draw(question, found).explored & found.eligibility.held).any()


@settings(max_examples=60, deadline=None)
@given(budget=st.floats(0, 800), seed=st.integers(0, 10_000))
def test_exploration_costs_no_more_than_its_budget(budget: float, seed: int) -> None:
    wanted = push(
        push_id=f"spring {seed}", offer_ids=["ten", "twenty"], exploration=0.5,
        exploration_budget=budget,
    )  # fmt: skip
    offers = (offer("ten", contact_cost=1), offer("twenty", contact_cost=3))
    question = ask(crowd(600), wanted, *offers)
    found = candidates_of(question, Fixed(np.array([[0.1, 0.1]])))
    share = affordable_share(question, found)
    drawn = draw(replace(question, prices=Prices(exploration=share)), found)
    rows = np.flatnonzero(drawn.option != NO_SEND)
    assert found.cost[rows, drawn.option[rows]].sum() <= budget
    assert 0 <= share <= 0.5
