from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.deciles import decile_chart, uplift_by_part


def test_parts_by_hand() -> None:
    predicted = np.array([0.1, 0.4, 0.3, 0.2])
    parts = uplift_by_part(predicted, np.array([1.0, 4, 0, 3]), np.arange(4), parts=2)
    assert parts.promised == pytest.approx([0.35, 0.15])
    assert parts.measured == pytest.approx([2, 2])
    assert parts.error == pytest.approx([np.sqrt(8) / 2, np.sqrt(2) / 2])


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.7]), min_size=3, max_size=60))
def test_parts_hold_every_row_once_whatever_the_ties(values: list[float]) -> None:
    predicted = np.array(values)
    score = np.random.default_rng(len(values)).normal(size=len(values))
    parts = uplift_by_part(predicted, score, np.arange(len(values)), parts=3)
    assert parts.promised.mean() == pytest.approx(predicted.mean())
    assert parts.measured.mean() == pytest.approx(score.mean())
    assert (np.diff(parts.promised) <= 1e-12).all()
    mixed = np.random.default_rng(0).permutation(len(values))
    again = uplift_by_part(predicted[mixed], score[mixed], np.arange(len(values)), parts=3)
    assert again.measured == pytest.approx(parts.measured)


def test_one_prediction_for_all_gives_equal_parts() -> None:
    score = np.random.default_rng(0).normal(size=100)
    parts = uplift_by_part(np.full(100, 0.3), score, np.arange(100))
    assert parts.measured == pytest.approx(np.full(10, score.mean()))


def test_intervals_hold_what_is_true_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    truth = np.sort(rng.random(2000))[::-1]
    inside = []
    for _ in range(200):
        parts = uplift_by_part(truth, truth + rng.normal(size=2000), np.arange(2000))
        inside.append((parts.low <= parts.promised) & (parts.promised <= parts.high))
    assert 0.93 < np.mean(inside) < 0.97


def test_a_member_many_times_is_one_member() -> None:
    score, predicted = np.random.default_rng(0).normal(size=(2, 50))
    once = uplift_by_part(predicted, score, np.arange(50), parts=5)
    member = np.repeat(np.arange(50), 20)
    often = uplift_by_part(np.repeat(predicted, 20), np.repeat(score, 20), member, parts=5)
    assert often.error == pytest.approx(once.error)


def test_fewer_rows_than_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows for 10 parts"):
        uplift_by_part(np.zeros(3), np.zeros(3), np.arange(3))


def test_the_chart_shows_promise_and_measure() -> None:
    parts = uplift_by_part(np.arange(20.0), np.arange(20.0), np.arange(20), parts=4)
    rows = decile_chart(parts, "conversions").rows()
    assert {row["series"] for row in rows} == {"measured", "promised", "no effect"}
