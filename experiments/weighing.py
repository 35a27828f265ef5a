"""How much weighed decisions are worth, and whether their weights are what they should be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.scores import MeanEffect, mean_effect

LEAST_EFFECTIVE = 100  # decisions, after weighing
FEW_EFFECTIVE = 1_000  # fewer than these are told
MOST_OFF = 3.0  # standard errors that a mean weight may be away from 1
_ROUNDING = 1e-9


def effective_size(weight: NDArray[np.float64]) -> float:
    """Decisions that the weighed ones are worth, ``(sum w)^2 / sum w^2``.

    Source: Kish, Survey Sampling, 1965.
    """
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def mean_weight(weight: NDArray[np.float64], member: NDArray[np.int64]) -> MeanEffect:
    """Where the logged probabilities are right, this is 1 but for chance."""
    return mean_effect(weight, member)


def off_one(mean: float, error: float) -> bool:
    """Whether a mean weight is further from 1 than chance explains."""
    return abs(mean - 1) > max(MOST_OFF * error, _ROUNDING)
