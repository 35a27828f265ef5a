"""What the best choice of a week would have earned: knowing everything, or what features tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from models.pairs import PairFeatures
from models.trees import ONE_THREAD_BELOW
from training.market.truth import PushTruth

if TYPE_CHECKING:
    import lightgbm

_MOST_PAIRS = 200_000  # that each side learns from
_TREES = {
    "num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 50, "feature_fraction": 0.5,
    "verbosity": -1, "deterministic": True, "seed": 0,
}  # fmt: skip
_ROUNDS = 200


def best_choice(
    gain: NDArray[np.float64], allowed: NDArray[np.bool_], most: int
) -> NDArray[np.int64]:
    """(n,) the offer of each member by the ``gain`` (n, m), -1 for none.

    Each gets the offer of the largest gain, where that is above 0; of the members who are
    ``allowed`` (n,), the ``most`` with the largest ones.
    """
    offer = gain.argmax(axis=1)
    best = np.where(allowed, gain.max(axis=1), -np.inf)
    rows = np.argsort(-best, kind="stable")[: max(most, 0)]
    rows = rows[best[rows] > 0]
    chosen = np.full(len(gain), -1)
    chosen[rows] = offer[rows]
    return chosen


@dataclass(frozen=True, eq=False)
class KnownWeek:
    """What the shop knew of its members when a push went out, and what is true of it.

    values: (n, features ``names``), aligned with the members of ``truth``.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    offers: tuple[Offer, ...]
    truth: PushTruth


def what_features_tell(weeks: Sequence[KnownWeek], seed: int) -> list[NDArray[np.float64]]:
    """(n, m) the gain of each pair of each week, as well as features can tell it.

    The truth itself, of all weeks and without any noise, is regressed on the features that the
    response model reads; each member is told by the others' truth. No shop can know this. It is
    what its model would come to with endless data, as far as a regression of so many pairs finds
    it: a little less than the features hold.
    """
    pairs = PairFeatures.fit(weeks[0].values, weeks[0].names)
    members = len(weeks[0].values)
    half = np.random.default_rng(seed).permutation(members) % 2
    models = [_regressed(weeks, pairs, half != side, seed) for side in (0, 1)]
    told = []
    for week in weeks:
        gain = np.zeros(week.truth.expected_gain.shape)
        for side in (0, 1):
            rows = np.flatnonzero(half == side)
            table = pairs.table(week.values[rows], week.names, week.offers)
            scored = models[side].predict(table, num_threads=1)
            gain[rows] = np.asarray(scored).reshape(len(rows), -1)
        told.append(gain)
    return told


def _regressed(
    weeks: Sequence[KnownWeek], pairs: PairFeatures, inside: NDArray[np.bool_], seed: int
) -> lightgbm.Booster:
    """Trees for the true gain of pairs of the members ``inside``, an equal part of each week's."""
    import lightgbm

    rng = np.random.default_rng([seed, 1])
    tables, gains = [], []
    for week in weeks:
        offers = len(week.offers)
        rows = rng.permutation(np.flatnonzero(inside))[: _MOST_PAIRS // (offers * len(weeks))]
        tables.append(pairs.table(week.values[rows], week.names, week.offers))
        gains.append(week.truth.expected_gain[rows].ravel())
    gain = np.concatenate(gains)
    threads = {"num_threads": 1 if len(gain) < ONE_THREAD_BELOW else 0}
    data = lightgbm.Dataset(np.concatenate(tables), label=gain)
    return lightgbm.train(_TREES | threads, data, num_boost_round=_ROUNDS)
