"""A challenger whose choices are credibly worth less than the champion's is stopped."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.scores import Drawn, Scores, doubly_robust
from training.gates import gate_checks
from training.policy_gate import METRIC, greedy, policy_gate

SHARE = np.array([0.4, 0.3, 0.3])
TRUTH = np.array([1.0, 2.0, 0.5])  # of no send, a good offer and a bad one


def decided(n: int) -> tuple[Drawn, Scores]:
    rng = np.random.default_rng(4)
    column = rng.choice(3, n, p=SHARE)
    reward = TRUTH[column] + rng.normal(size=n)
    drawn = Drawn(reward, column - 1, SHARE[column], np.ones((n, 2), bool), np.arange(n))
    return drawn, doubly_robust(drawn, np.tile(TRUTH, (n, 1)))


def always(n: int, column: int) -> NDArray[np.float64]:
    policy = np.zeros((n, 3))
    policy[:, column] = 1.0
    return policy


def test_the_best_candidate_is_sent_where_it_gains_something() -> None:
    gain = np.array([[1.0, 2.0], [3.0, 9.0], [-1.0, -2.0]])
    candidates = np.array([[True, True], [True, False], [True, True]])
    assert greedy(gain, candidates).argmax(axis=1).tolist() == [2, 1, 0]


def test_a_challenger_that_is_credibly_worse_does_not_pass() -> None:
    drawn, scores = decided(4_000)
    found = policy_gate(drawn, scores, always(4_000, 2), always(4_000, 1))
    (check,) = found.checks
    assert not check.passed
    assert check.found.startswith("-14")
    assert found.comparison is not None
    assert found.comparison.champion == pytest.approx(2000, rel=0.05)
    assert found.comparison.ours == pytest.approx(500, rel=0.2)
    assert check in gate_checks([found.comparison], found.checks)


def test_a_better_one_and_the_same_again_pass() -> None:
    drawn, scores = decided(4_000)
    for ours, champion in ((1, 2), (1, 1)):
        found = policy_gate(drawn, scores, always(4_000, ours), always(4_000, champion))
        assert all(check.passed for check in found.checks)
    assert found.comparison is not None
    assert (found.comparison.metric, found.comparison.error) == (METRIC, 0.0)


def test_a_little_worse_by_chance_passes() -> None:
    drawn, scores = decided(400)
    other = always(400, 1)
    other[:4] = always(4, 2)
    (check,) = policy_gate(drawn, scores, other, always(400, 1)).checks
    assert check.passed


def test_without_a_champion_there_is_a_figure_and_no_gate() -> None:
    drawn, scores = decided(4_000)
    found = policy_gate(drawn, scores, always(4_000, 1), None)
    assert found.checks == ()
    assert found.comparison is not None
    assert found.comparison.baselines["nothing"] == pytest.approx(1000, rel=0.1)
    assert math.isfinite(found.comparison.ours)


def test_where_the_log_cannot_tell_nothing_is_stopped_and_the_reason_is_told() -> None:
    drawn, scores = decided(60)
    found = policy_gate(drawn, scores, always(60, 2), always(60, 1))
    assert found.comparison is None
    assert "after weighing" in found.told
    (check,) = found.checks
    assert check.passed
    assert check.found.startswith("cannot say: ")
