from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.calibration import Platt, fit_platt
from models.errors import ModelError


def outcomes_of(log_odds: NDArray[np.float64], seed: int = 0) -> NDArray[np.bool_]:
    uniforms = np.random.default_rng(seed).random(len(log_odds))
    return np.asarray(uniforms < 1 / (1 + np.exp(-log_odds)))


def test_finds_the_distortion_that_was_put_in() -> None:
    truth = np.random.default_rng(1).normal(-2, 1.5, 50_000)
    fitted = fit_platt(truth / 2 + 1, outcomes_of(truth))
    assert fitted.slope == pytest.approx(2, abs=0.1)
    assert fitted.intercept == pytest.approx(-2, abs=0.1)


def test_promises_what_happens_on_average() -> None:
    truth = np.random.default_rng(2).normal(-3, 1, 20_000)
    outcomes = outcomes_of(truth)
    promised = fit_platt(3 * truth, outcomes).probability(3 * truth)
    assert promised.mean() == pytest.approx(outcomes.mean(), rel=0.01)


def test_scores_that_rank_backwards_say_nothing() -> None:
    truth = np.random.default_rng(3).normal(0, 1, 5_000)
    fitted = fit_platt(-truth, outcomes_of(truth))
    assert fitted.slope == 0
    assert fitted.probability(np.zeros(1))[0] == pytest.approx(0.5, abs=0.05)


def test_constant_scores_give_everybody_the_rate() -> None:
    fitted = fit_platt(np.full(98, 7.0), np.arange(98) < 9)
    assert fitted.probability(np.array([7.0, 100.0])) == pytest.approx([0.1, 0.1], abs=0.01)


@pytest.mark.parametrize("happened", [False, True])
def test_one_class_only_still_gives_a_probability_inside_zero_and_one(happened: bool) -> None:
    scores = np.random.default_rng(4).normal(size=50)
    probability = fit_platt(scores, np.full(50, happened)).probability(scores)
    assert ((probability > 0.9) if happened else (probability < 0.1)).all()
    assert ((probability > 0) & (probability < 1)).all()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans()), min_size=1, max_size=60),
)
def test_any_scores_give_finite_numbers_that_keep_the_order(
    rows: list[tuple[float, bool]],
) -> None:
    scores = np.array([score for score, _ in rows])
    fitted = fit_platt(scores, np.array([outcome for _, outcome in rows]))
    assert np.isfinite([fitted.slope, fitted.intercept]).all()
    assert (np.diff(fitted.probability(np.sort(scores))) >= 0).all()


def test_extreme_scores_do_not_overflow() -> None:
    probability = Platt(1.0, 0.0).probability(np.array([-1e9, 1e9]))
    assert ((probability > 0) & (probability < 1)).all()


def test_no_rows_are_refused() -> None:
    with pytest.raises(ModelError, match="no rows"):
        fit_platt(np.zeros(0), np.zeros(0, dtype=bool))


def test_a_score_that_is_no_number_is_named() -> None:
    with pytest.raises(ModelError, match="row 1 is nan"):
        fit_platt(np.array([0.0, np.nan]), np.array([True, False]))
