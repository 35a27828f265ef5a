from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.artifact import ArtifactError
from models.bgnbd import BgNbd
from models.habit import Habit, history

HABIT = Habit(0.6, 60.0, 0.8, 2.5, 30.0, -3.0)


def chance(orders: float, gap: float, recency: float, habit: Habit = HABIT) -> float:
    score = habit.score(np.array([[orders, gap, recency]], np.float32), Habit.names)[0]
    return float(1 / (1 + np.exp(-score)))


def test_is_the_chance_of_a_purchase_by_bg_nbd() -> None:
    """In a short time there is one purchase at most, so that as many are expected."""
    moment = Habit(0.6, 60.0, 0.8, 2.5, 0.01, -3.0)
    expected = BgNbd(0.6, 60.0, 0.8, 2.5).expected_purchases(
        0.01, np.array([4.0]), np.array([80.0]), np.array([110.0])
    )
    assert chance(5, 20, 30, moment) == pytest.approx(float(expected[0]), rel=1e-3)


@given(st.integers(2, 50), st.floats(1, 100), st.floats(0, 700))
def test_a_longer_horizon_is_likelier_to_hold_a_purchase(
    orders: int, gap: float, recency: float
) -> None:
    longer = Habit(0.6, 60.0, 0.8, 2.5, 90.0, -3.0)
    assert chance(orders, gap, recency) <= chance(orders, gap, recency, longer)


def test_the_longer_the_silence_of_a_frequent_buyer_the_less_is_expected() -> None:
    assert chance(20, 10, 5) > chance(20, 10, 60) > chance(20, 10, 300)


def test_who_never_bought_has_a_rate_of_their_own() -> None:
    assert chance(0, np.nan, np.nan) == pytest.approx(1 / (1 + np.exp(3)))


def test_orders_of_one_day_are_one_purchase() -> None:
    times, between, age, bought = history(np.array([[3.0, np.nan, 12.0]]))
    assert (times[0], between[0], age[0], bought[0]) == (0, 0, 12, True)


def test_the_other_question_is_answered_the_other_way_round() -> None:
    lapses = Habit(0.6, 60.0, 0.8, 2.5, 30.0, 3.0, towards=-1)
    assert chance(5, 20, 30, lapses) == pytest.approx(1 - chance(5, 20, 30))


@pytest.mark.parametrize(("rate", "days"), [(0.0, 30.0), (np.inf, 30.0), (1.0, 0.0)])
def test_parameters_that_cannot_be_are_refused(rate: float, days: float) -> None:
    with pytest.raises(ArtifactError, match="wanted finite numbers above 0"):
        Habit(rate, 60.0, 0.8, 2.5, days, -3.0)
