from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import hyp2f1

from models.bgnbd import BgNbd
from models.errors import ModelError

CDNOW = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
models = st.builds(
    BgNbd, *(st.floats(low, high) for low, high in [(0.05, 20), (0.1, 400), (0.02, 20), (0.02, 20)])
)
times = st.floats(0, 1000)


def member(*history: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frequency, recency, age = (np.array([float(number)]) for number in history)
    return frequency, recency, age


def closed_form(model: BgNbd, horizon: float, history: tuple[np.ndarray, ...]) -> np.ndarray:
    """Equation 10 of Fader, Hardie and Lee 2005."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    x, last, age = history
    hyper = hyp2f1(r + x, b + x, a + b + x - 1, horizon / (alpha + age + horizon))
    kept = ((alpha + age) / (alpha + age + horizon)) ** (r + x)
    left = np.where(x > 0, a / (b + x - 1) * ((alpha + age) / (alpha + last)) ** (r + x), 0)
    return np.asarray((a + b + x - 1) / (a - 1) * (1 - kept * hyper) / (1 + left))


def test_expects_of_customer_1516_what_the_paper_says() -> None:
    # Two repeats, the last in week 30.43 of 38.86; expected in the next 39 weeks: 1.226.
    expected = CDNOW.expected_purchases(39, *member(2, 30.43, 38.86))
    assert expected == pytest.approx([1.226], abs=5e-4)


def test_agrees_with_the_closed_form_where_that_can_be_computed() -> None:
    x = np.arange(0.0, 60.0)
    history = (x, np.where(x > 0, 30.0, 0.0), np.full(60, 39.0, dtype=np.float64))
    for horizon in (0.5, 39.0, 200.0):
        ours = CDNOW.expected_purchases(horizon, *history)
        np.testing.assert_allclose(ours, closed_form(CDNOW, horizon, history), rtol=1e-9)


@given(models, st.integers(0, 300), times, times, times)
def test_expects_nothing_below_zero_and_more_of_a_longer_horizon(
    model: BgNbd, frequency: int, one: float, other: float, horizon: float
) -> None:
    recency, age = sorted((one, other))
    history = member(frequency, recency if frequency else 0, age)
    shorter = model.expected_purchases(horizon, *history)[0]
    longer = model.expected_purchases(horizon + 1, *history)[0]
    assert 0 <= shorter <= longer * (1 + 1e-9) < np.inf
    assert 0 <= model.still_active(*history)[0] <= 1


@given(models, st.integers(1, 100), st.floats(1, 1000), st.floats(0, 400))
def test_expects_more_of_an_active_member_who_bought_more_often(
    model: BgNbd, frequency: int, age: float, horizon: float
) -> None:
    fewer = model.expected_purchases(horizon, *member(frequency, age, age))
    more = model.expected_purchases(horizon, *member(frequency + 1, age, age))
    assert more >= fewer * (1 - 1e-9)


def test_a_frequent_buyer_who_stopped_is_expected_less_than_one_who_just_bought() -> None:
    stopped, active = (CDNOW.expected_purchases(39, *member(8, last, 39)) for last in (10, 39))
    assert stopped < 0.05 * active


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ((1.5, 1, 2), "frequency of row 0 is 1.5, wanted a whole number, 0 or more"),
        ((np.nan, 1, 2), "frequency of row 0 is nan"),
        ((1, 3, 2), "recency of row 0 is 3.0, wanted 0 to the age"),
        ((0, 1, 2), "recency of row 0 is 1.0, wanted 0 without a repeat purchase"),
        ((1, 0, np.inf), "age of row 0 is inf, wanted a finite number"),
    ],
)
def test_refuses_a_history_that_cannot_be(history: tuple[float, ...], message: str) -> None:
    with pytest.raises(ModelError, match=re.escape(message)):
        CDNOW.expected_purchases(1, *member(*history))


def test_refuses_a_parameter_that_is_no_positive_number() -> None:
    with pytest.raises(ModelError, match=r"alpha is 0\.0, wanted a finite number above 0"):
        BgNbd(1.0, 0.0, 1.0, 1.0)
