"""Means of offers, each moved towards the common one by how uncertain it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.scores import MeanEffect

_SPREADS = 200


def shrunk(
    effects: Sequence[MeanEffect], towards: float | None = None
) -> tuple[list[float], float]:
    """Each mean moved towards the common one by how uncertain it is, and the common one.

    The common one is found from the effects, unless it is known to be ``towards``.

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
        nothing = towards or 0.0
        return [nothing for _ in effects], nothing
    least = 0.1 * float(np.median(errors[known]))
    mean = np.array([effect.mean for effect in effects])[known]
    squared = np.maximum(errors[known], max(least, 1e-12)) ** 2
    # Up to the range of the means beside their errors: above that no spread is likely.
    widest = np.ptp(mean if towards is None else np.append(mean, towards))
    spread = np.linspace(0.0, widest + np.sqrt(squared.min()), _SPREADS)[:, None] ** 2
    weight = 1 / (squared + spread)
    if towards is None:
        common = (weight * mean).sum(axis=1) / weight.sum(axis=1)
        free = np.log(weight.sum(axis=1))
    else:
        common, free = np.full(_SPREADS, towards), np.zeros(_SPREADS)
    misfit = (weight * (mean - common[:, None]) ** 2).sum(axis=1)
    fit = 0.5 * (np.log(weight).sum(axis=1) - free - misfit)
    before = 1 / (1 + spread[:, 0] / np.median(squared))
    likely = before * np.exp(fit - fit.max())
    likely /= likely.sum()
    moved = np.full(len(effects), float(likely @ common))
    share = spread / (spread + squared)
    moved[known] = likely @ (common[:, None] + share * (mean - common[:, None]))
    return moved.tolist(), float(likely @ common)
