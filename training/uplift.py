"""The doubly robust score: what each offer changed, one number a member and offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SPREADS = 200


@dataclass(frozen=True, slots=True)
class MeanEffect:
    """An average of scores and its standard error, clustered by member."""

    mean: float
    error: float


def scores(
    outcome: NDArray[np.float64],
    chosen: NDArray[np.int64],
    probability: NDArray[np.float64],
    expected_if_sent: NDArray[np.float64],
    expected_if_not: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Doubly robust scores of sending each offer instead of nothing, (n, m).

    ``G[i, j] − G[i, 0]`` with ``G[i, a] = mu_a(x_i) + 1{a_i = a} (y_i − mu_a(x_i)) / e_i``. Its
    column means are average effects, and its regression on features is the uplift, whatever the
    quality of ``mu``, because the probabilities are known.

    Args:
        outcome: (n,) what happened.
        chosen: (n,) position of the offer sent, -1 for no send.
        probability: (n,) of that choice, above 0.
        expected_if_sent: (n, m), expected_if_not: (n,); fitted without the member's own rows.

    Source: Robins, Rotnitzky and Zhao, JASA 89, 1994.
    """
    score = expected_if_sent - expected_if_not[:, None]
    rows = np.flatnonzero(chosen >= 0)
    residual = outcome[rows] - expected_if_sent[rows, chosen[rows]]
    score[rows, chosen[rows]] += residual / probability[rows]
    unsent = np.flatnonzero(chosen < 0)
    score[unsent] -= ((outcome[unsent] - expected_if_not[unsent]) / probability[unsent])[:, None]
    return score


def mean_effect(score: NDArray[np.float64], member: NDArray[np.int64]) -> MeanEffect:
    """Mean of (n,) scores; ``member`` numbers whose row each is, for the standard error."""
    n = len(score)
    if n == 0:
        return MeanEffect(0.0, float("inf"))
    mean = float(score.mean())
    by_member = np.bincount(member, weights=score - mean)
    return MeanEffect(mean, float(np.sqrt((by_member**2).sum()) / n))


def shrunk(effects: Sequence[MeanEffect]) -> tuple[list[float], float]:
    """Each mean moved towards the common one by how uncertain it is, and the common one.

    The spread of the true effects is averaged over, not fixed at its likeliest value: that is
    often 0, and offers moved all the way to one number would keep no order.

    An error is taken as at least a tenth of the middle one: an offer whose outcome never varied
    (none can be used) is no reason to believe that the others are like it.

    Source: the hierarchical normal model with a half-Cauchy prior on the spread, here as wide as
    the middle error (Gelman, Bayesian Analysis 1, 2006).
    """
    errors = np.array([effect.error for effect in effects])
    known = np.isfinite(errors)
    if not known.any():
        return [0.0 for _ in effects], 0.0
    least = 0.1 * float(np.median(errors[known]))
    mean = np.array([effect.mean for effect in effects])[known]
    squared = np.maximum(errors[known], max(least, 1e-12)) ** 2
    # Up to the range of the means beside their errors: above that no spread is likely.
    spread = np.linspace(0.0, np.ptp(mean) + np.sqrt(squared.min()), _SPREADS)[:, None] ** 2
    weight = 1 / (squared + spread)
    common = (weight * mean).sum(axis=1) / weight.sum(axis=1)
    misfit = (weight * (mean - common[:, None]) ** 2).sum(axis=1)
    fit = 0.5 * (np.log(weight).sum(axis=1) - np.log(weight.sum(axis=1)) - misfit)
    before = 1 / (1 + spread[:, 0] / np.median(squared))
    likely = before * np.exp(fit - fit.max())
    likely /= likely.sum()
    moved = np.full(len(effects), float(likely @ common))
    share = spread / (spread + squared)
    moved[known] = likely @ (common[:, None] + share * (mean - common[:, None]))
    return moved.tolist(), float(likely @ common)
