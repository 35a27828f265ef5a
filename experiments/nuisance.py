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
    table = _Standardised.of(features)
    sums = [
        [_Sums.of(table, log.outcome, np.flatnonzero((fold == one) & (column == action)))
         for action in range(actions)]
        for one in range(folds)
    ]  # fmt: skip
    told: dict[Kind, NDArray[np.float64]] = {
        kind: np.empty((len(column), actions)) for kind in ("mean", "ridge")
    }
    for one in range(folds):
        inside, mine = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
        means = action_means(log.outcome[inside], column[inside], actions)
        others = [
            sum((sums[f][action] for f in range(folds) if f != one), _Sums.none(table.columns))
            for action in range(actions)
        ]
        weights = _ridges(others, means)
        told["mean"][mine] = means
        for start in range(0, len(mine), _BLOCK):
            rows = mine[start : start + _BLOCK]
            told["ridge"][rows] = means + table.rows(rows) @ weights.T
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
class _Standardised:
    """Features with mean 0 and spread 1, missing ones 0; (k,) centre and scale."""

    features: NDArray[np.floating]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> _Standardised:
        # They tell nothing of rewards, so that all rows may be looked at.
        there = np.isfinite(features)
        count = np.maximum(there.sum(axis=0), 1)
        centre = np.where(there, features, 0.0).sum(axis=0, dtype=np.float64) / count
        square = (np.where(there, features - centre, 0.0) ** 2).sum(axis=0) / count
        return cls(features, centre, np.where(square > 0, np.sqrt(square), 1.0))

    @property
    def columns(self) -> int:
        return len(self.centre)

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        part = self.features[rows]
        return np.where(np.isfinite(part), (part - self.centre) / self.scale, 0.0)


@dataclass(frozen=True, eq=False)
class _Sums:
    """All that a ridge needs to know of some rows: ``X'X``, ``X'y`` and ``X'1``."""

    square: NDArray[np.float64]
    outcome: NDArray[np.float64]
    ones: NDArray[np.float64]

    @classmethod
    def none(cls, columns: int) -> _Sums:
        nothing = np.zeros(columns)
        return cls(np.zeros((columns, columns)), nothing, nothing)

    @classmethod
    def of(
        cls, table: _Standardised, outcome: NDArray[np.float64], rows: NDArray[np.int64]
    ) -> _Sums:
        found = cls.none(table.columns)
        for start in range(0, len(rows), _BLOCK):
            some = rows[start : start + _BLOCK]
            part = table.rows(some)
            found += cls(part.T @ part, part.T @ outcome[some], part.sum(axis=0))
        return found

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.square + other.square, self.outcome + other.outcome, self.ones + other.ones
        )


def _ridges(sums: list[_Sums], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """(actions, k) weights around the (actions,) ``means``: one ridge over all actions, and of
    what that leaves over one for each."""
    left = [one.outcome - mean * one.ones for one, mean in zip(sums, means, strict=True)]
    common = _solved(np.sum([one.square for one in sums], axis=0), np.sum(left, axis=0))
    own = [
        _solved(one.square, over - one.square @ common)
        for one, over in zip(sums, left, strict=True)
    ]
    return common + np.stack(own)


def _solved(square: NDArray[np.float64], outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.solve(square + _PENALTY * np.eye(len(outcome)), outcome))
