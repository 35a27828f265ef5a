"""Out-of-fold expectations that the doubly robust scores rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calibration import Platt, fit_platt, sigmoid
from models.effect import DEEPENING, SENT, Joint, with_sending
from models.pairs import PairFeatures
from models.response import usable
from models.trees import Trees
from training.learning import (
    FOLDS,
    Growth,
    Learning,
    Target,
    grow,
    one_offer_table,
    pair_tables,
)
from training.push_log import NO_SEND
from training.scores import Drawn, Scores, doubly_robust

# In scope there must be enough conversions to learn from, or all are taken together.
_FEWEST_IN_SCOPE = 100
DEPTHS = tuple(f"offer_{kind}" for kind in DEEPENING)
_CHANCE = Growth("binary")
_USE = Growth("binary", rising=DEPTHS)
# Few rates differ between sent and not: many trees, each of four leaves and some of the columns.
_JOINT = Growth("poisson", leaves=4, columns=0.4, rounds=200, rising=DEPTHS)
# Rows without a conversion for each one with: more cost time and tell next to nothing.
_OTHERS = 40


@dataclass(frozen=True, eq=False)
class Nuisances:
    """Of the n decided; (n, m) with NaN where an offer was no candidate. All out of fold.

    base_scale: calibrates the log odds without a send; p_if_not is calibrated.
    joint: change of near conversions by ``Joint``.
    near, rest: doubly robust scores of conversions in the scope of the push, and of the others.
        Where scopes tell nothing, every conversion is near. scores: of all, their sum.
    """

    open: NDArray[np.bool_]
    base_scale: Platt
    p_if_not: NDArray[np.float64]  # (n,)
    p_redeem: NDArray[np.float64]
    joint: NDArray[np.float64]
    near: Scores
    rest: Scores
    scores: Scores


def nuisances(learning: Learning, pairs: PairFeatures) -> Nuisances:
    log, n, m = learning.log, len(learning), len(learning.log.offers)
    near = near_conversions(learning)
    base_score, rest = np.zeros(n), np.zeros(n)
    rates, p_redeem = np.full((n, 1 + m), np.nan), np.zeros((n, m))
    unsent_rate = np.full((n, m), np.nan)
    for fold in range(FOLDS):
        inside, rows = learning.fold != fold, np.flatnonzero(learning.fold == fold)
        base_score[rows] = base_trees(learning, inside).score(learning.values[rows], learning.names)
        rest[rows] = _rest_rate(learning, inside & ~near, rows, inside)
        joint, redeem = fit_joint(learning, pairs, inside), redeem_trees(learning, pairs, inside)
        for part, offer, table in pair_tables(learning, pairs, rows):
            unsent_rate[part, offer], rates[part, 1 + offer] = joint.rates(table, pairs.names)
            if redeem is not None:
                p_redeem[part, offer] = sigmoid(redeem.score(table, pairs.names))
    unsent = log.offer == NO_SEND
    scale = fit_platt(base_score[unsent], log.converted[unsent])
    candidate = log.candidates[log.push]
    rates[:, 0] = np.nansum(unsent_rate, axis=1) / np.maximum(candidate.sum(axis=1), 1)
    near_scores = doubly_robust(_drawn(learning, near), rates)
    rest_scores = Scores(np.where(np.isnan(near_scores.matrix), np.nan, 0.0), learning.member)
    others = log.converted & ~near
    if others.any():
        rest_scores = doubly_robust(_drawn(learning, others), np.tile(rest[:, None], (1, 1 + m)))
    return Nuisances(
        open=candidate,
        base_scale=scale,
        p_if_not=scale.probability(base_score),
        p_redeem=np.where(candidate, p_redeem * usable(log.offers), np.nan),
        joint=rates[:, 1:] - unsent_rate,
        near=near_scores,
        rest=rest_scores,
        scores=Scores(near_scores.matrix + rest_scores.matrix, learning.member),
    )


def near_conversions(learning: Learning) -> NDArray[np.bool_]:
    """(n,) conversions that the push was about: in its scope, where there are enough of them.

    What a push changes, it changes mostly there, beside a far lower rate of conversions that come
    anyway: the same effect stands out several times more clearly. What it changes elsewhere is
    estimated apart, so nothing is assumed.
    """
    log = learning.log
    near = log.converted & log.in_scope
    return near if near.sum() >= _FEWEST_IN_SCOPE else log.converted


def _drawn(learning: Learning, happened: NDArray[np.bool_]) -> Drawn:
    log = learning.log
    return Drawn(
        happened.astype(np.float64),
        log.offer,
        log.probability,
        log.candidates[log.push],
        learning.member,
    )


def base_trees(learning: Learning, inside: NDArray[np.bool_]) -> Trees:
    """Log odds of a conversion without a send."""
    rows = np.flatnonzero(inside & (learning.log.offer == NO_SEND))
    outcome = learning.log.converted[rows].astype(np.float64)
    return grow(learning.values[rows], learning.names, Target(outcome), learning.seed, _CHANCE)


def _rest_rate(
    learning: Learning,
    elsewhere: NDArray[np.bool_],
    rows: NDArray[np.int64],
    inside: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Probability of a conversion out of scope, the same sent or not: the score mends the rest."""
    outcome = (elsewhere & learning.log.converted)[inside].astype(np.float64)
    if not outcome.any():
        return np.zeros(len(rows))
    trees = grow(learning.values[inside], learning.names, Target(outcome), learning.seed, _CHANCE)
    return np.asarray(sigmoid(trees.score(learning.values[rows], learning.names)))


def fit_joint(learning: Learning, pairs: PairFeatures, inside: NDArray[np.bool_]) -> Joint:
    """Trees for the rate of near conversions, with and without a send.

    A decision without a send is shown with one of its push's candidates, drawn at random, for how
    the member stands to the scope.
    """
    log, near = learning.log, near_conversions(learning)
    rng = np.random.default_rng(learning.seed)
    rows, weight = _thinned(np.flatnonzero(inside), near, rng)
    candidate = log.candidates[log.push[rows]]
    drawn = np.where(candidate, rng.random(candidate.shape), -1.0).argmax(axis=1)
    sent = log.offer[rows] != NO_SEND
    table = one_offer_table(learning, pairs, rows, np.where(sent, log.offer[rows], drawn))
    outcome = near[rows].astype(np.float64)
    return Joint(
        grow(
            with_sending(table, pairs.names, sent),
            (*pairs.names, SENT),
            Target(outcome, weight=weight),
            learning.seed,
            _JOINT,
        )
    )


def _thinned(
    rows: NDArray[np.int64], happened: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All of ``rows`` in which it happened, a sample of the others, and what each stands for."""
    events, others = rows[happened[rows]], rows[~happened[rows]]
    most = max(_OTHERS * len(events), 1_000)
    if len(others) <= most:
        return rows, np.ones(len(rows))
    kept = np.sort(rng.permutation(others)[:most])
    weight = np.r_[np.ones(len(events)), np.full(most, len(others) / most)]
    return np.concatenate([events, kept]), weight


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
    table = one_offer_table(learning, pairs, rows, log.offer[rows])
    return grow(table, pairs.names, used, learning.seed, _USE)
