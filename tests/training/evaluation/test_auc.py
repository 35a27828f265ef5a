from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.evaluation.auc import auc_difference_error


def drawn(
    seed: int, n: int = 400
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    happened = random.random(n) < 0.3
    ours = happened + random.normal(size=n)
    return happened, ours, 0.7 * ours + 0.7 * random.normal(size=n)


def test_is_the_spread_of_the_difference_over_many_draws() -> None:
    differences, errors = [], []
    for seed in range(200):
        happened, ours, theirs = drawn(seed)
        differences.append(roc_auc_score(happened, ours) - roc_auc_score(happened, theirs))
        ids = np.arange(len(happened)).astype(str)
        errors.append(auc_difference_error(happened, ours, theirs, ids))
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.15)


def test_a_member_with_many_rows_counts_as_one() -> None:
    happened, ours, theirs = drawn(0, 100)
    ids = np.arange(100).astype(str)
    once = auc_difference_error(happened, ours, theirs, ids)
    many = [np.repeat(array, 9) for array in (happened, ours, theirs, ids)]
    assert auc_difference_error(*many) == pytest.approx(once)


def test_equal_scores_differ_by_nothing_and_one_class_cannot_be_told() -> None:
    happened, ours, _ = drawn(1, 50)
    ids = np.arange(50).astype(str)
    assert auc_difference_error(happened, ours, ours, ids) == 0
    assert np.isnan(auc_difference_error(np.ones(50, dtype=bool), ours, ours, ids))
