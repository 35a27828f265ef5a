"""Out-of-fold expectations that the doubly robust scores rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.scores import Drawn, Scores, doubly_robust
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
from training.linear_fit import fit_linear
from training.nuisance_race import KINDS, PENALTY, Kind, LinearRates, log_loss, race
from training.push_log import NO_SEND

# In scope there must be enough conversions to learn from, or all are taken together.
_FEWEST_IN_SCOPE = 100
DEPTHS = tuple(f"offer_{kind}" for kind in DEEPENING)
_USE = Growth("binary", rising=DEPTHS)
# Few rates differ between sent and not: many trees, each of four leaves and some of the columns.
_JOINT = Growth("poisson", leaves=4, columns=0.4, rounds=200, rising=DEPTHS)
# Rows without a conversion for each one with: more cost time and tell next to nothing.
_OTHERS = 40


@dataclass(frozen=True, eq=False)
class Nuisances:
    """Of the n decided; (n, m) with NaN where an offer was no candidate. All out of fold.

    base: which kind of model tells best what happens without a send, and base_scale calibrates its
        log odds; p_if_not is calibrated.
    rates: which kind tells best the rates of near conversions, that the scores rest on.
    joint: change of near conversions by ``Joint``.
    near_if_not: (n,) rate of near conversions without a send.
    near, rest: doubly robust scores of conversions in the scope of the push, and of the others.
        Where scopes tell nothing, every conversion is near. scores: of all, their sum.
    """

    open: NDArray[np.bool_]
    base: Kind
    base_scale: Platt
    rates: Kind
    p_if_not: NDArray[np.float64]  # (n,)
    p_redeem: NDArray[np.float64]
    joint: NDArray[np.float64]
    near_if_not: NDArray[np.float64]
    near: Scores
    rest: Scores
    scores: Scores


def nuisances(learning: Learning, pairs: PairFeatures) -> Nuisances:
    """Expectations by the better of trees and a logistic regression each, judged out of fold."""
    log = learning.log
    unsent, candidate = log.offer == NO_SEND, log.candidates[log.push]
    near = near_conversions(learning)
    base = race(learning, unsent, log.converted)
    scale = fit_platt(base.score[unsent], log.converted[unsent])
    by_pair = _by_pair(learning, pairs)
    near_scores = doubly_robust(_drawn(learning, near), by_pair.rates)
    rest_scores = Scores(np.where(np.isnan(near_scores.matrix), np.nan, 0.0), learning.member)
    others = log.converted & ~near
    if others.any():
        # The same sent or not: the score mends the rest.
        rate = sigmoid(race(learning, np.ones(len(log), dtype=bool), others).score)
        expected = np.tile(rate[:, None], (1, 1 + len(log.offers)))
        rest_scores = doubly_robust(_drawn(learning, others), expected)
    return Nuisances(
        open=candidate,
        base=base.kind,
        base_scale=scale,
        rates=by_pair.kind,
        p_if_not=scale.probability(base.score),
        p_redeem=np.where(candidate, by_pair.p_redeem * usable(log.offers), np.nan),
        joint=by_pair.joint,
        near_if_not=by_pair.rates[:, 0],
        near=near_scores,
        rest=rest_scores,
        scores=Scores(near_scores.matrix + rest_scores.matrix, learning.member),
    )


@dataclass(frozen=True, eq=False)
class _ByPair:
    """Out of fold: rates (n, no send + offers) of near conversions by the better ``kind``, the
    change by ``Joint`` and the use of offers, (n, offers)."""

    kind: Kind
    rates: NDArray[np.float64]
    joint: NDArray[np.float64]
    p_redeem: NDArray[np.float64]


def _by_pair(learning: Learning, pairs: PairFeatures) -> _ByPair:
    log, n, m = learning.log, len(learning), len(learning.log.offers)
    rates = {kind: np.full((n, 1 + m), np.nan) for kind in KINDS}
    unsent = {kind: np.full((n, m), np.nan) for kind in KINDS}
    p_redeem = np.zeros((n, m))
    for fold in range(FOLDS):
        inside, rows = learning.fold != fold, np.flatnonzero(learning.fold == fold)
        models = {kind: _fit_rates(kind, learning, pairs, inside) for kind in KINDS}
        redeem = redeem_trees(learning, pairs, inside)
        for part, offer, table in pair_tables(learning, pairs, rows):
            for kind, model in models.items():
                told = model.rates(table, pairs.names)
                unsent[kind][part, offer], rates[kind][part, 1 + offer] = told
            if redeem is not None:
                p_redeem[part, offer] = sigmoid(redeem.score(table, pairs.names))
    count = np.maximum(log.candidates[log.push].sum(axis=1), 1)
    for kind in KINDS:
        rates[kind][:, 0] = np.nansum(unsent[kind], axis=1) / count
    chosen = np.arange(n), 1 + log.offer  # no send, -1, stands first
    near = near_conversions(learning)
    best = min(KINDS, key=lambda kind: log_loss(rates[kind][chosen], near))
    return _ByPair(best, rates[best], rates["trees"][:, 1:] - unsent["trees"], p_redeem)


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


def fit_joint(learning: Learning, pairs: PairFeatures, inside: NDArray[np.bool_]) -> Joint:
    """Trees for the rate of near conversions, with and without a send."""
    shown = _shown(learning, pairs, inside)
    target = Target(shown.near.astype(np.float64), weight=shown.weight)
    return Joint(grow(shown.table, (*pairs.names, SENT), target, learning.seed, _JOINT))


def _fit_rates(
    kind: Kind, learning: Learning, pairs: PairFeatures, inside: NDArray[np.bool_]
) -> Joint | LinearRates:
    if kind == "trees":
        return fit_joint(learning, pairs, inside)
    shown, names = _shown(learning, pairs, inside), (*pairs.names, SENT)
    linear = fit_linear(shown.table, names, shown.near, learning.categories, PENALTY)
    return LinearRates(linear, float(shown.weight.max()))


@dataclass(frozen=True, eq=False)
class _Shown:
    """Decisions to learn near conversions from: pair features with ``SENT``, what followed, and how
    many decisions each stands for."""

    table: NDArray[np.float32]
    near: NDArray[np.bool_]
    weight: NDArray[np.float64]


def _shown(learning: Learning, pairs: PairFeatures, inside: NDArray[np.bool_]) -> _Shown:
    """A decision without a send is shown with one of its push's candidates, drawn at random, for
    how the member stands to the scope."""
    log, near = learning.log, near_conversions(learning)
    rng = np.random.default_rng(learning.seed)
    rows, weight = _thinned(np.flatnonzero(inside), near, rng)
    candidate = log.candidates[log.push[rows]]
    drawn = np.where(candidate, rng.random(candidate.shape), -1.0).argmax(axis=1)
    sent = log.offer[rows] != NO_SEND
    table = one_offer_table(learning, pairs, rows, np.where(sent, log.offer[rows], drawn))
    return _Shown(with_sending(table, pairs.names, sent), near[rows], weight)


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
