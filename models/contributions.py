"""What each feature adds to an estimate: base + Σ parts = estimate, for one member.

Trees give the SHAP values of their score, which add up to it exactly; linear parts give coefficient
times distance from the mean. Where the score goes through a curve (a probability, a rate), each
part is multiplied by the slope of the chord from the curve at the base to the curve at the score:
the sum stays exact, and parts keep their order and their shares.

Source: Lundberg, Erion and Lee, Consistent individualized feature attribution for tree ensembles,
arXiv:1802.03888.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.calibration import Platt, sigmoid
from models.effect import HINTS, SENT, Pairs, Ridge, hinted, standardised, with_sending
from models.habit import Habit
from models.linear import Linear
from models.pairs import OFFER_COLUMNS, OfferTerms
from models.prior import PriorResponse
from models.propensity import Blend, Scorer
from models.response import ResponseModel, usable
from models.trees import Trees, positions

OFFER = "offer"  # the offer's own terms, all of them together
HABIT = "habit"  # orders, gaps and recency, which the habit of buying reads together
_NEAR = 1e-9  # apart, below which a chord has no slope of its own
_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Sum:
    """A number and what it is made of: ``base`` and a part for each feature, by name."""

    base: float
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        return self.base + sum(self.parts.values())

    def times(self, factor: float, shift: float = 0.0) -> Sum:
        """Of ``factor × total + shift``."""
        parts = {name: factor * part for name, part in self.parts.items()}
        return Sum(factor * self.base + shift, parts)

    def plus(self, other: Sum) -> Sum:
        names = dict.fromkeys((*self.parts, *other.parts))
        parts = {name: self.parts.get(name, 0.0) + other.parts.get(name, 0.0) for name in names}
        return Sum(self.base + other.base, parts)

    def through(self, curve: Callable[[float], float]) -> Sum:
        """Of ``curve(total)``: parts by the slope of the chord from the base."""
        low, apart = curve(self.base), self.total - self.base
        if abs(apart) > _NEAR:
            slope = (curve(self.total) - low) / apart
        else:
            slope = (curve(self.base + _STEP) - curve(self.base - _STEP)) / (2 * _STEP)
        return self.times(slope, low - slope * self.base)


@dataclass(frozen=True, slots=True)
class Told:
    """told: what the estimate is made of. values: of the features that are not the member's own
    alone but of the pair, by name; NaN is missing."""

    told: Sum
    values: Mapping[str, float]


class Contributing(Protocol):
    """An estimator whose estimates can be taken apart, for one member (1, features ``names``)."""

    def chance(self, values: NDArray[np.float32], names: tuple[str, ...]) -> Told:
        """Of the probability of a conversion without a send."""
        ...

    def effect(
        self, values: NDArray[np.float32], names: tuple[str, ...], offer: OfferTerms
    ) -> Told:
        """Of the change of that probability by a send of ``offer``."""
        ...


def contributing(estimator: object) -> Contributing | None:
    """What takes ``estimator`` apart; None where it is made of nothing a member has."""
    match estimator:
        case ResponseModel():
            return _OfResponse(estimator)
        case PriorResponse():
            return _OfPrior(estimator)
        case _:
            return None


def score_parts(model: Scorer, values: NDArray[np.float32], names: tuple[str, ...]) -> Sum:
    """Of the raw score of one row, (1, columns ``names``), as ``model.score`` gives it."""
    match model:
        case Trees():
            return _trees(model, values, names)
        case Linear():
            return _linear(model, values, names)
        case Habit():
            return _habit(model, values, names)
        case Blend():
            whole = Sum(0.0, {})
            for part in model.parts:
                whole = whole.plus(score_parts(part, values, names))
            return whole.times(1 / len(model.parts))


def _trees(model: Trees, values: NDArray[np.float32], names: tuple[str, ...]) -> Sum:
    columns = positions(model.names, names)
    chosen = np.ascontiguousarray(values if columns is None else values[:, columns])
    found = model.booster.predict(chosen, pred_contrib=True, num_threads=1)[0].tolist()
    return Sum(found[-1], dict(zip(model.names, found[:-1], strict=True)))


def _linear(model: Linear, values: NDArray[np.float32], names: tuple[str, ...]) -> Sum:
    columns, told = positions(model.names, names), model.preparation
    table = told.table(values if columns is None else values[:, columns])
    weighed = (table * model.weights)[0].tolist()
    parts = dict.fromkeys(model.names, 0.0)
    sources = np.concatenate([told.numbers, told.missing, told.coded]).tolist()
    for source, part in zip(sources, weighed, strict=True):
        parts[model.names[source]] += part
    return Sum(model.intercept, parts)


def _habit(model: Habit, values: NDArray[np.float32], names: tuple[str, ...]) -> Sum:
    never = float(model.towards * model.never)
    return Sum(never, {HABIT: float(model.score(values, names)[0]) - never})


def _probability(scale: Platt, score: Sum) -> Sum:
    return score.times(scale.slope, scale.intercept).through(_sigmoid)


def _sigmoid(log_odds: float) -> float:
    return float(sigmoid(np.array(log_odds)))


@dataclass(frozen=True, slots=True)
class _OfPrior:
    model: PriorResponse

    def chance(self, values: NDArray[np.float32], names: tuple[str, ...]) -> Told:
        told = self.model.propensity
        return Told(_probability(told.calibration, score_parts(told.scorer, values, names)), {})

    def effect(
        self, values: NDArray[np.float32], names: tuple[str, ...], offer: OfferTerms
    ) -> Told:
        """The assumed effect is one of the chance alone, and changes with what that is made of."""
        del offer
        scale = self.model.propensity.calibration
        score = score_parts(self.model.propensity.scorer, values, names)

        def change(log_odds: float) -> float:
            p = _sigmoid(log_odds)
            odds = p / (1 - p) * float(np.exp(self.model.log_odds))
            return odds / (1 + odds) - p

        return Told(score.times(scale.slope, scale.intercept).through(change), {})


@dataclass(frozen=True, slots=True)
class _OfResponse:
    model: ResponseModel

    def chance(self, values: NDArray[np.float32], names: tuple[str, ...]) -> Told:
        return Told(
            _probability(self.model.base_scale, score_parts(self.model.base, values, names)), {}
        )

    def effect(
        self, values: NDArray[np.float32], names: tuple[str, ...], offer: OfferTerms
    ) -> Told:
        model = self.model
        pairs = _pairs(model, values, names, [offer])
        told = hinted(pairs.table, pairs.p_if_not, pairs.p_redeem)
        columns = (*pairs.names, *HINTS)
        chance = float(pairs.p_if_not[0])

        def kept(change: float) -> float:
            return min(max(chance + change, 0.0), 1.0) - chance

        whole = _uplift(model, pairs, told).through(kept)
        parts: dict[str, float] = {}
        for name, part in whole.parts.items():
            group = OFFER if name == SENT or name in OFFER_COLUMNS else name
            parts[group] = parts.get(group, 0.0) + part
        shown = dict(zip(columns, told[0].tolist(), strict=True))
        return Told(Sum(whole.base, parts), shown)


def _pairs(
    model: ResponseModel,
    values: NDArray[np.float32],
    names: tuple[str, ...],
    offers: Sequence[OfferTerms],
) -> Pairs:
    p_if_not = model.base_scale.probability(model.base.score(values, names))
    table = model.pairs.table(values, names, offers)
    p_redeem = np.zeros(len(offers))
    if model.redeem is not None:
        p_redeem = sigmoid(model.redeem.score(table, model.pairs.names)) * usable(offers)
    return Pairs(table, model.pairs.names, model.pairs.shared, p_if_not, p_redeem, offers)


def _uplift(model: ResponseModel, pairs: Pairs, told: NDArray[np.float32]) -> Sum:
    """As ``EffectModel.uplift`` mixes it, for one pair."""
    effect = model.effect
    level, w = effect.levels.of(pairs.offers[0]), effect.weights
    common = Sum(level.effect, {})
    if effect.personal == 0:
        return common
    mix = Sum((w.level - 1) * level.effect + level.offset, {})
    columns = (*pairs.names, *HINTS)
    if w.joint:
        sent = _rate(effect.joint.trees, pairs, sent=True)
        unsent = _rate(effect.joint.trees, pairs, sent=False)
        mix = mix.plus(sent.plus(unsent.times(-1.0)).times(w.joint))
    if w.gains:
        mix = mix.plus(_trees(effect.gains, told, columns).times(w.gains))
    if w.ridge or w.elsewhere:
        mixed = effect.ridge.mixed(w.ridge, effect.elsewhere, w.elsewhere)
        mix = mix.plus(_ridge(mixed, told, columns))
    return common.plus(mix.times(effect.personal))


def _rate(trees: Trees, pairs: Pairs, *, sent: bool) -> Sum:
    told = with_sending(pairs.table, pairs.names, np.full(len(pairs.table), sent))
    score = _trees(trees, told, (*pairs.names, SENT))
    return score.through(lambda rate: float(np.exp(min(rate, 0.0))))


def _ridge(model: Ridge, told: NDArray[np.float32], columns: tuple[str, ...]) -> Sum:
    parts = (standardised(told, model.mean, model.scale) * model.weights)[0].tolist()
    return Sum(model.intercept, dict(zip(columns, parts, strict=True)))
