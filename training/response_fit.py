"""Fits the response model: the effect of a send, the gate, and the money around it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from experiments.scores import MeanEffect, Scores
from models.effect import EffectModel
from models.estimates import Reliability
from models.leaving import Leaving, Reach
from models.pairs import PairFeatures
from models.response import ResponseModel, face_value
from models.trees import Trees
from training.channel_fit import channel_factors
from training.effect_fit import fit_gains, fit_ridges
from training.errors import TrainingError
from training.gate import Gate, gate
from training.learning import FOLDS, Growth, Learning, Target, grow
from training.leaving_fit import fit_leaving, fit_reach
from training.levels import fit_levels, rising_in_depth, shrunk_means
from training.nuisance_race import fit_chance
from training.nuisances import (
    Nuisances,
    fit_joint,
    near_conversions,
    nuisances,
    redeem_trees,
)
from training.out_of_fold import OutOfFold
from training.push_log import NO_SEND, PushLog
from training.stacking import Parts, calibration_slope, slope_through_origin

LEAST_CONVERSIONS = 30


@dataclass(frozen=True, eq=False)
class FittedResponse:
    """The model and what was seen while fitting it.

    effects: mean effect of each offer on conversions, out of fold, with its error.
    slope: of the doubly robust score on what the model predicts, out of fold; 1 is calibrated.
        Where members are not told apart, through the origin.
    scores: the doubly robust scores of conversions, out of fold.
    out: what the model tells of the decisions, out of fold.
    nuisances: which kind of model, trees or linear, told better what happens: without a send by
        member, and in scope by member and offer.
    """

    model: ResponseModel
    effects: tuple[MeanEffect, ...]
    slope: MeanEffect
    gate: Gate
    scores: Scores
    out: OutOfFold
    nuisances: Mapping[str, str]


def fit_response(
    log: PushLog,
    values: NDArray[np.float32],
    names: tuple[str, ...],
    seed: int,
    called: Mapping[str, str] = MappingProxyType({}),
    categories: Collection[str] = (),
) -> FittedResponse:
    """Fit on the decisions of ``log`` and their members' ``values``, (n, features ``names``).

    Args:
        called: what offers call a category, by its name in features, where the two differ.
        categories: the names of features that hold codes.

    Raises:
        TrainingError: too few conversions, or too few sent nothing, to tell anything.
    """
    learning = Learning.of(log, values, names, seed, categories)
    check_enough(learning)
    pairs = PairFeatures.fit(values, names, called)
    known = nuisances(learning, pairs)
    sent = np.bincount(log.offer[log.offer != NO_SEND], minlength=len(log.offers)) > 0
    effects = tuple(
        effect if sent[j] else MeanEffect(0.0, float("inf"))
        for j, effect in enumerate(known.scores.effects())
    )
    by_offer = _levels(log, known.near, sent) + _levels(log, known.rest, sent)
    mean = np.where(np.isnan(by_offer), np.nanmean(by_offer), by_offer)
    gains, gains_out = fit_gains(learning, pairs, known)
    ridge, elsewhere = fit_ridges(learning, pairs, known)
    level = np.where(known.open, mean, np.nan)
    parts = Parts(
        np.stack([known.joint, gains_out, ridge.out, level], axis=2), elsewhere.out, known
    )
    weights = parts.weights(np.ones(len(log), dtype=bool))
    near_mix, rest_mix = parts.mixes(weights)
    offset = _levels(log, _without(known.near, near_mix), sent)
    offset += _levels(log, _without(known.rest, rest_mix), sent)
    apart = _held_out(parts, learning)
    passed = gate(apart, mean, known.scores)
    # What was learned of near conversions must show there too, where far less is chance.
    if not weights.personal or gate(apart, mean, known.near).personal == 0:
        passed = replace(passed, personal=0.0)
    everything = np.ones(len(learning), dtype=bool)
    effect = EffectModel(
        joint=fit_joint(learning, pairs, everything),
        gains=gains,
        ridge=ridge.model,
        elsewhere=elsewhere.model,
        levels=fit_levels(log.offers, by_offer, offset),
        weights=weights,
        personal=passed.personal,
    )
    whole = near_mix + rest_mix + np.nan_to_num(offset)
    predicted = np.where(known.open, mean + passed.personal * (whole - mean), np.nan)
    if passed.personal:
        slope = calibration_slope(predicted, known.scores)
    else:
        slope = slope_through_origin(_levels_out(learning, known, sent), known.scores)
    model = replace(
        _with_money(learning, pairs, effect, known),
        leaving=fit_leaving(learning),
        reliability=_reliability(slope),
        channels=channel_factors(log.channel, predicted, known.scores),
    )
    out = _out_of_fold(learning, model, known, mean + passed.personal * apart)
    kinds = {"if_not": known.base, "in_scope": known.rates}
    return FittedResponse(model, effects, slope, passed, known.scores, out, kinds)


def check_enough(learning: Learning) -> None:
    """Whatever fold is left out, some must have been sent something and converted, some not sent.

    That nobody converts without a push is no hindrance: redemptions never do.

    Raises:
        TrainingError: what there is too little of.
    """
    log = learning.log
    converted = int(log.converted.sum())
    if converted < LEAST_CONVERSIONS:
        raise TrainingError(
            f"{converted} conversions in {len(log)} past decisions, "
            f"wanted at least {LEAST_CONVERSIONS} to learn what a push changes"
        )
    sent = log.offer != NO_SEND
    for rows, side in (
        (sent & log.converted, "conversions of members who were sent an offer"),
        (~sent, "decisions of members who were sent nothing"),
    ):
        if len(np.unique(learning.fold[rows])) < 2:
            raise TrainingError(
                f"{int(rows.sum())} past {side}: too few to compare; "
                "more members must be decided at random"
            )


def _levels(log: PushLog, scores: Scores, sent: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(m,) mean effects, shrunk and rising with depth; NaN for an offer never sent."""
    return rising_in_depth(log.offers, shrunk_means(scores, sent))


def _levels_out(
    learning: Learning, known: Nuisances, sent: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n, m) mean effects, each decision's by the members of the other folds."""
    out = np.full(known.open.shape, np.nan)
    for fold in range(FOLDS):
        mine = learning.fold == fold
        others = known.near.part(~mine), known.rest.part(~mine)
        level = sum(_levels(learning.log, scores, sent) for scores in others)
        out[mine] = np.where(known.open[mine], level, np.nan)
    return out


def _without(scores: Scores, mix: NDArray[np.float64]) -> Scores:
    """What the scores hold beyond ``mix``, (n, m)."""
    return Scores(np.column_stack([scores.matrix[:, 0], scores.matrix[:, 1:] - mix]), scores.member)


def _held_out(parts: Parts, learning: Learning) -> NDArray[np.float64]:
    """What the gate may judge: (n, m) the mix's deviation from each offer's mean prediction.

    A member's own rows have no say in the weights. Means are taken off by fold, or the folds'
    different levels would pass for differences between members.
    """
    apart = np.full(parts.known.open.shape, np.nan)
    for fold in range(FOLDS):
        mine = learning.fold == fold
        near, rest = parts.mixes(parts.weights(~mine))
        mix = (near + rest)[mine]
        count = np.maximum(parts.known.open[mine].sum(axis=0), 1)
        apart[mine] = mix - np.nansum(mix, axis=0) / count
    return apart


def _with_money(
    learning: Learning, pairs: PairFeatures, effect: EffectModel, known: Nuisances
) -> ResponseModel:
    """The rest of the model: level without a send, coupon use, and the money of a conversion."""
    log = learning.log
    everything = np.ones(len(learning), dtype=bool)
    unsent = np.flatnonzero(log.offer == NO_SEND)
    bought = np.flatnonzero(log.converted)
    whole = log.margin[bought] + log.coupon[bought]  # margins are after, this is before coupons
    mean_margin = float(whole.mean())
    revenue_rate = _ratio(float((log.revenue[bought] + log.coupon[bought]).mean()), mean_margin)
    model = ResponseModel(
        pairs=pairs,
        base=fit_chance(known.base, learning, unsent, log.converted),
        base_scale=known.base_scale,
        effect=effect,
        redeem=redeem_trees(learning, pairs, everything),
        margin=_margin(learning, bought, whole),
        mean_margin=mean_margin,
        revenue_rate=revenue_rate,
        coupon_rate=1.0,
        variation=0.0,
        leaving=Leaving.assumed(),
        reach=Reach(0.0, 0.0, 0.0, 0.0),
        channels={},
        redeemed=_redeemed(log, known),
    )
    model = replace(
        model,
        coupon_rate=_coupon_rate(learning, model),
        variation=_variation(learning, model, bought, whole),
    )
    return replace(model, reach=fit_reach(learning, model))


def _redeemed(log: PushLog, known: Nuisances) -> dict[str, float]:
    """How likely each offer is used on average, over the decisions in which it was a candidate."""
    open_ = np.isfinite(known.p_redeem)
    count = open_.sum(axis=0)
    total = np.where(open_, known.p_redeem, 0.0).sum(axis=0)
    return {
        offer.offer_id: float(total[j] / count[j]) for j, offer in enumerate(log.offers) if count[j]
    }


def _variation(
    learning: Learning, model: ResponseModel, bought: NDArray[np.int64], whole: NDArray[np.float64]
) -> float:
    """Standard deviation of the margin of the conversions ``bought`` over the expected one."""
    told = model.estimate(learning.values[bought], learning.names, learning.log.offers[:1]).margin
    away = float(np.sqrt(np.mean((whole - told) ** 2)))
    return _ratio(away, float(told.mean()))


def _reliability(slope: MeanEffect) -> Reliability | None:
    """None where the predictions are all the same."""
    if not np.isfinite([slope.mean, slope.error]).all():
        return None
    return Reliability(slope.mean, slope.error)


def _out_of_fold(
    learning: Learning, model: ResponseModel, known: Nuisances, uplift: NDArray[np.float64]
) -> OutOfFold:
    """What ``model`` would tell of its own decisions had it not seen their members.

    Args:
        uplift: (n, m) change of probability, out of fold.
    """
    log = learning.log
    bought = np.flatnonzero(log.converted)
    whole = log.margin[bought] + log.coupon[bought]
    margin = np.full(len(log), model.mean_margin)
    for fold in range(FOLDS):
        kept, mine = learning.fold[bought] != fold, learning.fold == fold
        trees = _margin(learning, bought[kept], whole[kept]) if kept.any() else None
        if trees is not None:
            told = trees.score(learning.values[mine], learning.names)
            margin[mine] = model.mean_margin * np.exp(np.clip(told, -3, 3))
    coupon = model.coupon_rate * face_value(margin * model.revenue_rate, log.offers)
    return OutOfFold(
        uplift=uplift,
        p_if_not=known.p_if_not,
        p_redeem=known.p_redeem,
        margin=margin,
        coupon=coupon,
        near=near_conversions(learning),
        near_if_not=known.near_if_not,
        near_scores=known.near,
    )


def _margin(
    learning: Learning, bought: NDArray[np.int64], whole: NDArray[np.float64]
) -> Trees | None:
    """Trees for the logarithm of (margin / mean margin); None where conversions are few or free."""
    # A rate cannot be below zero: refunded or loss-making conversions count as zero, and the level
    # of those without is left to the mean margin.
    target = np.clip(whole, 0.0, max(float(np.quantile(whole, 0.99)), 0.0))
    if len(bought) < 500 or whole.mean() <= 0 or target.mean() == 0:
        return None
    ratio = Target(target / target.mean(), start=np.zeros(len(bought)))
    return grow(learning.values[bought], learning.names, ratio, learning.seed, Growth("poisson"))


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
