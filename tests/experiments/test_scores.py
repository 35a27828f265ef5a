"""The doubly robust score matrix on draws whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from experiments.errors import ExperimentError
from experiments.scores import Drawn, Scores, doubly_robust, mean_effect

TRUTH = np.array([0.10, 0.12, 0.20])  # no send, then two offers


def drawn(n: int, seed: int) -> Drawn:
    rng = np.random.default_rng(seed)
    share = np.array([0.5, 0.2, 0.3])
    column = rng.choice(3, n, p=share)
    return Drawn(
        outcome=(rng.random(n) < TRUTH[column]).astype(np.float64),
        chosen=(column - 1).astype(np.int64),
        probability=share[column],
        candidates=np.ones((n, 2), dtype=bool),
        member=np.arange(n) // 2,
    )


def level(n: int, value: float) -> NDArray[np.float64]:
    return np.full((n, 3), value)


def test_one_decision_by_hand() -> None:
    one = Drawn(
        outcome=np.array([1.0]),
        chosen=np.array([1]),
        probability=np.array([0.25]),
        candidates=np.array([[True, True]]),
        member=np.array([0]),
    )
    scores = doubly_robust(one, np.array([[0.1, 0.2, 0.3]]))
    assert scores.matrix[0] == pytest.approx([0.1, 0.2, 0.3 + 0.7 / 0.25])


@pytest.mark.parametrize("expected", [0.0, 0.5])
def test_effects_are_found_whatever_is_expected(expected: float) -> None:
    scores = doubly_robust(drawn(60_000, 1), level(60_000, expected))
    for effect, truth in zip(scores.effects(), TRUTH[1:] - TRUTH[0], strict=True):
        assert abs(effect.mean - truth) < 4 * effect.error
    assert abs(scores.contrast(1, 0).mean - 0.08) < 4 * scores.contrast(1, 0).error


def test_good_expectations_make_it_steadier() -> None:
    some = drawn(20_000, 2)
    good = doubly_robust(some, np.tile(TRUTH, (20_000, 1)))
    bad = doubly_robust(some, level(20_000, 0.9))
    assert good.effects()[0].error < 0.7 * bad.effects()[0].error


@given(st.integers(0, 1_000), st.floats(0.0, 1.0))
def test_a_policy_that_draws_is_worth_the_mix_of_what_it_draws_from(
    seed: int, share: float
) -> None:
    scores = doubly_robust(drawn(50, seed), level(50, 0.1))
    never, first = np.full(50, -1), np.zeros(50, dtype=np.int64)
    policy = np.tile([1 - share, share, 0.0], (50, 1))
    mix = (1 - share) * scores.value(never).mean + share * scores.value(first).mean
    assert scores.drawn_value(policy).mean == pytest.approx(mix, abs=1e-9)


@given(st.integers(0, 1_000))
def test_the_advantage_of_a_policy_over_no_send_is_its_gain(seed: int) -> None:
    scores = doubly_robust(drawn(40, seed), level(40, 0.2))
    chosen = np.random.default_rng(seed).integers(-1, 2, 40)
    never = np.full(40, -1)
    assert scores.advantage(chosen, never) == scores.gain(chosen)
    assert scores.advantage(chosen, chosen).mean == 0.0


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        low, high = doubly_robust(drawn(1_000, seed), level(1_000, 0.1)).effects()[1].interval(0.9)
        covered += low <= 0.10 <= high
    assert 168 <= covered <= 192


def test_an_offer_that_was_no_candidate_has_no_score() -> None:
    some = drawn(100, 3)
    some = replace(
        some, chosen=np.minimum(some.chosen, 0), candidates=np.tile([True, False], (100, 1))
    )
    scores = doubly_robust(some, np.tile([0.1, 0.1, np.nan], (100, 1)))
    assert np.isnan(scores.matrix[:, 2]).all()
    assert scores.effects()[1].error == float("inf")
    with pytest.raises(
        ExperimentError, match="100 decisions are given an offer that was no candidate"
    ):
        scores.value(np.ones(100, dtype=np.int64))


def test_what_cannot_be_scored_is_refused() -> None:
    some = drawn(10, 4)
    with pytest.raises(ExperimentError, match="not above 0"):
        doubly_robust(replace(some, probability=np.zeros(10)), level(10, 0.1))
    with pytest.raises(ExperimentError, match="not finite"):
        doubly_robust(some, level(10, np.nan))
    with pytest.raises(ExperimentError, match="does not list it"):
        doubly_robust(replace(some, candidates=np.zeros((10, 2), dtype=bool)), level(10, 0.1))
    with pytest.raises(ExperimentError, match=r"row 0 of the policy adds up to 0\.3"):
        doubly_robust(some, level(10, 0.1)).drawn_value(np.full((10, 3), 0.1))


def test_repeating_every_row_does_not_make_an_effect_more_certain() -> None:
    once = np.random.default_rng(0).normal(0.1, 1, 1_000)
    single = mean_effect(once, np.arange(1_000))
    tenfold = mean_effect(np.repeat(once, 10), np.repeat(np.arange(1_000), 10))
    assert tenfold.error == pytest.approx(single.error)


def test_some_rows_keep_their_scores() -> None:
    scores = doubly_robust(drawn(20, 5), level(20, 0.1))
    kept = scores.part(np.arange(20) < 5)
    assert isinstance(kept, Scores)
    assert (kept.matrix == scores.matrix[:5]).all()
