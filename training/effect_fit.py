"""Fits learners of the doubly robust score: a regression and small trees, by pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.effect import HINTS, Ridge, hinted, standardised
from models.pairs import PairFeatures
from models.trees import Trees
from training.learning import (
    CHUNK,
    FOLDS,
    Growth,
    Learning,
    Target,
    grow,
    one_offer_table,
    pair_tables,
)
from training.nuisances import DEPTHS, Nuisances
from training.push_log import NO_SEND

_RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # per row, on standardised columns
_RISING = (*DEPTHS, "p_redeem")
# Scores are nearly all noise: trees of 4 leaves, each of thousands of pairs.
_GAINS = Growth("regression", leaves=4, least=2_000, columns=0.5, rising=_RISING)


def fit_gains(
    learning: Learning, pairs: PairFeatures, known: Nuisances
) -> tuple[Trees, NDArray[np.float64]]:
    """Trees for the score of near conversions: the model on everything, and (n, m) out of fold.

    Most pairs of a decision hold little news: it is read with the offer that was sent, or, where
    none was, with one candidate drawn at random.
    """
    log, everyone = learning.log, np.arange(len(learning))
    rng = np.random.default_rng(learning.seed)
    drawn = np.where(known.open, rng.random(known.open.shape), -1.0).argmax(axis=1)
    offer = np.where(log.offer == NO_SEND, drawn, log.offer)
    plain = one_offer_table(learning, pairs, everyone, offer)
    table = hinted(plain, known.p_if_not, known.p_redeem[everyone, offer])
    names, target = (*pairs.names, *HINTS), known.near.uplift()[everyone, offer]

    def grown(kept: NDArray[np.bool_]) -> Trees:
        return grow(table[kept], names, Target(target[kept]), learning.seed, _GAINS)

    out = np.full(known.open.shape, np.nan)
    for fold in range(FOLDS):
        trees = grown(learning.fold != fold)
        rows = np.flatnonzero(learning.fold == fold)
        for part, offers, told in told_tables(learning, pairs, known, rows):
            out[part, offers] = trees.score(told, names)
    return grown(np.ones(len(learning), dtype=bool)), out


@dataclass(frozen=True, eq=False)
class Regressed:
    """A ridge regression and its predictions out of fold, (n, m)."""

    model: Ridge
    out: NDArray[np.float64]


def fit_ridges(
    learning: Learning, pairs: PairFeatures, known: Nuisances
) -> tuple[Regressed, Regressed]:
    """Ridge regressions on pair features of the near score, and of the others'.

    The penalty is the one with the least squared error out of fold. One pass adds up the
    normal equations of each fold; the others' sum is what that fold is predicted with.
    """
    some = np.random.default_rng(learning.seed).permutation(len(learning))[:CHUNK]
    sample = np.concatenate([t for _, _, t in told_tables(learning, pairs, known, np.sort(some))])
    mean, scale = _mean_and_scale(sample)
    targets = (known.near.uplift(), known.rest.uplift())
    width = len(mean) + 1
    gram, moment = np.zeros((FOLDS, width, width)), np.zeros((2, FOLDS, width))
    for fold in range(FOLDS):
        rows = np.flatnonzero(learning.fold == fold)
        for part, offer, table in told_tables(learning, pairs, known, rows):
            design = np.c_[standardised(table, mean, scale), np.ones(len(table))]
            gram[fold] += design.T @ design
            for which, target in enumerate(targets):
                moment[which, fold] += design.T @ target[part, offer]
    names = (*pairs.names, *HINTS)
    rising = np.array([name in _RISING for name in (*names, "")])
    solved = [_solutions(gram, one, rising) for one in moment]
    out = [np.full(known.open.shape, np.nan) for _ in targets]
    for fold in range(FOLDS):
        rows = np.flatnonzero(learning.fold == fold)
        for part, offer, table in told_tables(learning, pairs, known, rows):
            design = np.c_[standardised(table, mean, scale), np.ones(len(table))]
            for which, weights in enumerate(solved):
                out[which][part, offer] = design @ weights[fold]
    near, rest = (
        Regressed(Ridge(mean, scale, weights[-1][:-1], float(weights[-1][-1])), predicted)
        for weights, predicted in zip(solved, out, strict=True)
    )
    return near, rest


def told_tables(
    learning: Learning, pairs: PairFeatures, known: Nuisances, rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """As ``pair_tables``, with ``HINTS``."""
    for part, offer, table in pair_tables(learning, pairs, rows):
        yield part, offer, hinted(table, known.p_if_not[part], known.p_redeem[part, offer])


def _mean_and_scale(
    table: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By column, missing values left out; a constant or empty column is left as it is."""
    there = ~np.isnan(table)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, table, 0.0).sum(axis=0, dtype=np.float64) / count
    scale = np.sqrt((np.where(there, table - mean, 0.0) ** 2).sum(axis=0) / count)
    scale[scale < 1e-9] = 1.0
    return mean, scale


def _solutions(
    gram: NDArray[np.float64], moment: NDArray[np.float64], rising: NDArray[np.bool_]
) -> list[NDArray[np.float64]]:
    """Weights without each fold, then those of everything, at the best penalty."""
    total, whole = gram.sum(axis=0), moment.sum(axis=0)

    def without(penalty: float) -> list[NDArray[np.float64]]:
        return [_solved(total - gram[k], whole - moment[k], penalty, rising) for k in range(FOLDS)]

    def loss(penalty: float) -> float:
        return sum(
            float(weights @ gram[k] @ weights - 2 * weights @ moment[k])
            for k, weights in enumerate(without(penalty))
        )

    best = min(_RIDGES, key=loss)
    return [*without(best), _solved(total, whole, best, rising)]


def _solved(
    gram: NDArray[np.float64],
    moment: NDArray[np.float64],
    penalty: float,
    rising: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Ridge weights; a column among ``rising`` that would weigh below zero is left out."""
    rows = max(gram[-1, -1], 1.0)  # the intercept's own product counts the rows
    held = np.full(len(moment), penalty * rows)
    held[-1] = 1e-9 * rows
    kept = np.ones(len(moment), dtype=bool)
    while True:
        weights = np.zeros(len(moment))
        inside = gram[np.ix_(kept, kept)] + np.diag(held[kept])
        weights[kept] = np.linalg.solve(inside, moment[kept])
        falling = rising & (weights < 0)
        if not falling.any():
            return weights
        kept &= ~falling
