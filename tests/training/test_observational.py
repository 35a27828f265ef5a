"""Sends that were not drawn by chance: estimated probabilities, and when they are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.scores import Drawn, doubly_robust
from tests.training.simulated import NAMES, simulated
from training.errors import TrainingError
from training.observational import Estimated, estimated
from training.push_log import NO_SEND, PushLog


def chosen_by_hand(
    rows: int, steepness: float, seed: int = 0
) -> tuple[PushLog, NDArray[np.float32], NDArray[np.float64]]:
    """Who has bought lately is sent something more often, and what was sent converts at 5 % more.

    Who has bought lately converts more anyway. The third array is the true probability.
    """
    world = simulated(rows, seed)
    rng = np.random.default_rng(seed)
    recent = -(world.values[:, 0] - 150) / 85
    chance = 1 / (1 + np.exp(-steepness * recent))
    sent = rng.random(rows) < chance
    offer = np.where(sent, rng.integers(0, 3, rows), NO_SEND)
    converted = rng.random(rows) < np.clip(0.1 + 0.05 * recent + 0.05 * sent, 0.01, 1)
    unknown = np.full(rows, np.nan)
    log = replace(world.log, offer=offer, converted=converted, probability=unknown)
    return log, world.values, np.where(sent, chance / 3, 1 - chance)


def estimate(log: PushLog, values: NDArray[np.float32]) -> Estimated:
    return estimated(log, values, NAMES, (), seed=0)


def test_probabilities_are_near_the_true_ones() -> None:
    log, values, truth = chosen_by_hand(6_000, steepness=0.8)
    found = estimate(log, values)
    assert found.kept.all()
    assert np.corrcoef(found.log.probability, truth)[0, 1] > 0.9
    assert found.log.probability.mean() == pytest.approx(truth.mean(), rel=0.05)


def test_weighing_takes_away_what_choice_put_into_the_effect() -> None:
    log, values, _ = chosen_by_hand(20_000, steepness=0.8)
    sent = log.offer != NO_SEND
    naive = log.converted[sent].mean() - log.converted[~sent].mean()
    assert naive > 0.075  # where 0.05 is true
    weighed = estimate(log, values).log
    drawn = Drawn(
        weighed.converted.astype(np.float64),
        weighed.offer,
        weighed.probability,
        np.ones((len(weighed), 3), dtype=bool),
        np.arange(len(weighed)),
    )
    flat = np.full((len(weighed), 4), log.converted.mean())
    for effect in doubly_robust(drawn, flat).effects():
        assert effect.mean == pytest.approx(0.05, abs=3 * effect.error)
        assert effect.error < 0.02


def test_members_nearly_always_sent_something_are_left_out() -> None:
    log, values, truth = chosen_by_hand(6_000, steepness=2.5)
    found = estimate(log, values)
    assert 0.02 < 1 - found.kept.mean() < 0.3
    assert len(found.log) == found.kept.sum()
    assert "of the decisions without overlap left out" in found.overlap.told
    assert truth[~found.kept].max() > 0.3  # of those sent one of three, and sent nothing


def test_a_rule_without_exception_is_refused() -> None:
    log, values, _ = chosen_by_hand(3_000, steepness=50)
    with pytest.raises(TrainingError, match="nobody to compare them with"):
        estimate(log, values)


def test_a_handful_left_out_is_refused() -> None:
    log, values, _ = chosen_by_hand(600, steepness=0.0)
    unsent = np.random.default_rng(0).random(len(log)) < 0.12
    log = replace(log, offer=np.where(unsent, NO_SEND, np.arange(len(log)) % 3))
    with pytest.raises(TrainingError, match="that were not sent are worth"):
        estimate(log, values)


def test_features_that_tell_nothing_leave_the_share_of_each_push() -> None:
    log, values, _ = chosen_by_hand(3_000, steepness=0.0)
    found = estimate(log, np.full_like(values, np.nan))
    assert found.kept.all()
    share = (log.offer != NO_SEND).mean()
    unsent = log.offer == NO_SEND
    assert found.log.probability[unsent] == pytest.approx(1 - share, abs=0.05)
