"""What rewards are expected with each action, out of fold: what makes doubly robust values steady.

Two rivals: the mean reward of each action, and a ridge over all actions with a correction for each.
Both draw an action with few decisions towards the others. Whichever told the rewards of other
members better stays; a value is unbiased with either.

Source: cross-fitting: Chernozhukov et al., Econometrics Journal 21, 2018; partial pooling as ridge:
Gelman and Hill, Data Analysis Using Regression and Multilevel Models, 2007, chapter 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experiments.scores import Drawn

FOLDS = 5
_WORTH = 50.0  # decisions that an action needs for its own mean to count as much as all others'
_PENALTY = 30.0  # of standardised columns, in decisions
_BLOCK = 65_536  # rows at a time

Kind = Literal["mean", "ridge"]


@dataclass(frozen=True, eq=False)
class Expected:
    """matrix: (n, 1 + m) expected reward, no send first, finite everywhere; none of it saw the
    member's own rewards. kind: the rival that told better. loss: mean squared error of each."""

    matrix: NDArray[np.float64]
    kind: Kind
    loss: dict[Kind, float]


def cross_fitted(log: Drawn, features: NDArray[np.floating], folds: int = FOLDS) -> Expected:
    """Expectations of ``log.outcome`` from (n, k) ``features`` as of each decision.

    Folds go by member. A missing feature (NaN) counts as the mean of its column.
    """
    fold = np.unique(log.member, return_inverse=True)[1] % folds
    column = 1 + log.chosen
    actions = 1 + log.candidates.shape[1]
    told: dict[Kind, NDArray[np.float64]] = {
        kind: np.empty((len(column), actions)) for kind in ("mean", "ridge")
    }
    for one in range(folds):
        inside, mine = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
        means = action_means(log.outcome[inside], column[inside], actions)
        told["mean"][mine] = means
        ridge = _Ridge.fit(features[inside], log.outcome[inside], column[inside], means)
        for start in range(0, len(mine), _BLOCK):
            rows = mine[start : start + _BLOCK]
            told["ridge"][rows] = ridge.predict(features[rows])
    chosen = np.arange(len(column)), column
    loss: dict[Kind, float] = {
        kind: float(((log.outcome - one[chosen]) ** 2).mean()) for kind, one in told.items()
    }
    best = min(loss, key=lambda kind: loss[kind])
    return Expected(told[best], best, loss)


def action_means(
    outcome: NDArray[np.float64], column: NDArray[np.int64], actions: int
) -> NDArray[np.float64]:
    """(actions,) mean reward of each, drawn towards that of all by how few decisions it has."""
    count = np.bincount(column, minlength=actions)
    total = np.bincount(column, weights=outcome, minlength=actions)
    overall = float(outcome.mean()) if len(outcome) else 0.0
    return np.asarray((total + _WORTH * overall) / (count + _WORTH))


@dataclass(frozen=True, eq=False)
class _Ridge:
    """means: (actions,). centre, scale: (k,) of the columns. weights: (actions, k)."""

    means: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        features: NDArray[np.floating],
        outcome: NDArray[np.float64],
        column: NDArray[np.int64],
        means: NDArray[np.float64],
    ) -> _Ridge:
        there = np.isfinite(features)
        count = np.maximum(there.sum(axis=0), 1)
        centre = np.where(there, features, 0.0).sum(axis=0, dtype=np.float64) / count
        spread = np.where(there, features - centre, 0.0)
        scale = np.sqrt((spread**2).sum(axis=0, dtype=np.float64) / count)
        scale = np.where(scale > 0, scale, 1.0)
        table = spread / scale
        residual = outcome - means[column]
        common = _solved(table, residual)
        residual = residual - table @ common
        weights = np.tile(common, (len(means), 1))
        for action in np.unique(column):
            rows = column == action
            weights[action] += _solved(table[rows], residual[rows])
        return cls(means, centre, scale, weights)

    def predict(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        table = np.where(np.isfinite(features), (features - self.centre) / self.scale, 0.0)
        return np.asarray(self.means + table @ self.weights.T)


def _solved(table: NDArray[np.float64], outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    square = table.T @ table + _PENALTY * np.eye(table.shape[1])
    return np.asarray(np.linalg.solve(square, table.T @ outcome))
