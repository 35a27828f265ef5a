from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.errors import TrainingError
from training.evaluation.qini import Trial, qini, qini_chart, qini_curve


def trial(rows: int, seed: int) -> tuple[Trial, NDArray[np.float64]]:
    """Half are persuaded more, the higher their score."""
    rng = np.random.default_rng(seed)
    score, sent = rng.random(rows), rng.random(rows) < 0.6
    outcome = (rng.random(rows) < 0.1 + 0.3 * score * sent).astype(np.float64)
    return Trial(outcome, sent), score


def test_the_curve_by_hand() -> None:
    outcome, sent = np.array([1.0, 0, 1, 1]), np.array([True, False, True, False])
    curve = qini_curve(Trial(outcome, sent), np.array([4.0, 3, 2, 1]))
    assert curve.reached.tolist() == [0, 1, 2, 3, 4]
    # One of two unsent did at the end: two of two sent, less one for as many sent as unsent.
    assert curve.won.tolist() == [0, 1, 1, 2, 1]


# scikit-uplift calls a function that scikit-learn drops in 1.10; until one of them goes.
@pytest.mark.filterwarnings("ignore:Function stable_cumsum is deprecated:FutureWarning")
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 2]))
def test_curve_and_coefficient_are_those_of_scikit_uplift(seed: int, digits: int) -> None:
    from sklift.metrics import qini_auc_score
    from sklift.metrics import qini_curve as their_curve

    drawn, score = trial(300, seed)
    score = score.round(digits)  # with many ties
    reached, won = their_curve(drawn.outcome, score, drawn.sent.astype(int))
    curve = qini_curve(drawn, score)
    assert curve.reached == pytest.approx(reached, abs=1e-9)
    assert curve.won == pytest.approx(won, abs=1e-9)
    theirs = qini_auc_score(drawn.outcome, score, drawn.sent.astype(int))
    assert qini(drawn, score, draws=2).coefficient == pytest.approx(theirs, abs=1e-9)


def test_the_order_of_rows_of_equal_score_does_not_count() -> None:
    drawn, score = trial(500, 0)
    score = score.round(1)
    mixed = np.random.default_rng(1).permutation(500)
    other = Trial(drawn.outcome[mixed], drawn.sent[mixed])
    ours, theirs = qini(drawn, score, draws=2), qini(other, score[mixed], draws=2)
    assert ours.coefficient == pytest.approx(theirs.coefficient, abs=1e-12)


def test_one_score_for_everybody_is_a_random_order() -> None:
    drawn, _ = trial(500, 0)
    assert qini(drawn, np.zeros(500)).coefficient == pytest.approx(0, abs=1e-12)


def test_the_best_order_has_the_coefficient_one() -> None:
    drawn, _ = trial(500, 0)
    best = np.where(drawn.sent, drawn.outcome, -drawn.outcome)
    assert qini(drawn, best, draws=2).coefficient == pytest.approx(1)


def test_the_error_is_the_spread_over_repeated_trials() -> None:
    found = [qini(*trial(2000, seed), draws=100) for seed in range(60)]
    coefficients = np.array([one.coefficient for one in found])
    told = np.mean([one.error for one in found])
    assert told == pytest.approx(coefficients.std(ddof=1), rel=0.3)
    inside = [one.low < coefficients.mean() < one.high for one in found]
    assert np.mean(inside) > 0.87


def test_rows_of_one_member_are_not_taken_for_many() -> None:
    drawn, score = trial(500, 0)
    ten = Trial(
        np.tile(drawn.outcome, 10), np.tile(drawn.sent, 10), member=np.tile(np.arange(500), 10)
    )
    once, often = qini(drawn, score), qini(ten, np.tile(score, 10))
    assert often.coefficient == pytest.approx(once.coefficient)
    assert often.error == pytest.approx(once.error)


def test_weights_undo_unequal_probabilities_of_being_sent() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(100_000)
    happens = rng.random(len(score))

    def coefficient(probability: NDArray[np.float64], *, weighed: bool) -> float:
        sent = rng.random(len(score)) < probability
        outcome = (happens < 0.1 + 0.3 * score * sent).astype(np.float64)
        weight = 1 / np.where(sent, probability, 1 - probability)
        drawn = Trial(outcome, sent, weight if weighed else None)
        return qini(drawn, score, draws=2).coefficient

    even = coefficient(np.full_like(score, 0.5), weighed=False)
    chance = 0.1 + 0.8 * score  # who is likely to be persuaded was sent more often
    assert coefficient(chance, weighed=True) == pytest.approx(even, abs=0.02)
    assert abs(coefficient(chance, weighed=False) - even) > 0.05


@pytest.mark.parametrize(
    ("outcome", "sent", "message"),
    [
        ([1.0, 0.0], [True, True], "2 of 2 were sent something"),
        ([0.5, 0.0], [True, False], "wants outcomes of 0 and 1"),
        ([0.0, 0.0], [True, False], "none of 2 outcomes tells sent from not sent"),
    ],
)
def test_what_cannot_be_told_is_refused(
    outcome: list[float], sent: list[bool], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        qini(Trial(np.array(outcome), np.array(sent)), np.array([0.1, 0.2]))


def test_a_missing_score_is_refused() -> None:
    drawn, score = trial(10, 0)
    score[3] = np.nan
    with pytest.raises(ValueError, match="a score is not a number"):
        qini_curve(drawn, score)


def test_the_chart_ends_where_everybody_is_reached() -> None:
    drawn, score = trial(500, 0)
    rows = qini_chart({"model": qini_curve(drawn, score)}).rows()
    assert {row["series"] for row in rows} == {"model", "at random"}
    assert max(float(row["x"] or 0) for row in rows) == 500
