"""Fits the response model: nuisances by fold, learners of the effect, their mix, and the gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import fit_platt, sigmoid
from models.pairs import PairFeatures
from models.response import EffectModel, ResponseModel, Ridge, face_value, standardised
from models.trees import Trees
from training.errors import TrainingError
from training.gate import Gate, gate
from training.push_log import NO_SEND, PushLog
from training.uplift import MeanEffect, mean_effect, scores, shrunk

FOLDS = 3
LEAST_CONVERSIONS = 30
ROUNDS = 100
_CHUNK = 16_384
# Rows for which the log of a rate is learned start from the rate without a send, held off zero.
_LEAST_RATE = 1e-4
_RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # per row, on standardised columns


@dataclass(frozen=True, eq=False)
class Learning:
    """What is learned from: the log, its members' features at the time, folds by member."""

    log: PushLog
    values: NDArray[np.float32]  # (n, features)
    names: tuple[str, ...]
    member: NDArray[np.int64]  # (n,) whose row it is
    fold: NDArray[np.int64]  # (n,)
    seed: int

    @classmethod
    def of(
        cls, log: PushLog, values: NDArray[np.float32], names: tuple[str, ...], seed: int
    ) -> Learning:
        """Folds go by member: the rows of one member never stand on both sides."""
        _, member = np.unique(log.rows["member_id"].to_numpy(dtype=str), return_inverse=True)
        rng = np.random.default_rng(seed)
        fold_of = rng.permutation(int(member.max(initial=-1)) + 1) % FOLDS
        return cls(log, values, names, member.astype(np.int64), fold_of[member], seed)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class FittedResponse:
    """The model and what was seen while fitting it.

    effects: mean effect of each offer on conversions, out of fold, with its error.
    slope: of the doubly robust score on the mix's prediction, out of fold; 1 is calibrated.
    """

    model: ResponseModel
    effects: tuple[MeanEffect, ...]
    slope: MeanEffect
    gate: Gate


def fit_response(
    log: PushLog, values: NDArray[np.float32], names: tuple[str, ...], seed: int
) -> FittedResponse:
    """Fit on the decisions of ``log`` and their members' ``values``, (n, features ``names``).

    Raises:
        TrainingError: too few conversions to tell anything.
    """
    learning = Learning.of(log, values, names, seed)
    converted = int(log.converted.sum())
    if converted < LEAST_CONVERSIONS:
        raise TrainingError(
            f"{converted} conversions in {len(log)} past decisions, "
            f"wanted at least {LEAST_CONVERSIONS} to learn what a push changes"
        )
    pairs = PairFeatures.fit(values, names)
    crossed = _crossed(learning, pairs)
    effects = [
        mean_effect(column[~np.isnan(column)], learning.member[~np.isnan(column)])
        for column in crossed.score.T
    ]
    by_offer, pooled = shrunk(effects)
    ridge, ridge_out = _ridge(learning, pairs, crossed.score)
    parts = np.stack([crossed.trees, ridge_out, np.where(crossed.open, by_offer, np.nan)], axis=2)
    weights = _mixed(parts[crossed.open], crossed.score[crossed.open])
    mix = parts @ weights
    passed = gate(mix, np.array(by_offer), crossed.score, learning.member)
    if not weights[:2].any():  # the mix holds nothing personal
        passed = replace(passed, personal=0.0)
    effect = EffectModel(
        rates=_rates(learning, pairs, np.ones(len(learning), dtype=bool), crossed.p_if_not),
        ridge=ridge,
        by_offer={o.offer_id: e for o, e in zip(log.offers, by_offer, strict=True)},
        pooled=pooled,
        weights=(float(weights[0]), float(weights[1]), float(weights[2])),
        personal=passed.personal,
    )
    model = _with_money(learning, pairs, effect, crossed)
    return FittedResponse(model, tuple(effects), _slope(mix, crossed.score, learning), passed)


@dataclass(frozen=True, eq=False)
class _Crossed:
    """Out-of-fold predictions; (n, m) with NaN where an offer was no candidate."""

    open: NDArray[np.bool_]
    base_score: NDArray[np.float64]  # (n,) log odds without a send
    p_if_not: NDArray[np.float64]  # (n,)
    trees: NDArray[np.float64]  # effect by the trees
    score: NDArray[np.float64]  # doubly robust score of the effect


def _crossed(learning: Learning, pairs: PairFeatures) -> _Crossed:
    log, n, m = learning.log, len(learning), len(learning.log.offers)
    base_score, effect = np.zeros(n), np.full((n, m), np.nan)
    for fold in range(FOLDS):
        inside = learning.fold != fold
        base = _base(learning, inside)
        fitted = sigmoid(base.score(learning.values, learning.names))
        rates = _rates(learning, pairs, inside, fitted)
        rows = np.flatnonzero(~inside)
        base_score[rows] = base.score(learning.values[rows], learning.names)
        for part, offer, table in pair_tables(learning, pairs, rows):
            rate = np.exp(np.clip(rates.score(table, pairs.names), -3, 3))
            effect[part, offer] = fitted[part] * (rate - 1)
    p_if_not = sigmoid(base_score)
    candidate = log.candidates[log.push]
    filled = np.where(candidate, np.nan_to_num(effect), 0.0)
    score = scores(
        log.converted.astype(np.float64),
        log.offer,
        log.probability,
        p_if_not[:, None] + filled,
        p_if_not,
    )
    return _Crossed(candidate, base_score, p_if_not, effect, np.where(candidate, score, np.nan))


def pair_tables(
    learning: Learning, pairs: PairFeatures, rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Row numbers, offer numbers and pair features of every candidate of ``rows``, in chunks."""
    log = learning.log
    for push in range(len(log.candidates)):
        offers = np.flatnonzero(log.candidates[push])
        mine = rows[log.push[rows] == push]
        for start in range(0, len(mine), _CHUNK):
            part = mine[start : start + _CHUNK]
            table = pairs.table(
                learning.values[part], learning.names, [log.offers[j] for j in offers]
            )
            yield np.repeat(part, len(offers)), np.tile(offers, len(part)), table


def sent_table(
    learning: Learning, pairs: PairFeatures, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Pair features of each row of ``rows`` with the offer that was sent, (len(rows), columns)."""
    table = np.empty((len(rows), len(pairs.names)), dtype=np.float32)
    chosen = learning.log.offer[rows]
    for j in np.unique(chosen):
        mine = np.flatnonzero(chosen == j)
        offer = [learning.log.offers[j]]
        table[mine] = pairs.table(learning.values[rows[mine]], learning.names, offer)
    return table


def grow(
    table: NDArray[np.float32],
    names: tuple[str, ...],
    target: NDArray[Any],
    seed: int,
    objective: str = "binary",
    start: NDArray[np.float64] | None = None,
) -> Trees:
    """Small boosted trees; ``start`` is the raw score they begin from and do not contain.

    Uplift is weak and outcomes are rare: trees of 8 leaves with 200 members each, where fewer rows
    allow it, hold the learner down.
    """
    import lightgbm

    parameters = {
        "objective": objective,
        "num_leaves": 8,
        "min_data_in_leaf": int(np.clip(len(target) // 50, 5, 200)),
        "learning_rate": 0.05,
        "lambda_l2": 10.0,
        "max_bin": 63,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(table, label=target, init_score=start, free_raw_data=True)
    return Trees(lightgbm.train(parameters, data, num_boost_round=ROUNDS), names)


def _base(learning: Learning, inside: NDArray[np.bool_]) -> Trees:
    rows = np.flatnonzero(inside & (learning.log.offer == NO_SEND))
    outcome = learning.log.converted[rows].astype(np.float64)
    return grow(learning.values[rows], learning.names, outcome, learning.seed)


def _rates(
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
        learning.log.converted[rows].astype(np.float64),
        learning.seed,
        objective="poisson",
        start=np.log(np.maximum(p_if_not[rows], _LEAST_RATE)),
    )


def _ridge(
    learning: Learning, pairs: PairFeatures, score: NDArray[np.float64]
) -> tuple[Ridge, NDArray[np.float64]]:
    """Ridge regression of the score on pair features: the model on everything, and out of fold.

    The penalty is the one with the least squared error out of fold. One pass adds up the
    normal equations of each fold; the others' sum is what that fold is predicted with.
    """
    some = np.random.default_rng(learning.seed).permutation(len(learning))[:_CHUNK]
    sample = np.concatenate([table for _, _, table in pair_tables(learning, pairs, np.sort(some))])
    mean, scale = _mean_and_scale(sample)
    width = len(mean) + 1
    gram, moment = np.zeros((FOLDS, width, width)), np.zeros((FOLDS, width))
    for part, offer, table in pair_tables(learning, pairs, np.arange(len(learning))):
        design = np.c_[standardised(table, mean, scale), np.ones(len(table))]
        target, fold = score[part, offer], learning.fold[part]
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
    out = np.full(score.shape, np.nan)
    weights = np.array(by_fold)
    for part, offer, table in pair_tables(learning, pairs, np.arange(len(learning))):
        design = np.c_[standardised(table, mean, scale), np.ones(len(table))]
        out[part, offer] = np.einsum("ij,ij->i", design, weights[learning.fold[part]])
    return Ridge(mean, scale, everything[:-1], float(everything[-1])), out


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


def _mixed(parts: NDArray[np.float64], score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights, none below zero, of the learners whose mix is nearest to the scores."""
    from scipy.optimize import nnls

    gram, moment = parts.T @ parts, parts.T @ score
    # NNLS of the Cholesky factor solves the same problem on 3 rows in place of all pairs.
    factor = np.linalg.cholesky(gram + 1e-12 * np.trace(gram) * np.eye(len(gram)))
    return np.asarray(nnls(factor.T, np.linalg.solve(factor, moment))[0])


def _slope(mix: NDArray[np.float64], score: NDArray[np.float64], learning: Learning) -> MeanEffect:
    """Slope of score on prediction through the pairs, error clustered by member."""
    row, offer = np.nonzero(~np.isnan(score))
    x, y = mix[row, offer], score[row, offer]
    x = x - x.mean()
    spread = float((x**2).sum())
    if spread < 1e-12 * len(x):  # the same prediction for everybody has no slope
        return MeanEffect(float("nan"), float("inf"))
    slope = float((x * y).sum() / spread)
    by_member = np.bincount(learning.member[row], weights=x * (y - y.mean() - slope * x))
    return MeanEffect(slope, float(np.sqrt((by_member**2).sum()) / spread))


def _with_money(
    learning: Learning, pairs: PairFeatures, effect: EffectModel, crossed: _Crossed
) -> ResponseModel:
    """The rest of the model: level without a send, coupon use, and the money of a conversion."""
    log = learning.log
    everything = np.ones(len(learning), dtype=bool)
    unsent = log.offer == NO_SEND
    bought = np.flatnonzero(log.converted)
    whole = log.margin[bought] + log.coupon[bought]  # margins are after, this is before coupons
    mean_margin = float(whole.mean())
    revenue_rate = _ratio(float((log.revenue[bought] + log.coupon[bought]).mean()), mean_margin)
    model = ResponseModel(
        pairs=pairs,
        base=_base(learning, everything),
        base_scale=fit_platt(crossed.base_score[unsent], log.converted[unsent]),
        effect=effect,
        redeem=_redeem(learning, pairs),
        margin=_margin(learning, bought, whole),
        mean_margin=mean_margin,
        revenue_rate=revenue_rate,
        coupon_rate=1.0,
    )
    return replace(model, coupon_rate=_coupon_rate(learning, model))


def _redeem(learning: Learning, pairs: PairFeatures) -> Trees | None:
    log = learning.log
    usable = np.array([offer.kind != "content" for offer in log.offers] + [False])
    rows = np.flatnonzero(usable[log.offer])  # no send, -1, reads the last: never usable
    if log.redeemed[rows].sum() == 0:
        return None
    used = log.redeemed[rows].astype(np.float64)
    return grow(sent_table(learning, pairs, rows), pairs.names, used, learning.seed)


def _margin(
    learning: Learning, bought: NDArray[np.int64], whole: NDArray[np.float64]
) -> Trees | None:
    """Trees for the logarithm of (margin / mean margin); None where conversions are few or free."""
    mean = float(whole.mean())
    if len(bought) < 500 or mean <= 0:
        return None
    # A rate cannot be below zero; a few refunded or loss-making conversions count as zero.
    target = np.minimum(np.maximum(whole, 0.0), np.quantile(whole, 0.99)) / mean
    start = np.zeros(len(bought))
    return grow(learning.values[bought], learning.names, target, learning.seed, "poisson", start)


def _coupon_rate(learning: Learning, model: ResponseModel) -> float:
    """Money that used coupons took off, over their face value at the members' expected order.

    0 where none took anything off: a reward given later is a redemption cost, not a coupon.
    """
    log = learning.log
    used = np.flatnonzero(log.redeemed & (log.offer != NO_SEND))
    if not len(used):
        return 1.0
    expected = model.estimate(learning.values[used], learning.names, log.offers[:1]).revenue
    face = face_value(expected, log.offers)[np.arange(len(used)), log.offer[used]]
    return _ratio(float(log.coupon[used].sum()), float(face.sum()))


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else 0.0
