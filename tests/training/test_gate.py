"""The gate: personal decisions only where they beat the best single offer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.scores import Scores
from training.gate import Gate, gate


def gated(true: NDArray[np.float64], told: NDArray[np.float64], noise: float, seed: int) -> Gate:
    """What the gate says of ``told`` where ``true`` effects of one offer show with noise."""
    rng = np.random.default_rng(seed)
    n = len(true)
    matrix = np.column_stack([np.zeros(n), true + rng.normal(0, noise, n)])
    return gate(told[:, None] - told.mean(), np.array([true.mean()]), Scores(matrix, np.arange(n)))


def test_differences_that_are_there_are_used_whole() -> None:
    true = np.random.default_rng(0).normal(0.01, 0.02, 20_000)
    found = gated(true, true, 0.3, seed=1)
    assert found.personal == 1.0
    assert found.verdict.startswith("personal decisions beat the best single offer")


def test_where_nobody_differs_it_seldom_finds_a_difference() -> None:
    opened = 0
    for seed in range(100):
        told = np.random.default_rng(1_000 + seed).normal(0, 0.01, 2_000)
        opened += gated(np.full(2_000, 0.01), told, 0.3, seed).personal > 0
    assert opened <= 12


def test_a_ranking_upside_down_is_not_used() -> None:
    true = np.random.default_rng(0).normal(0.01, 0.05, 20_000)
    found = gated(true, -true, 0.3, seed=1)
    assert found.personal == 0.0
    assert found.verdict == "no reliable heterogeneity"
