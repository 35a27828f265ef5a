"""The decision for each member: best offer, no send, reason, probability."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from decisions.decide import decide
from decisions.draws import uniforms
from decisions.errors import DecisionError
from decisions.exploration import NO_SEND
from decisions.policy import Policy, Prices
from tests.decisions.conftest import SEND_AT, Fixed, ask, contacts, crowd, members, offer, push


def flat(uplift: float, count: int, offers: int = 1) -> Fixed:
    return Fixed(np.full((count, offers), uplift))


def test_sends_the_offer_that_changes_most_not_the_one_most_likely_to_be_bought_with() -> None:
    two = push(offer_ids=["ten", "twenty"])
    answer = decide(
        ask(crowd(2), two, offer("ten"), offer("twenty")),
        Fixed(np.array([[0.01, 0.03], [0.02, -0.05]])),
    )
    assert answer.offer.tolist() == [1, 0]
    assert answer.uplift == pytest.approx([0.03, 0.02])
    assert answer.expected_gain == pytest.approx([3.0, 2.0])
    assert answer.reason == ("", "")


def test_no_send_is_an_answer_with_its_reason() -> None:
    people = members((0, 1, 0), (1, 1, 0), (1, 1, 1), (1, 1, 0), (np.nan, 1, 0))
    often = contacts(people, *[("m1", 24 * day) for day in (1, 2, 3)])
    active = push(eligibility='lifecycle == "active"')
    answer = decide(ask(people, active, contacts=often), flat(-0.01, 5))
    assert answer.reason == (
        "no_consent", "frequency_cap", "not_eligible", "no_positive_gain", "no_consent",
    )  # fmt: skip
    assert (answer.offer == NO_SEND).all()
    assert answer.probability.tolist() == [1.0] * 5
    assert np.isnan(answer.expected_gain[:3]).all()


def test_consent_may_be_taken_for_granted_only_where_the_policy_says_so() -> None:
    people = members((np.nan, 1, 0), (0, 1, 0))
    generous = Policy(salt="salt", consent_when_missing=True)
    answer = decide(ask(people, push(), policy=generous), flat(0.1, 2))
    assert answer.reason == ("", "no_consent")


def test_a_suppressed_member_is_never_sent_anything() -> None:
    answer = decide(ask(crowd(2), push(), suppressed=frozenset({"m1"})), flat(0.1, 2))
    assert answer.reason == ("", "suppressed")


@pytest.mark.parametrize(
    "change",
    [
        {"valid_to": SEND_AT - timedelta(days=1)},
        {"valid_from": SEND_AT + timedelta(days=1)},
        {"channels": ["email"]},
        {"stock": 0},
        {"eligibility": "recency_days > 1000"},
    ],
)
def test_an_offer_that_cannot_be_given_is_not_given(change: dict[str, object]) -> None:
    answer = decide(ask(crowd(1), push(), offer("ten", **change)), flat(0.1, 1))
    assert answer.reason == ("not_eligible",)


def test_prices_make_a_member_wait_for_better_use_of_the_budget() -> None:
    answer = decide(
        ask(crowd(2), push(), offer("ten", contact_cost=1), prices=Prices(budget=2.0)),
        Fixed(np.array([[0.025], [0.05]])),
    )
    assert answer.reason == ("budget_spent", "")


def test_the_coupon_of_those_who_buy_anyway_is_a_cost() -> None:
    # 100 of margin at 3 points more, less 0.4 uses at 10: 3 - 4 < 0.
    coupons = Fixed(np.array([[0.03]]), redeemed=0.4, coupon_money=10.0)
    answer = decide(ask(crowd(1), push()), coupons)
    assert answer.reason == ("no_positive_gain",)
    assert answer.expected_gain == pytest.approx([-1.0])
    assert answer.expected_cost == pytest.approx([4.0])


def test_a_push_for_conversions_counts_them_and_not_money() -> None:
    answer = decide(ask(crowd(1), push(objective="conversions")), flat(0.02, 1))
    assert answer.expected_gain == pytest.approx([0.02])


def test_the_same_question_gets_the_same_answer_alone_and_in_company() -> None:
    wanted = push(exploration=0.5, holdout=0.2)
    whole = decide(ask(crowd(50), wanted), flat(0.1, 50))
    again = decide(ask(crowd(20), wanted), flat(0.1, 20))
    assert whole.offer[:20].tolist() == again.offer.tolist()
    assert whole.probability[:20].tolist() == again.probability.tolist()


def test_choices_happen_as_often_as_their_logged_probability_says() -> None:
    n = 40_000
    wanted = push(offer_ids=["ten", "twenty"], exploration=0.3, holdout=0.1)
    answer = decide(
        ask(crowd(n), wanted, offer("ten"), offer("twenty")), Fixed(np.array([[0.1, 0.05]]))
    )
    for choice in (NO_SEND, 0, 1):
        mine = answer.offer == choice
        share = np.unique(np.round(answer.probability[mine], 12))
        assert len(share) == 1
        assert mine.mean() == pytest.approx(share[0], abs=4 * np.sqrt(0.25 / n))
    assert not answer.explored[np.array(answer.reason) == "holdout"].any()


def test_draws_are_uniform_and_independent_between_pushes() -> None:
    ids = [f"m{i}" for i in range(20_000)]
    one, two = uniforms("salt", "holdout", "a", ids), uniforms("salt", "holdout", "b", ids)
    assert np.histogram(one, bins=10, range=(0, 1))[0] == pytest.approx([2000] * 10, abs=200)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03


def test_draws_do_not_change_between_versions() -> None:
    assert uniforms("salt", "holdout", "spring", ["m1", "m2"]).tolist() == pytest.approx(
        [0.9969884371743976, 0.31584411569704784], abs=0
    )


def test_a_push_whose_offers_are_not_in_the_catalogue_is_refused() -> None:
    with pytest.raises(DecisionError, match="not in the catalogue: twenty"):
        ask(crowd(1), push(offer_ids=["ten", "twenty"]), offer("ten"))
