"""The change of a conversion's probability by a send: learners by pair, and their mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.pairs import OfferTerms
from models.trees import Trees

# What the learners read of a pair beside its features: what other parts of the model expect.
HINTS = ("p_if_not", "p_redeem")


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear model on standardised columns; a missing value counts as the column's mean."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float

    def predict(self, table: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(
            standardised(table, self.mean, self.scale) @ self.weights + self.intercept
        )


def standardised(
    table: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(rows, columns) in standard deviations, held to ±4 so that no outlier steers a fit."""
    centred = (table - mean) / scale
    return np.nan_to_num(np.clip(centred, -4.0, 4.0), nan=0.0)


def hinted(
    table: NDArray[np.float32], p_if_not: NDArray[np.float64], p_redeem: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The pairs of ``table`` with the columns ``HINTS``, one value a pair."""
    return np.column_stack([table, p_if_not, p_redeem]).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class Pairs:
    """What the effect is told of the pairs of n members and m offers.

    table: (n × m, columns ``names``). p_if_not: (n,). p_redeem: (n × m,).
    """

    table: NDArray[np.float32]
    names: tuple[str, ...]
    p_if_not: NDArray[np.float64]
    p_redeem: NDArray[np.float64]
    offers: Sequence[OfferTerms]


@dataclass(frozen=True, eq=False)
class EffectModel:
    """Change of the conversion probability by a send: a calibrated mix of learners.

    rates: trees for the logarithm of (rate if sent / rate if not), by pair.
    gains, ridge: trees, and a regression, of the doubly robust score, by pair with ``HINTS``.
    by_offer: mean effect of each offer of the history; ``pooled`` for one that never was sent.
    weights: of rates, gains, ridge and the offer's mean; the least squares fit to out-of-fold
        doubly robust scores, none below zero, which is what calibrates the mix.
    offset: what an offer's effect is on average beyond the mix; 0 for one never sent.
    personal: share of the mix's deviation from the offer's mean that is used; 0 where members do
        not differ reliably.
    """

    rates: Trees
    gains: Trees
    ridge: Ridge
    by_offer: Mapping[str, float]
    pooled: float
    weights: tuple[float, float, float, float]
    offset: Mapping[str, float]
    personal: float

    def uplift(self, pairs: Pairs) -> NDArray[np.float64]:
        """(n, m) change of probability."""
        n, m = len(pairs.p_if_not), len(pairs.offers)
        ids = [offer.offer_id for offer in pairs.offers]
        known = np.array([self.by_offer.get(one, self.pooled) for one in ids])
        if self.personal == 0:
            return np.tile(known, (n, 1))
        base = np.repeat(pairs.p_if_not, m)
        told = hinted(pairs.table, base, pairs.p_redeem)
        parts = (
            changed(self.rates.score(pairs.table, pairs.names), base).reshape(n, m),
            self.gains.score(told, (*pairs.names, *HINTS)).reshape(n, m),
            self.ridge.predict(told).reshape(n, m),
            known,
        )
        mix = sum(w * part for w, part in zip(self.weights, parts, strict=True))
        mix = mix + np.array([self.offset.get(one, 0.0) for one in ids])
        return np.asarray(known + self.personal * (mix - known))


def changed(rate: NDArray[np.float64], p_if_not: NDArray[np.float64]) -> NDArray[np.float64]:
    """Change of a probability by a factor whose logarithm is ``rate``."""
    return np.asarray(p_if_not * np.expm1(np.clip(rate, -3.0, 3.0)))
