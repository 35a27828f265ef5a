"""Fits the response model: the effect of a send, the gate, and the money around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.effect import EffectModel
from models.pairs import PairFeatures
from models.response import ResponseModel, face_value
from models.trees import Trees
from training.effect_fit import (
    Nuisances,
    base_trees,
    fit_gains,
    fit_ridge,
    nuisances,
    rate_trees,
    redeem_trees,
)
from training.errors import TrainingError
from training.gate import Gate, gate
from training.learning import FOLDS, Growth, Learning, Target, grow
from training.push_log import NO_SEND, PushLog
from training.uplift import MeanEffect, mean_effect, shrunk

LEAST_CONVERSIONS = 30


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
    log: PushLog,
    values: NDArray[np.float32],
    names: tuple[str, ...],
    seed: int,
    called: Mapping[str, str] = MappingProxyType({}),
) -> FittedResponse:
    """Fit on the decisions of ``log`` and their members' ``values``, (n, features ``names``).

    Args:
        called: what offers call a category, by its name in features, where the two differ.

    Raises:
        TrainingError: too few conversions, or too few sent nothing, to tell anything.
    """
    learning = Learning.of(log, values, names, seed)
    converted = int(log.converted.sum())
    if converted < LEAST_CONVERSIONS:
        raise TrainingError(
            f"{converted} conversions in {len(log)} past decisions, "
            f"wanted at least {LEAST_CONVERSIONS} to learn what a push changes"
        )
    _check_sides(learning)
    pairs = PairFeatures.fit(values, names, called)
    known = nuisances(learning, pairs)
    sent = np.bincount(log.offer[log.offer != NO_SEND], minlength=len(log.offers)) > 0
    # The score of an offer never sent holds the learners' belief and no outcome: nothing is known.
    effects = _by_offer(np.where(sent, known.score, np.nan), learning.member)
    by_offer, pooled = shrunk(effects)
    ridge, ridge_out = fit_ridge(learning, pairs, known)
    gains, gains_out = fit_gains(learning, pairs, known)
    level = np.where(known.open, by_offer, np.nan)
    parts = np.stack([known.effect, gains_out, ridge_out, level], axis=2)
    weights = _mixed(parts[known.open], known.score[known.open])
    mix = parts @ weights
    offset, _ = shrunk(_by_offer(known.score - mix, learning.member))
    passed = gate(
        _held_out(parts, known, learning), np.array(by_offer), known.score, learning.member
    )
    if not weights[:3].any():  # the mix holds nothing personal
        passed = replace(passed, personal=0.0)
    ids = [offer.offer_id for offer in log.offers]
    effect = EffectModel(
        rates=rate_trees(learning, pairs, np.ones(len(learning), dtype=bool), known.p_if_not),
        gains=gains,
        ridge=ridge,
        by_offer={one: by_offer[j] for j, one in enumerate(ids) if sent[j]},
        pooled=pooled,
        weights=(float(weights[0]), float(weights[1]), float(weights[2]), float(weights[3])),
        offset=dict(zip(ids, offset, strict=True)),
        personal=passed.personal,
    )
    model = _with_money(learning, pairs, effect, known)
    return FittedResponse(model, tuple(effects), _slope(mix, known.score, learning), passed)


def _check_sides(learning: Learning) -> None:
    """Whatever fold is left out, some must have been sent something and converted, some not sent.

    That nobody converts without a push is no hindrance: redemptions never do.
    """
    log = learning.log
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


def _by_offer(score: NDArray[np.float64], member: NDArray[np.int64]) -> list[MeanEffect]:
    return [mean_effect(one[~np.isnan(one)], member[~np.isnan(one)]) for one in score.T]


def _held_out(
    parts: NDArray[np.float64], known: Nuisances, learning: Learning
) -> NDArray[np.float64]:
    """What the gate may judge: (n, m) the mix's deviation from each offer's mean prediction.

    A member's own rows have no say in the weights. Means are taken off by fold, or the folds'
    different levels would pass for differences between members.
    """
    apart = np.full(known.score.shape, np.nan)
    for fold in range(FOLDS):
        mine = learning.fold == fold
        inside = known.open & ~mine[:, None]
        mix = parts[mine] @ _mixed(parts[inside], known.score[inside])
        count = np.maximum(known.open[mine].sum(axis=0), 1)
        apart[mine] = mix - np.nansum(mix, axis=0) / count
    return apart


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
    learning: Learning, pairs: PairFeatures, effect: EffectModel, known: Nuisances
) -> ResponseModel:
    """The rest of the model: level without a send, coupon use, and the money of a conversion."""
    log = learning.log
    everything = np.ones(len(learning), dtype=bool)
    bought = np.flatnonzero(log.converted)
    whole = log.margin[bought] + log.coupon[bought]  # margins are after, this is before coupons
    mean_margin = float(whole.mean())
    revenue_rate = _ratio(float((log.revenue[bought] + log.coupon[bought]).mean()), mean_margin)
    model = ResponseModel(
        pairs=pairs,
        base=base_trees(learning, everything),
        base_scale=known.base_scale,
        effect=effect,
        redeem=redeem_trees(learning, pairs, everything),
        margin=_margin(learning, bought, whole),
        mean_margin=mean_margin,
        revenue_rate=revenue_rate,
        coupon_rate=1.0,
    )
    return replace(model, coupon_rate=_coupon_rate(learning, model))


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
