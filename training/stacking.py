"""Mixes the learners of the effect, which is what calibrates them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.scores import MeanEffect, Scores, mean_effect
from models.effect import Weights
from training.nuisances import Nuisances


@dataclass(frozen=True, eq=False)
class Parts:
    """Out-of-fold predictions of the effect, NaN where an offer was no candidate.

    near: (n, m, 4) change of near conversions by ``joint``, ``gains``, ``ridge`` and the offers'
        mean. elsewhere: (n, m) change of the others, by their ridge.
    """

    near: NDArray[np.float64]
    elsewhere: NDArray[np.float64]
    known: Nuisances

    def weights(self, rows: NDArray[np.bool_]) -> Weights:
        """The non-negative mix that is nearest to the scores of ``rows``, (n,) which to read.

        Source: stacked regressions (Breiman, Machine Learning 24, 1996), here of effects.
        """
        inside = self.known.open & rows[:, None]
        near = nearest_mix(self.near[inside], self.known.near.uplift()[inside]).tolist()
        return Weights(near[0], near[1], near[2], near[3], self._elsewhere(rows, inside))

    def mixes(self, weights: Weights) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, m) each: change of near conversions, and of the others."""
        w = np.array([weights.joint, weights.gains, weights.ridge, weights.level])
        return self.near @ w, self.elsewhere * weights.elsewhere

    def _elsewhere(self, rows: NDArray[np.bool_], inside: NDArray[np.bool_]) -> float:
        """Weight of the differences elsewhere; 0 unless they lower the error beyond its noise."""
        told = np.where(inside, self.elsewhere, np.nan)
        score = np.where(inside, self.known.rest.uplift(), np.nan)[rows]
        told = told[rows]
        spread = float(np.nansum(told**2))
        weight = max(float(np.nansum(told * score)) / spread, 0.0) if spread > 0 else 0.0
        closer = np.nansum(score**2 - (score - weight * told) ** 2, axis=1)
        better = mean_effect(closer, self.known.rest.member[rows])
        return weight if better.mean > better.error else 0.0


def nearest_mix(parts: NDArray[np.float64], score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights, none below zero, of the (rows, learners) whose mix is nearest to (rows,) scores."""
    from scipy.optimize import nnls

    gram, moment = parts.T @ parts, parts.T @ score
    held = max(1e-12 * float(np.trace(gram)), 1e-30)
    # NNLS of the Cholesky factor solves the same problem on 4 rows in place of all pairs.
    factor = np.linalg.cholesky(gram + held * np.eye(len(gram)))
    return np.asarray(nnls(factor.T, np.linalg.solve(factor, moment))[0])


def calibration_slope(mix: NDArray[np.float64], scores: Scores) -> MeanEffect:
    """Slope of score on prediction through the pairs, error clustered by member."""
    return _slope(mix, scores, centred=True)


def slope_through_origin(level: NDArray[np.float64], scores: Scores) -> MeanEffect:
    """As ``calibration_slope`` where nothing but the level is predicted: the line begins at 0."""
    return _slope(level, scores, centred=False)


def _slope(mix: NDArray[np.float64], scores: Scores, *, centred: bool) -> MeanEffect:
    score = scores.uplift()
    row, offer = np.nonzero(~np.isnan(score) & ~np.isnan(mix))
    x, y = mix[row, offer], score[row, offer]
    if centred:
        x, y = x - x.mean(), y - y.mean()
    spread = float((x**2).sum())
    if spread < 1e-12 * len(x):  # the same prediction for everybody has no slope
        return MeanEffect(float("nan"), float("inf"))
    slope = float((x * y).sum() / spread)
    by_member = np.bincount(scores.member[row], weights=x * (y - slope * x))
    return MeanEffect(slope, float(np.sqrt((by_member**2).sum()) / spread))
