"""Trees or a logistic regression: whichever told better, out of fold, what would happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.calibration import sigmoid
from models.effect import SENT, with_sending
from models.linear import Linear
from models.response import Chance
from training.learning import FOLDS, Growth, Learning, Target, grow
from training.linear_fit import fit_linear

Kind = Literal["trees", "linear"]
KINDS: tuple[Kind, ...] = ("trees", "linear")
PENALTY = 30.0  # as of ``fit_linear``: outcomes are rare and columns many
_CHANCE = Growth("binary")
# Nothing is so sure that one surprise decides a race.
_LEAST = 1e-5


@dataclass(frozen=True, eq=False)
class Raced:
    """kind: the one that told better. score: (n,) its log odds out of fold."""

    kind: Kind
    score: NDArray[np.float64]


def race(learning: Learning, asked: NDArray[np.bool_], happened: NDArray[np.bool_]) -> Raced:
    """Learn from the rows ``asked``, (n,), whether it ``happened``, (n,); score every row."""
    raced = []
    for kind in KINDS:
        score = np.zeros(len(learning))
        for fold in range(FOLDS):
            mine = learning.fold == fold
            model = fit_chance(kind, learning, np.flatnonzero(asked & ~mine), happened)
            score[mine] = model.score(learning.values[mine], learning.names)
        raced.append(Raced(kind, score))
    return min(raced, key=lambda one: log_loss(sigmoid(one.score[asked]), happened[asked]))


def fit_chance(
    kind: Kind, learning: Learning, rows: NDArray[np.int64], happened: NDArray[np.bool_]
) -> Chance:
    """Log odds of ``happened``, (n,), by member, from ``rows``."""
    values, outcome = learning.values[rows], happened[rows]
    if kind == "linear" and len(rows):
        return fit_linear(values, learning.names, outcome, learning.categories, PENALTY)
    target = Target(outcome.astype(np.float64))
    return grow(values, learning.names, target, learning.seed, _CHANCE)


@dataclass(frozen=True, eq=False)
class LinearRates:
    """A logistic regression of pair features with ``SENT``: the linear rival of ``Joint``.

    weight: how many rows without a conversion each one that was learned from stood for.
    """

    linear: Linear
    weight: float

    def rates(
        self, table: NDArray[np.float32], names: tuple[str, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(pairs,) rate if not sent, and if sent."""
        both = []
        for side in (False, True):
            told = with_sending(table, names, np.full(len(table), side))
            # Leaving out rows without a conversion multiplies the odds, and nothing else.
            both.append(sigmoid(self.linear.score(told, (*names, SENT)) - np.log(self.weight)))
        return both[0], both[1]


def log_loss(probability: NDArray[np.float64], happened: NDArray[np.bool_]) -> float:
    """Mean of −log of the probability given to what happened, in nats."""
    told = np.clip(np.where(happened, probability, 1 - probability), _LEAST, 1.0)
    return -float(np.log(told).mean()) if len(told) else 0.0
