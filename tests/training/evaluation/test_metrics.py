from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import TrainingError
from training.evaluation.metrics import (
    binary_quality,
    calibration_error,
    cumulative_gain,
    reliability,
)


def test_a_perfect_ranking_has_full_marks() -> None:
    quality = binary_quality(np.array([False, False, True]), np.array([0.1, 0.2, 0.9]))
    assert (quality.auc, quality.average_precision) == (1, 1)


def test_a_window_of_one_class_cannot_be_judged() -> None:
    with pytest.raises(TrainingError, match="0 of 3 members bought"):
        binary_quality(np.zeros(3, dtype=bool), np.array([0.1, 0.2, 0.9]))


def test_kept_promises_have_little_calibration_error_and_broken_ones_much() -> None:
    promised = np.random.default_rng(0).random(50_000)
    outcomes = np.random.default_rng(1).random(50_000) < promised
    assert calibration_error(outcomes, promised) < 0.01
    assert calibration_error(outcomes, promised / 2) == pytest.approx(0.25, abs=0.01)


def test_one_probability_for_all_is_one_bin() -> None:
    bins = reliability(np.array([True, False, False, True]), np.full(4, 0.3))
    assert bins.members.tolist() == [4]
    assert calibration_error(np.array([True, False]), np.full(2, 0.3)) == pytest.approx(0.2)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_every_member_is_in_one_bin(rows: list[tuple[float, bool]]) -> None:
    promised = np.array([probability for probability, _ in rows])
    outcomes = np.array([outcome for _, outcome in rows])
    bins = reliability(outcomes, promised)
    assert bins.members.sum() == len(rows)
    assert (bins.happened * bins.members).sum() == pytest.approx(outcomes.sum())
    assert (np.diff(bins.promised) > 0).all()


def test_the_best_half_of_a_good_ranking_holds_most_buyers() -> None:
    bought = np.array([True, True, False, True, False, False, False, False, False, False])
    reached = cumulative_gain(bought, np.arange(10, 0, -1).astype(float))
    assert reached == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1, 1, 1, 1, 1, 1, 1])
