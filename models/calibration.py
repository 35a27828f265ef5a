"""Platt scaling: from a model's raw score to a probability that keeps its word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

_STEPS = 50
_RIDGE = 1e-9  # keeps Newton's matrix invertible; far below what one member's outcome weighs


@dataclass(frozen=True, slots=True)
class Platt:
    """``probability = 1 / (1 + exp(-(slope * score + intercept)))``; the slope is 0 or more."""

    slope: float
    intercept: float

    def probability(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) probabilities, strictly between 0 and 1, of (n,) raw scores (log odds)."""
        return sigmoid(self.slope * scores + self.intercept)


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logistic function, without overflow; kept off 0 and 1 so that its logarithm is finite."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30.0, 30.0))), dtype=np.float64)


def fit_platt(scores: NDArray[np.float64], outcomes: NDArray[np.bool_]) -> Platt:
    """Fit the two numbers on scores of members that the model was not fitted on.

    Outcomes are smoothed to ``(positives + 1) / (positives + 2)`` and ``1 / (negatives + 2)``, so
    that a window of one class only still gives a finite answer. Scores that say nothing, or rank
    the wrong way round, get slope 0: everybody has the window's rate.

    Args:
        scores: (n,) finite raw scores.
        outcomes: (n,) whether the thing happened.

    Raises:
        ModelError: no rows, or a score that is not finite.

    Source: Platt 1999; Newton's method with step halving after Lin, Lin and Weng,
    Machine Learning 68, 2007.
    """
    if not len(scores):
        raise ModelError("no rows to calibrate on, wanted at least 1")
    if not np.isfinite(scores).all():
        row = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ModelError(f"score of row {row} is {scores[row]}, wanted a finite number")
    positives = int(outcomes.sum())
    negatives = len(outcomes) - positives
    target = np.where(outcomes, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    level = Platt(0.0, float(np.log(target.mean() / (1 - target.mean()))))
    spread = float(scores.std())
    if spread == 0:
        return level
    centre = float(scores.mean())
    slope, intercept = _newton((scores - centre) / spread, target, level.intercept)
    if slope <= 0:
        return level
    return Platt(slope / spread, intercept - slope * centre / spread)


def _newton(
    x: NDArray[np.float64], target: NDArray[np.float64], start: float
) -> tuple[float, float]:
    design = np.column_stack([x, np.ones_like(x)])
    weights = np.array([0.0, start])
    loss = _loss(design @ weights, target)
    for _ in range(_STEPS):
        probability = sigmoid(design @ weights)
        gradient = design.T @ (probability - target)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design
        step = np.linalg.solve(curvature + _RIDGE * np.eye(2), gradient)
        size = 1.0
        while size > 1e-10 and _loss(design @ (weights - size * step), target) > loss:
            size /= 2
        weights = weights - size * step
        smaller = _loss(design @ weights, target)
        if loss - smaller < 1e-12 * len(x):
            break
        loss = smaller
    return float(weights[0]), float(weights[1])


def _loss(log_odds: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0.0, log_odds) - target * log_odds).sum())
