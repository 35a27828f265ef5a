"""Why a member got what they got: parts that add up, stages, and what came next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.catalogue import Push
from decisions.decide import Ask
from decisions.explanation import Expected, Explanation, explain
from decisions.exploration import NO_SEND
from decisions.online import consider
from decisions.pacing import CONTACTS, MONEY, UNIT, Terms
from decisions.policy import Policy, Prices
from tests.decisions.conftest import Fixed, ask, crowd, offer, push

TEN, TWENTY = offer("ten", contact_cost=1.0), offer("twenty", contact_cost=3.0)
BOTH = push(offer_ids=["ten", "twenty"])
# Of ten 3 % more buy, of twenty 7 %, at 100 each; every fifth uses a coupon of 5.
MODEL = Fixed(np.array([[0.03, 0.07]]), redeemed=0.2, coupon_money=5.0, risk=0.01, value_each=50.0)


def explained(wanted: Ask, model: Fixed = MODEL, left: dict[str, int] | None = None) -> Explanation:
    terms = Terms(wanted.prices, left or {})
    return explain(consider(wanted, model, terms), Expected.of(wanted, model), terms)


def about(push_: Push = BOTH, **more: Any) -> Ask:
    return ask(crowd(1), push_, TEN, TWENTY, **more)


def test_the_parts_of_a_gain_by_hand() -> None:
    found = explained(about(prices=Prices(budget=0.5, offers={"twenty": 0.25})))
    parts, charges = found.options[1].parts, found.options[1].charges
    assert parts is not None
    assert charges is not None
    assert parts.extra_conversions == pytest.approx(0.07)
    assert parts.earned == pytest.approx(7.0)
    assert (parts.coupon, parts.contact, parts.unsubscribing) == pytest.approx((1.0, 3.0, 0.5))
    assert parts.coupon_anyway == pytest.approx(1.0 * 0.10 / 0.17)
    assert parts.gain == pytest.approx(7.0 - 1.0 - 3.0 - 0.5)
    assert (charges.budget, charges.offer) == pytest.approx((0.5 * 4.0, 0.25))
    assert found.options[1].surplus == pytest.approx(2.5 - 2.25)


def test_the_runner_up_and_the_least_change_that_would_have_made_it_the_choice() -> None:
    found = explained(about())
    assert (found.chosen, found.reason) == (1, "")
    assert [one.left_at for one in found.options] == ["best", "sent"]
    assert found.options[0].reason == "outbid"
    told = found.alternative
    assert told is not None
    # ten gains 3 - 1 - 1 - .5 = .5, twenty 2.5.
    assert told.option == 0
    assert told.short == pytest.approx(2.0)
    by = {(change.what, change.name): change.by for change in told.changes}
    assert by["price", "budget"] == pytest.approx(2.5 / 4), "then nothing is sent: it costs nothing"
    assert by["gain", "ten"] == pytest.approx(2.0)
    assert by["price", "offer:twenty"] == pytest.approx(2.0)
    assert abs(told.changes[0].by) == min(abs(change.by) for change in told.changes)


@pytest.mark.parametrize("dear", [0.0, 0.4, 2.0])
def test_the_changes_named_are_those_that_turn_the_choice(dear: float) -> None:
    now = explained(about(prices=Prices(budget=dear)))
    assert now.alternative is not None
    turned = [one for one in now.alternative.changes if one.what == "price"]
    assert turned
    for one in turned:
        for times in (0.99, 1.01):
            price = one.now + times * one.by
            prices = (
                Prices(budget=price)
                if one.name == "budget"
                else Prices(budget=dear, offers={"twenty": price})
            )
            chosen = explained(about(prices=prices)).chosen
            assert chosen == (one.leads_to if times > 1 else now.chosen), one


def test_of_no_send_it_tells_what_was_short() -> None:
    found = explained(about(prices=Prices(budget=2.0, audience=0.5)))
    assert (found.chosen, found.reason) == (NO_SEND, "budget_spent")
    assert {(one.left_at, one.reason) for one in found.options} == {("worthwhile", "budget_spent")}
    told = found.alternative
    assert told is not None
    # ten: .5 - 2 × 2 - .5 = -4; twenty: 2.5 - 2 × 4 - .5 = -6
    assert told.option == 0
    assert told.short == pytest.approx(4.0)
    price = next(one for one in told.changes if one.name == "budget")
    # Of twenty 6 / 4 would do.
    assert [price.by, price.now, price.leads_to] == pytest.approx([-1.5, 2.0, 1])
    gain = next(one for one in told.changes if one.what == "gain")
    assert (gain.name, gain.leads_to) == ("ten", 0)
    assert [gain.by, gain.now] == pytest.approx([4.0, 0.5])


def test_where_nothing_gains_no_send_says_so() -> None:
    found = explained(about(), Fixed(np.array([[0.001, 0.0]])))
    assert (found.reason, found.options[0].reason) == ("no_positive_gain", "no_positive_gain")
    assert found.alternative is not None
    assert found.alternative.short == pytest.approx(0.9)


def test_what_no_longer_fits_tells_which_limit_has_too_little() -> None:
    found = explained(about(), left={MONEY: UNIT, CONTACTS: 5, "offer:twenty": 0})
    assert found.reason == "budget_spent"
    assert {one.left_at for one in found.options} == {"affordable"}
    told = found.alternative
    assert told is not None
    assert told.option == 1
    assert [(one.name, one.by, one.now) for one in told.changes] == [
        ("money", pytest.approx(3.0), 1.0),
        ("offer:twenty", 1.0, 0.0),
    ]


def test_options_that_are_barred_say_at_which_stage_and_have_no_parts() -> None:
    rule = replace(BOTH, applicability="recency_days > 90")
    found = explained(ask(crowd(1), rule, replace(TEN, eligibility="recency_days > 90"), TWENTY))
    assert [(one.left_at, one.reason) for one in found.options] == [
        ("eligible", "not_eligible"), ("applicable", "not_applicable"),
    ]  # fmt: skip
    assert found.options[0].parts is None
    assert found.options[0].surplus is None
    assert found.alternative is not None
    assert (found.alternative.option, found.alternative.changes) == (1, ())


def test_holdout_and_draws_say_what_would_have_been_chosen() -> None:
    held = explained(about(replace(BOTH, holdout=1.0)))
    assert (held.held_out, held.reason, held.chosen) == (True, "holdout", NO_SEND)
    assert {one.reason for one in held.options} == {"holdout"}
    drawn = explained(about(replace(BOTH, exploration=1.0)))
    assert drawn.explored
    for found in (held, drawn):
        assert found.alternative is not None
        assert (found.alternative.option, found.alternative.short) == (1, 0.0)


def test_a_channel_changes_the_effect_by_its_factor_and_costs_its_own() -> None:
    model = replace(MODEL, channels={"email": (0.5, "modelled")})
    wanted = ask(
        crowd(1), push(offer_ids=["ten", "twenty"], channels=["email"]), TEN, TWENTY,
        policy=Policy("salt", consent_when_missing=True, channel_costs={"email": 0.2}),
    )  # fmt: skip
    found = explained(wanted, model)
    parts = found.options[3].parts
    assert parts is not None
    assert (found.options[3].option.channel, parts.channel_factor) == ("email", 0.5)
    assert (parts.extra_conversions, parts.contact) == pytest.approx((0.035, 3.2))


uplifts = st.floats(-0.05, 0.1)
prices = st.builds(
    Prices, budget=st.floats(0, 2), audience=st.floats(-1, 1), min_return=st.floats(0, 1),
    offers=st.dictionaries(st.sampled_from(["ten", "twenty"]), st.floats(0, 2)),
)  # fmt: skip


@given(
    st.tuples(uplifts, uplifts), prices, st.floats(0, 1), st.floats(0, 3),
    st.sampled_from(["margin", "revenue", "conversions"]),
)  # fmt: skip
def test_parts_add_up_to_gains_and_gains_less_charges_make_the_choice(
    uplift: tuple[float, float], given: Prices, redeemed: float, least: float, objective: str
) -> None:
    model = replace(MODEL, uplift=np.array([uplift]), redeemed=redeemed)
    wanted = about(replace(BOTH, objective=objective, min_return=least), prices=given)
    found = explained(wanted, model)
    surplus = []
    for one in found.options:
        parts = one.parts
        assert parts is not None
        assert one.surplus is not None
        cost = parts.coupon + parts.redemption + parts.contact
        assert parts.cost == pytest.approx(cost, abs=1e-5)
        spent = 0.0 if objective == "conversions" else cost + parts.unsubscribing
        assert parts.gain == pytest.approx(parts.earned - spent, abs=1e-4)
        surplus.append(one.surplus)
    if found.chosen != NO_SEND:
        assert surplus[found.chosen] == pytest.approx(max(surplus), abs=1e-4)
        assert surplus[found.chosen] > -1e-4
    else:
        assert max(surplus) < 1e-4
    assert found.alternative is not None
    assert found.alternative.short >= -1e-6
