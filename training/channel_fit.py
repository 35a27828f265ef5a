"""How much more, or less, pushes change in one channel than in the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.scores import MeanEffect, Scores, mean_effect
from training.uplift import shrunk

_MOST = 5.0  # no channel is taken to do more than so many times as much


def channel_factors(
    channel: NDArray[np.str_], predicted: NDArray[np.float64], scores: Scores
) -> dict[str, float]:
    """By channel, mean effect over the predicted one, moved towards 1 by its error.

    What is sent and to whom differs between channels too: the prediction, which knows members and
    offers and no channel, takes that out. A channel that stands alone has factor 1.

    Args:
        channel: (n,) of each decision.
        predicted: (n, m) effects, out of fold; NaN where an offer was no candidate.
        scores: of the same decisions.
    """
    names = np.unique(channel).tolist()
    if len(names) < 2:
        return dict.fromkeys(names, 1.0)
    there = ~np.isnan(scores.uplift()) & ~np.isnan(predicted)
    count = np.maximum(there.sum(axis=1), 1)
    score = np.where(there, scores.uplift(), 0.0).sum(axis=1) / count
    told = np.where(there, predicted, 0.0).sum(axis=1) / count
    ratios = [
        _ratio(score[rows], told[rows], scores.member[rows])
        for rows in (there.any(axis=1) & (channel == name) for name in names)
    ]
    # What was predicted was learned of all channels: between them the factor is 1.
    moved, _ = shrunk(ratios, towards=1.0)
    factors = np.clip(moved, 0.0, _MOST).tolist()
    return dict(zip(names, factors, strict=True))


def _ratio(
    score: NDArray[np.float64], told: NDArray[np.float64], member: NDArray[np.int64]
) -> MeanEffect:
    """Mean of ``score`` over the mean of ``told``, its error by the delta method.

    Unknown, with an infinite error, where nothing is predicted to be gained.
    """
    level = float(told.mean()) if len(told) else 0.0
    if level <= 0:
        return MeanEffect(1.0, float("inf"))
    ratio = float(score.mean()) / level
    return MeanEffect(ratio, mean_effect(score - ratio * told, member).error / level)
