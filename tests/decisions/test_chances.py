"""The chance of every choice, beside the one that a decision logs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.catalogue import PushLimits
from decisions.chances import offer_chances
from decisions.decide import candidates_of, decide
from decisions.errors import DecisionError
from decisions.policy import Prices
from tests.decisions.conftest import Fixed, ask, crowd, members, offer, push

OFFERS = (offer("ten"), offer("twenty"), offer("gift", eligibility="recency_days < 20"))
PROMISING = Fixed(np.array([[0.01, 0.03, 0.02]]))


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([0.0, 1.5]),
    st.integers(1, 9),
)
def test_the_chance_of_what_is_chosen_is_the_logged_probability(
    exploration: float, floor: float, holdout: float, scale: float, seed: int
) -> None:
    asked = push(
        offer_ids=["ten", "twenty", "gift"],
        exploration=exploration,
        exploration_floor=floor,
        holdout=holdout,
    )
    uplift = np.random.default_rng(seed).normal(0, 0.05, (30, 3))
    question = ask(crowd(30), asked, *OFFERS, prices=Prices(scale=scale))
    made = decide(question, Fixed(uplift))
    found = offer_chances(question, candidates_of(question, Fixed(uplift)))
    assert found.sum(axis=1) == pytest.approx(np.ones(30))
    assert found[np.arange(30), 1 + made.offer] == pytest.approx(made.probability)


def test_whom_nothing_may_be_sent_gets_nothing_for_sure() -> None:
    people = members((0.0, 30.0, 0.0), (1.0, 30.0, 0.0))
    question = ask(people, push(offer_ids=["ten"], exploration=0.5), offer("ten"))
    found = offer_chances(question, candidates_of(question, Fixed(np.array([[0.05]]))))
    assert found[0].tolist() == [1.0, 0.0]
    assert found[1] == pytest.approx([0.25, 0.75])


def test_an_offer_by_either_channel_counts_once() -> None:
    asked = replace(push(offer_ids=["ten"], exploration=0.6), channels=("email",))
    policy_open = ask(crowd(1), asked, offer("ten"))
    question = replace(policy_open, policy=replace(policy_open.policy, consent_when_missing=True))
    found = offer_chances(question, candidates_of(question, Fixed(np.array([[0.05]]))))
    assert found[0] == pytest.approx([0.2, 0.8])


def test_several_offers_at_once_are_no_single_choice() -> None:
    asked = replace(push(offer_ids=["ten", "twenty", "gift"]), limits=PushLimits(per_member=2))
    question = ask(crowd(1), asked, *OFFERS)
    with pytest.raises(DecisionError, match="up to 2 offers"):
        offer_chances(question, candidates_of(question, PROMISING))
