"""Learn from sends that were not drawn by chance: estimated probabilities, and whether they do.

Whoever was sent something by a rule or by hand differs from the rest. Where the features tell all
of that difference, the probability of being sent something, given the features, can stand for the
one that chance would have had. Whether they do cannot be seen in the data; only that members who
were sent something and members who were not can be compared at all can. So everything that is
learned this way is marked ``observational``.

Source: Rosenbaum and Rubin, Biometrika 70, 1983; members without their like are left out after
Crump, Hotz, Imbens and Mitnik, Biometrika 96, 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.calibration import sigmoid
from training.errors import TrainingError
from training.learning import FOLDS, Growth, Learning, Target, grow
from training.linear_fit import fit_linear
from training.push_log import NO_SEND, PushLog

LOWEST, HIGHEST = 0.02, 0.98  # of the probability of being sent anything
MOST_OUTSIDE = 0.3  # share of the decisions that may lie outside
LEAST_EFFECTIVE = 100.0
_PENALTY = 10.0
_SMOOTH = 1.0  # decisions of each kind that a push is taken to have had beforehand

# One way to estimate: from the rows to learn from, and those to answer for, to their probability.
_Learner = Callable[["_Table", NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How well members who were sent something compare with members who were not.

    learner: which estimate was the best out of fold. outside: share of decisions left out because
    members like them were nearly always, or never, sent something.
    effective_sent, effective_unsent: how many decisions of each side the weighted ones are worth,
    (Σw)² / Σw².
    """

    learner: str
    outside: float
    effective_sent: float
    effective_unsent: float

    @property
    def told(self) -> str:
        return (
            f"{self.outside:.1%} of the decisions without overlap left out; worth "
            f"{self.effective_sent:.0f} sent and {self.effective_unsent:.0f} not sent; "
            f"probabilities by {self.learner}"
        )


@dataclass(frozen=True, eq=False)
class Estimated:
    """kept: (n,) decisions with overlap. log: only those, with estimated probabilities."""

    log: PushLog
    kept: NDArray[np.bool_]
    overlap: Overlap


@dataclass(frozen=True, eq=False)
class _Table:
    """Features of n decisions, and of which push and kind each is."""

    values: NDArray[np.float32]
    names: tuple[str, ...]
    categories: Collection[str]
    push: NDArray[np.int64]
    fold: NDArray[np.int64]
    seed: int

    def part(self, rows: NDArray[np.bool_]) -> _Table:
        return replace(self, values=self.values[rows], push=self.push[rows], fold=self.fold[rows])


def estimated(
    log: PushLog,
    values: NDArray[np.float32],
    names: tuple[str, ...],
    categories: Collection[str],
    seed: int,
) -> Estimated:
    """``log`` with the probability of each choice estimated from features at the decision.

    The probability of being sent anything, times that of the offer among those sent something;
    each by the best of a share by push, a logistic regression and small trees, by log loss out of
    fold. Folds go by member.

    Args:
        values: (n, features ``names``) as of each decision. categories: names that hold codes.

    Raises:
        TrainingError: the two sides cannot be compared: too little overlap.
    """
    folds = Learning.of(log, values, names, seed).fold
    table = _Table(values, names, categories, log.push, folds, seed)
    sent = log.offer != NO_SEND
    learner, chance = _race(table, sent)
    kept = (chance >= LOWEST) & (chance <= HIGHEST)
    probability = np.where(sent, chance, 1 - chance)
    probability[sent] *= _of_offer(table.part(sent), log.offer[sent], log.candidates)
    overlap = _overlap(learner, kept, sent, probability)
    _check(overlap)
    return Estimated(replace(log, probability=probability).part(kept), kept, overlap)


def _race(table: _Table, happened: NDArray[np.bool_]) -> tuple[str, NDArray[np.float64]]:
    """The name of the best learner out of fold, and its (n,) probabilities."""
    best, least, found = "", np.inf, np.zeros(len(happened))
    for name, learner in _LEARNERS.items():
        chance = np.empty(len(happened))
        for fold in range(FOLDS):
            mine = table.fold == fold
            chance[mine] = learner(table, happened, mine)
        chance = np.clip(chance, 1e-6, 1 - 1e-6)
        loss = -float(np.log(np.where(happened, chance, 1 - chance)).mean())
        if loss < least:
            best, least, found = name, loss, chance
    return best, found


def _of_offer(
    table: _Table, offer: NDArray[np.int64], candidates: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) probability that who was sent something was sent the ``offer`` it was."""
    offers = candidates.shape[1]
    chance = np.zeros((len(offer), offers))
    for j in np.unique(offer):
        chance[:, j] = _race(table, offer == j)[1]
    listed = candidates[table.push]
    listed[np.arange(len(offer)), offer] = True  # what was sent could be sent
    chance = np.where(listed, chance, 0.0)
    return np.asarray(chance[np.arange(len(offer)), offer] / chance.sum(axis=1))


def _by_push(
    table: _Table, happened: NDArray[np.bool_], mine: NDArray[np.bool_]
) -> NDArray[np.float64]:
    pushes = int(table.push.max()) + 1
    of = np.bincount(table.push[~mine], minlength=pushes)
    yes = np.bincount(table.push[~mine], weights=happened[~mine], minlength=pushes)
    return np.asarray(((yes + _SMOOTH) / (of + 2 * _SMOOTH))[table.push[mine]])


def _with_push(table: _Table) -> tuple[NDArray[np.float32], tuple[str, ...], Collection[str]]:
    """The features and the push, a category like others."""
    values = np.column_stack([table.values, table.push]).astype(np.float32)
    return values, (*table.names, "push"), {*table.categories, "push"}


def _linear(
    table: _Table, happened: NDArray[np.bool_], mine: NDArray[np.bool_]
) -> NDArray[np.float64]:
    values, names, categories = _with_push(table)
    model = fit_linear(values[~mine], names, happened[~mine], categories, _PENALTY)
    return np.asarray(sigmoid(model.score(values[mine], names)))


def _trees(
    table: _Table, happened: NDArray[np.bool_], mine: NDArray[np.bool_]
) -> NDArray[np.float64]:
    values, names, _ = _with_push(table)
    target = Target(happened[~mine].astype(np.float64))
    model = grow(values[~mine], names, target, table.seed, Growth("binary"))
    return np.asarray(sigmoid(model.score(values[mine], names)))


_LEARNERS: Mapping[str, _Learner] = {
    "share by push": _by_push,
    "logistic regression": _linear,
    "small trees": _trees,
}


def _overlap(
    learner: str,
    kept: NDArray[np.bool_],
    sent: NDArray[np.bool_],
    probability: NDArray[np.float64],
) -> Overlap:
    sides = []
    for side in (sent, ~sent):
        weight = 1 / probability[kept & side]
        sides.append(float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0)
    return Overlap(learner, 1 - float(kept.mean()), *sides)


def _check(overlap: Overlap) -> None:
    if overlap.outside > MOST_OUTSIDE:
        raise TrainingError(
            f"cannot tell what pushes change: of {overlap.outside:.0%} of the decisions, members "
            f"like them were sent something in under {LOWEST:.0%} or over {HIGHEST:.0%} of the "
            f"cases (wanted at most {MOST_OUTSIDE:.0%} of the decisions); there is nobody to "
            "compare them with. Leave some members out at random"
        )
    least = min(overlap.effective_sent, overlap.effective_unsent)
    if least < LEAST_EFFECTIVE:
        side = "sent" if least == overlap.effective_sent else "not sent"
        raise TrainingError(
            f"cannot tell what pushes change: the decisions that were {side} are worth "
            f"{least:.0f} after weighing, wanted at least {LEAST_EFFECTIVE:.0f}; leave more "
            "members out at random"
        )
