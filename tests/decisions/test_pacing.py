"""Prices follow what was used; amounts are whole, and never rounded in favour of spending."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.pacing import CONTACTS, MONEY, Use, limits, money, takes, terms
from decisions.policy import Prices
from tests.decisions.conftest import offer, push

COUNTS = st.integers(0, 10**12)


def test_a_push_that_spends_like_its_plan_keeps_the_prices_of_the_plan() -> None:
    prices = Prices(budget=2.0, audience=0.5, offers={"ten": 1.0})
    most = {MONEY: 1000, CONTACTS: 10, "offer:ten": 5}
    used = {MONEY: Use(300, 300, 600), CONTACTS: Use(6, 0, 6), "offer:ten": Use(1, 1, 2)}
    now = terms(prices, most, used)
    assert now.prices == prices
    assert now.left == {MONEY: 400, CONTACTS: 4, "offer:ten": 3}


def test_money_spent_ahead_of_the_plan_costs_more_and_behind_it_less() -> None:
    prices, most = Prices(budget=2.0), {MONEY: 1000}
    ahead = terms(prices, most, {MONEY: Use(spent=150, planned=100)})
    behind = terms(prices, most, {MONEY: Use(spent=50, planned=100)})
    assert ahead.prices.budget == pytest.approx(2.0 * np.exp(0.4))
    assert behind.prices.budget == pytest.approx(2.0 * np.exp(-0.4))


def test_one_call_hardly_moves_a_price() -> None:
    after = terms(Prices(budget=2.0), {MONEY: 10_000}, {MONEY: Use(reserved=1)})
    assert after.prices.budget == pytest.approx(2.0, rel=0.001)


@given(COUNTS, COUNTS, COUNTS, st.integers(0, 10**12), st.floats(0, 1e6))
def test_prices_stay_within_four_times_and_nothing_left_is_below_nothing(
    reserved: int, spent: int, planned: int, most: int, price: float
) -> None:
    now = terms(Prices(budget=price), {MONEY: most}, {MONEY: Use(reserved, spent, planned)})
    assert price / 4.001 <= now.prices.budget <= price * 4.001
    assert now.left[MONEY] == max(0, most - reserved - spent)


def test_the_limits_of_a_push_are_whole_and_rounded_down() -> None:
    wanted = push(budget=0.30000049, max_audience=7, offer_ids=["ten", "twenty"])
    assert limits(wanted, [offer("ten", stock=3), offer("twenty")]) == {
        MONEY: 300_000, CONTACTS: 7, "offer:ten": 3,
    }  # fmt: skip
    assert limits(push(), [offer("ten")]) == {}


def test_costs_are_rounded_up_to_a_millionth() -> None:
    assert money(np.array([0.1, 0.29, 0.0, 1e-9, 0.1234561])).tolist() == [
        100_000, 290_000, 0, 1, 123_457,
    ]  # fmt: skip
    assert takes("ten", "push", 5) == {
        MONEY: 5, CONTACTS: 1, "offer:ten": 1, "channel:push": 1,
    }  # fmt: skip
