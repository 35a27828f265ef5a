"""Fits what a send changes: nuisances by fold, learners of the effect, and their mix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import Platt, fit_platt, sigmoid
from models.effect import HINTS, Ridge, changed, hinted, standardised
from models.pairs import PairFeatures
from models.response import usable
from models.trees import Trees
from training.learning import (
    CHUNK,
    FOLDS,
    Growth,
    Learning,
    Target,
    grow,
    pair_tables,
    sent_table,
)
from training.push_log import NO_SEND
from training.uplift import scores

# Rows for which the log of a rate is learned start from the rate without a send, held off zero.
_LEAST_RATE = 1e-4
_RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # per row, on standardised columns
_CHANCE = Growth("binary")
_RATES = Growth("poisson")
# Scores are nearly all noise: trees of 4 leaves, each of thousands of pairs.
_GAINS = Growth("regression", leaves=4, least=5_000, columns=0.5)


@dataclass(frozen=True, eq=False)
class Nuisances:
    """Out-of-fold expectations of the decided; (n, m) with NaN where an offer was no candidate.

    base_scale: calibrates the log odds without a send; p_if_not is calibrated.
    effect: by the trees for rates.
    score: the doubly robust score of the effect.
    """

    open: NDArray[np.bool_]
    base_scale: Platt
    p_if_not: NDArray[np.float64]  # (n,)
    p_redeem: NDArray[np.float64]
    effect: NDArray[np.float64]
    score: NDArray[np.float64]


def nuisances(learning: Learning, pairs: PairFeatures) -> Nuisances:
    log, n, m = learning.log, len(learning), len(learning.log.offers)
    base_score, rates = np.zeros(n), np.full((n, m), np.nan)
    p_redeem = np.zeros((n, m))
    fold_of = learning.fold
    for fold in range(FOLDS):
        inside, rows = fold_of != fold, np.flatnonzero(fold_of == fold)
        base = base_trees(learning, inside)
        fitted = sigmoid(base.score(learning.values, learning.names))
        base_score[rows] = base.score(learning.values[rows], learning.names)
        rate = rate_trees(learning, pairs, inside, fitted)
        redeem = redeem_trees(learning, pairs, inside)
        for part, offer, table in pair_tables(learning, pairs, rows):
            rates[part, offer] = rate.score(table, pairs.names)
            if redeem is not None:
                p_redeem[part, offer] = sigmoid(redeem.score(table, pairs.names))
    unsent = log.offer == NO_SEND
    scale = fit_platt(base_score[unsent], log.converted[unsent])
    p_if_not = scale.probability(base_score)
    effect = changed(rates, p_if_not[:, None])
    candidate = log.candidates[log.push]
    score = scores(
        log.converted.astype(np.float64),
        log.offer,
        log.probability,
        p_if_not[:, None] + np.where(candidate, effect, 0.0),
        p_if_not,
    )
    return Nuisances(
        candidate,
        scale,
        p_if_not,
        np.where(candidate, p_redeem * usable(log.offers), np.nan),
        effect,
        np.where(candidate, score, np.nan),
    )


def base_trees(learning: Learning, inside: NDArray[np.bool_]) -> Trees:
    rows = np.flatnonzero(inside & (learning.log.offer == NO_SEND))
    outcome = learning.log.converted[rows].astype(np.float64)
    return grow(learning.values[rows], learning.names, Target(outcome), learning.seed, _CHANCE)


def rate_trees(
    learning: Learning,
    pairs: PairFeatures,
    inside: NDArray[np.bool_],
    p_if_not: NDArray[np.float64],
) -> Trees:
    """Trees for the logarithm of the rate if sent over the rate if not (Poisson with offset)."""
    rows = np.flatnonzero(inside & (learning.log.offer != NO_SEND))
    return grow(
        sent_table(learning, pairs, rows),
        pairs.names,
        Target(
            learning.log.converted[rows].astype(np.float64),
            start=np.log(np.maximum(p_if_not[rows], _LEAST_RATE)),
        ),
        learning.seed,
        _RATES,
    )


def redeem_trees(
    learning: Learning, pairs: PairFeatures, inside: NDArray[np.bool_]
) -> Trees | None:
    """Log odds that an offer sent is used; None where none was."""
    log = learning.log
    sent_usable = np.append(usable(log.offers), False)[log.offer]  # no send, -1, reads the last
    rows = np.flatnonzero(sent_usable & inside)
    if log.redeemed[rows].sum() == 0:
        return None
    used = Target(log.redeemed[rows].astype(np.float64))
    return grow(sent_table(learning, pairs, rows), pairs.names, used, learning.seed, _CHANCE)


def fit_ridge(
    learning: Learning, pairs: PairFeatures, known: Nuisances
) -> tuple[Ridge, NDArray[np.float64]]:
    """Ridge regression of the score on pair features: the model on everything, and out of fold.

    The penalty is the one with the least squared error out of fold. One pass adds up the
    normal equations of each fold; the others' sum is what that fold is predicted with.
    """
    some = np.random.default_rng(learning.seed).permutation(len(learning))[:CHUNK]
    sample = np.concatenate([t for _, _, t in told_tables(learning, pairs, known, np.sort(some))])
    mean, scale = _mean_and_scale(sample)
    width = len(mean) + 1
    gram, moment = np.zeros((FOLDS, width, width)), np.zeros((FOLDS, width))
    everyone = np.arange(len(learning))
    for part, offer, table in told_tables(learning, pairs, known, everyone):
        design = np.c_[standardised(table, mean, scale), np.ones(len(table))]
        target, fold = known.score[part, offer], learning.fold[part]
        for k in range(FOLDS):
            mine = design[fold == k]
            gram[k] += mine.T @ mine
            moment[k] += mine.T @ target[fold == k]
    penalty = min(_RIDGES, key=lambda p: _ridge_loss(gram, moment, p))
    everything = _solved(gram.sum(axis=0), moment.sum(axis=0), penalty)
    by_fold = [
        _solved(gram.sum(axis=0) - gram[k], moment.sum(axis=0) - moment[k], penalty)
        for k in range(FOLDS)
    ]
    out = np.full(known.score.shape, np.nan)
    weights = np.array(by_fold)
    for part, offer, table in told_tables(learning, pairs, known, everyone):
        design = np.c_[standardised(table, mean, scale), np.ones(len(table))]
        out[part, offer] = np.einsum("ij,ij->i", design, weights[learning.fold[part]])
    return Ridge(mean, scale, everything[:-1], float(everything[-1])), out


def told_tables(
    learning: Learning, pairs: PairFeatures, known: Nuisances, rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """As ``pair_tables``, with ``HINTS``."""
    for part, offer, table in pair_tables(learning, pairs, rows):
        yield part, offer, hinted(table, known.p_if_not[part], known.p_redeem[part, offer])


def fit_gains(
    learning: Learning, pairs: PairFeatures, known: Nuisances
) -> tuple[Trees, NDArray[np.float64]]:
    """Trees for the score: the model on everything, and out of fold.

    Most pairs of a decision hold little news: the offer sent is read always, of the others one,
    drawn at random, which stands for all of them.
    """
    row, offer, weight = _drawn(learning, known)
    table = np.empty((len(row), len(pairs.names) + len(HINTS)), dtype=np.float32)
    for j in np.unique(offer):
        mine = np.flatnonzero(offer == j)
        plain = pairs.table(learning.values[row[mine]], learning.names, [learning.log.offers[j]])
        table[mine] = hinted(plain, known.p_if_not[row[mine]], known.p_redeem[row[mine], j])
    names, target = (*pairs.names, *HINTS), known.score[row, offer]

    def grown(kept: NDArray[np.bool_]) -> Trees:
        mine = Target(target[kept], weight=weight[kept])
        return grow(table[kept], names, mine, learning.seed, _GAINS)

    out = np.full(known.score.shape, np.nan)
    for fold in range(FOLDS):
        trees = grown(learning.fold[row] != fold)
        rows = np.flatnonzero(learning.fold == fold)
        for part, offers, told in told_tables(learning, pairs, known, rows):
            out[part, offers] = trees.score(told, names)
    return grown(np.ones(len(row), dtype=bool)), out


def _drawn(
    learning: Learning, known: Nuisances
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows, offers and weights of the pairs to read."""
    rng = np.random.default_rng(learning.seed)
    chosen = learning.log.offer
    rest = known.open.copy()
    sent = np.flatnonzero(chosen != NO_SEND)
    rest[sent, chosen[sent]] = False
    left = np.flatnonzero(rest.any(axis=1))
    other = np.where(rest[left], rng.random((len(left), rest.shape[1])), -1.0).argmax(axis=1)
    return (
        np.concatenate([sent, left]),
        np.concatenate([chosen[sent], other]),
        np.concatenate([np.ones(len(sent)), rest[left].sum(axis=1).astype(np.float64)]),
    )


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


def _solved(
    gram: NDArray[np.float64], moment: NDArray[np.float64], penalty: float
) -> NDArray[np.float64]:
    rows = max(gram[-1, -1], 1.0)  # the intercept's own product counts the rows
    held = np.full(len(moment), penalty * rows)
    held[-1] = 1e-9 * rows
    return np.asarray(np.linalg.solve(gram + np.diag(held), moment))


def _ridge_loss(gram: NDArray[np.float64], moment: NDArray[np.float64], penalty: float) -> float:
    loss = 0.0
    for k in range(FOLDS):
        weights = _solved(gram.sum(axis=0) - gram[k], moment.sum(axis=0) - moment[k], penalty)
        loss += float(weights @ gram[k] @ weights - 2 * weights @ moment[k])
    return loss
