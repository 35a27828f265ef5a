"""The change of a conversion's probability by a send: learners by pair, and their mix."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.pairs import OFFER_COLUMNS, OfferTerms
from models.row_sums import row_sums
from models.trees import Trees

# What the learners read of a pair beside its features: what other parts of the model expect.
HINTS = ("p_if_not", "p_redeem")
SENT = "sent"
# Kinds whose ``value`` is a depth: more of it is never a worse offer to the member.
DEEPENING = ("percent_off", "amount_off", "points")


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear model on standardised columns; a missing value counts as the column's mean."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float

    def predict(self, pairs: Pairs, told: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n × m,) for the pairs of ``told``: what is of the member alone is weighed once."""
        members = len(pairs.p_if_not)
        if not members:
            return np.zeros(0)
        own = self._weighed(told[:: len(told) // members], slice(None, pairs.shared))
        rest = self._weighed(told, slice(pairs.shared, None))
        return np.asarray(np.repeat(own, len(pairs.offers)) + rest + self.intercept)

    def _weighed(self, table: NDArray[np.float32], part: slice) -> NDArray[np.float64]:
        standard = standardised(table[:, part], self.mean[part], self.scale[part])
        return row_sums(standard * self.weights[part])

    def mixed(self, weight: float, other: Ridge, its: float) -> Ridge:
        """``weight`` times this and ``its`` times the ``other``, which reads the same columns."""
        return Ridge(
            self.mean,
            self.scale,
            weight * self.weights + its * other.weights,
            weight * self.intercept + its * other.intercept,
        )


def standardised(
    table: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(rows, columns) in standard deviations, held to ±4 so that no outlier steers a fit."""
    centred = (table - mean) / scale
    np.clip(centred, -4.0, 4.0, out=centred)
    centred[np.isnan(centred)] = 0.0
    return np.asarray(centred)


def hinted(
    table: NDArray[np.float32], p_if_not: NDArray[np.float64], p_redeem: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The pairs of ``table`` with the columns ``HINTS``, one value a pair."""
    return np.column_stack([table, p_if_not, p_redeem]).astype(np.float32, copy=False)


def with_sending(
    table: NDArray[np.float32], names: tuple[str, ...], sent: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The pairs of ``table`` with the column ``SENT``; unsent, the offer's own terms are 0.

    What remains of the pair, how the member stands to the offer's scope, counts without a send too.
    """
    told = np.column_stack([table, sent]).astype(np.float32, copy=False)
    for column in OFFER_COLUMNS:
        told[~sent, names.index(column)] = 0.0
    return told


@dataclass(frozen=True, eq=False)
class Joint:
    """One model of the rate of conversions with and without a send; their difference is the effect.

    trees: logarithm of the rate, of pair features with ``SENT``.

    Source: the S-learner of Künzel, Sekhon, Bickel and Yu, PNAS 116, 2019.
    """

    trees: Trees

    def rates(
        self, table: NDArray[np.float32], names: tuple[str, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(pairs,) rate if not sent, and if sent, each at most 1."""
        return self._rate(table, names, sent=False), self._rate(table, names, sent=True)

    def change(self, pairs: Pairs) -> NDArray[np.float64]:
        """(n × m,) rate if sent less rate if not.

        Unsent, offers of one scope are the same, and are asked about once.
        """
        n, m = len(pairs.p_if_not), len(pairs.offers)
        scopes = [tuple(sorted(offer.categories)) for offer in pairs.offers]
        first = [scopes.index(scope) for scope in scopes]
        asked = sorted(set(first))
        cube = pairs.table.reshape(n, m, -1)
        few = cube if len(asked) == m else cube[:, asked]
        unsent = self._rate(few.reshape(n * len(asked), -1), pairs.names, sent=False)
        place = [asked.index(one) for one in first]
        sent = self._rate(pairs.table, pairs.names, sent=True)
        return sent - unsent.reshape(n, len(asked))[:, place].ravel()

    def _rate(
        self, table: NDArray[np.float32], names: tuple[str, ...], *, sent: bool
    ) -> NDArray[np.float64]:
        told = with_sending(table, names, np.full(len(table), sent))
        return np.asarray(np.exp(np.minimum(self.trees.score(told, (*names, SENT)), 0.0)))


@dataclass(frozen=True, slots=True)
class Pairs:
    """What the effect is told of the pairs of n members and m offers.

    table: (n × m, columns ``names``), of which the first ``shared`` are of the member alone.
    p_if_not: (n,). p_redeem: (n × m,).
    """

    table: NDArray[np.float32]
    names: tuple[str, ...]
    shared: int
    p_if_not: NDArray[np.float64]
    p_redeem: NDArray[np.float64]
    offers: Sequence[OfferTerms]


@dataclass(frozen=True, slots=True)
class Level:
    """What an offer does on average. effect: mean change. offset: of that, beyond the mix."""

    effect: float
    offset: float


@dataclass(frozen=True, eq=False)
class Levels:
    """Mean effects of the history's offers, and what they say of others.

    by_offer: of each offer that was sent. ladders: by ``ladder_of``, the depths that were sent and
        their levels, each no lower than the one before. pooled: mean effect of any offer.
    """

    by_offer: Mapping[str, Level]
    ladders: Mapping[str, tuple[tuple[float, Level], ...]]
    pooled: float

    def of(self, offer: OfferTerms) -> Level:
        """Its own where it was sent; else between those of other depths; else the common one."""
        if offer.offer_id in self.by_offer:
            return self.by_offer[offer.offer_id]
        rungs = self.ladders.get(ladder_of(offer))
        if not rungs:
            return Level(self.pooled, 0.0)
        depth = [value for value, _ in rungs]
        return Level(
            float(np.interp(offer.value, depth, [level.effect for _, level in rungs])),
            float(np.interp(offer.value, depth, [level.offset for _, level in rungs])),
        )


def ladder_of(offer: OfferTerms) -> str:
    """The same for offers that differ in nothing but their depth and their name."""
    terms = (offer.kind, sorted(offer.categories), offer.min_spend, offer.redemption_cost)
    depthless = () if offer.kind in DEEPENING else (offer.value,)
    return json.dumps([*terms, *depthless])


@dataclass(frozen=True, slots=True)
class Weights:
    """Of each learner in the mix, none below zero; fitted to out-of-fold doubly robust scores.

    level: of the offer's mean effect. elsewhere: of the ridge for purchases out of scope.
    """

    joint: float
    gains: float
    ridge: float
    level: float
    elsewhere: float

    @property
    def personal(self) -> bool:
        """Whether the mix tells members apart at all."""
        return any((self.joint, self.gains, self.ridge, self.elsewhere))


@dataclass(frozen=True, eq=False)
class EffectModel:
    """Change of the conversion probability by a send: a calibrated mix of learners.

    joint: rates with and without a send. gains, ridge: trees, and a regression, of the doubly
    robust score, by pair with ``HINTS``. These three learn of conversions in the scope of the push
    where those are known apart, else of all; ``elsewhere`` is a regression of the score of the
    others. None of them falls with the depth of an offer.

    personal: share of the mix's deviation from the offer's mean that is used; 0 where members do
        not differ reliably.
    """

    joint: Joint
    gains: Trees
    ridge: Ridge
    elsewhere: Ridge
    levels: Levels
    weights: Weights
    personal: float

    def uplift(self, pairs: Pairs) -> NDArray[np.float64]:
        """(n, m) change of probability."""
        n, m = len(pairs.p_if_not), len(pairs.offers)
        levels = [self.levels.of(offer) for offer in pairs.offers]
        known = np.array([level.effect for level in levels])
        if self.personal == 0:
            return np.tile(known, (n, 1))
        told = hinted(pairs.table, np.repeat(pairs.p_if_not, m), pairs.p_redeem)
        w = self.weights
        mix = np.zeros(n * m)
        if w.joint:
            mix += w.joint * self.joint.change(pairs)
        if w.gains:
            mix += w.gains * self.gains.score(told, (*pairs.names, *HINTS))
        if w.ridge or w.elsewhere:
            mix += self.ridge.mixed(w.ridge, self.elsewhere, w.elsewhere).predict(pairs, told)
        offset = np.array([level.offset for level in levels])
        whole = mix.reshape(n, m) + w.level * known + offset
        return np.asarray(known + self.personal * (whole - known))
