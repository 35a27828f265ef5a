from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.yardsticks import KnownWeek, best_choice, what_features_tell
from training.market import weekly
from training.market.clock import shopping_days
from training.market.config import MarketConfig
from training.market.live import open_live, tell
from training.market.world import sending_of

ALL = np.ones(3, dtype=bool)
GAIN = np.array([[1.0, 3.0], [2.0, -1.0], [-1.0, -2.0]])


@pytest.mark.parametrize(
    ("most", "allowed", "chosen"),
    [
        (3, ALL, [1, 0, -1]),  # nobody gets what loses money
        (1, ALL, [1, -1, -1]),
        (2, np.array([False, True, True]), [-1, 0, -1]),
        (0, ALL, [-1, -1, -1]),
    ],
)
def test_the_best_choice_takes_the_largest_gains_above_zero(
    most: int, allowed: NDArray[np.bool_], chosen: list[int]
) -> None:
    assert best_choice(GAIN, allowed, most).tolist() == chosen


@pytest.mark.parametrize("seed", range(5))
def test_no_choice_of_the_same_size_gains_more_than_the_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gain, allowed = rng.normal(size=(50, 3)), rng.random(50) < 0.8
    best = best_choice(gain, allowed, 10)
    sent = best >= 0
    assert sent.sum() <= 10
    for _ in range(200):
        rows = rng.permutation(np.flatnonzero(allowed))[: rng.integers(0, 11)]
        other = gain[rows, rng.integers(0, 3, len(rows))].sum()
        assert other <= gain[np.flatnonzero(sent), best[sent]].sum() + 1e-12


def _week(told: bool) -> KnownWeek:
    """A real week of the market in which features tell all of the gain, or nothing."""
    config = MarketConfig(members=2_000, seed=6)
    live, _ = tell(open_live(config, 2 * weekly.WEEK), shopping_days(config.history_end))
    sending = sending_of(live.world, weekly.weekly_push(config, 1, 400))
    truth = live.truth(sending)
    rng = np.random.default_rng(0)
    gain = rng.normal(size=truth.expected_gain.shape)
    signal = gain[:, 0] if told else rng.normal(size=len(gain))
    truth = replace(truth, expected_gain=np.repeat(gain[:, :1], gain.shape[1], axis=1))
    values = np.column_stack([signal, rng.normal(size=len(gain))]).astype(np.float32)
    return KnownWeek(values, ("signal", "noise"), sending.offers, truth)


def test_what_features_tell_is_told_by_other_members_alone() -> None:
    known, blind = _week(told=True), _week(told=False)
    (told,), (nothing,) = what_features_tell([known], 0), what_features_tell([blind], 0)
    truth = known.truth.expected_gain
    assert np.corrcoef(told.ravel(), truth.ravel())[0, 1] > 0.95
    # A member who told of itself would be found again here.
    assert abs(np.corrcoef(nothing.ravel(), blind.truth.expected_gain.ravel())[0, 1]) < 0.1
