"""Which expectation of rewards is kept, and what becomes of rare actions and missing features."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.nuisance import action_means, cross_fitted
from experiments.scores import Drawn


def log_of(outcome: np.ndarray, column: np.ndarray) -> Drawn:
    n = len(outcome)
    return Drawn(outcome, column - 1, np.full(n, 1 / 3), np.ones((n, 2), bool), np.arange(n))


def test_where_features_tell_something_the_ridge_is_kept() -> None:
    rng = np.random.default_rng(1)
    features, column = rng.normal(size=(3_000, 4)), rng.integers(0, 3, 3_000)
    outcome = features[:, 0] * column + rng.normal(size=3_000)
    found = cross_fitted(log_of(outcome, column), features)
    assert found.kind == "ridge"
    for action in range(3):
        slope = np.polyfit(features[:, 0], found.matrix[:, action], 1)[0]
        assert slope == pytest.approx(action, abs=0.15)


def test_where_they_tell_nothing_the_means_are_kept() -> None:
    rng = np.random.default_rng(2)
    features, column = rng.normal(size=(400, 40)), rng.integers(0, 3, 400)
    found = cross_fitted(log_of(column + rng.normal(size=400), column), features)
    assert found.kind == "mean"
    assert found.loss["mean"] < found.loss["ridge"]


def test_an_action_with_one_decision_is_taken_for_one_like_the_others() -> None:
    outcome = np.append(np.zeros(100), 1_000.0)
    column = np.append(np.zeros(100, dtype=np.int64), 1)
    means = action_means(outcome, column, 3)
    overall = 1_000 / 101
    assert means[2] == pytest.approx(overall)
    assert means[1] == pytest.approx((1_000 + 50 * overall) / 51)


def test_missing_features_are_no_obstacle() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(500, 3)).astype(np.float32)
    features[rng.random((500, 3)) < 0.3] = np.nan
    features[:, 2] = np.nan
    found = cross_fitted(log_of(rng.normal(size=500), rng.integers(0, 3, 500)), features)
    assert np.isfinite(found.matrix).all()
