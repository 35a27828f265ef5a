"""Do no harm: personal decisions only where they beat the best single offer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.scores import Scores, mean_effect

SHARES = (1.0, 0.75, 0.5, 0.25)
# Standard errors that the advantage must exceed. One lets through four logs in twenty where nobody
# differs: what is judged was fitted to the same log, and the best of the shares is taken.
ERRORS = 1.645


@dataclass(frozen=True, slots=True)
class Gate:
    """How much of the learned differences between members is used.

    personal: share of each member's deviation from the offer's mean effect, 0 = none.
    advantage: of ranking members and choosing offers by it over the best single offer to members
    in random order, averaged over all audience sizes; conversions per member. error: its standard
    error, clustered by member.
    """

    personal: float
    advantage: float
    error: float

    @property
    def verdict(self) -> str:
        if self.personal == 0:
            return "no reliable heterogeneity"
        return f"personal decisions beat the best single offer by {self.advantage:.2g} per member"


def gate(uplift: NDArray[np.float64], by_offer: NDArray[np.float64], scores: Scores) -> Gate:
    """The largest share of personal differences that is clear of its error; 0 if none is.

    The share whose advantage exceeds its error most sets the mark; a larger one takes its place
    unless it does worse than chance explains, for the whole of a calibrated mix is calibrated and
    a part of it promises too little.

    Args:
        uplift: (n, m) out-of-fold deviations from each offer's mean; NaN where an offer was no
            candidate.
        by_offer: (m,) mean effects, from which the deviations are taken.
        scores: doubly robust scores of the same n decisions.

    Source: the area between the uplift curves is RATE with linear weights (Yadlowsky et al.,
    JASA 120, 2025).
    """
    gained = [_gained(by_offer + share * uplift, by_offer, scores) for share in SHARES]
    found = [mean_effect(one, scores.member) for one in gained]
    best = max(range(len(SHARES)), key=lambda k: found[k].mean - found[k].error)
    for share, one, effect in zip(SHARES, gained, found, strict=True):
        behind = mean_effect(gained[best] - one, scores.member)
        if effect.mean > ERRORS * effect.error and behind.mean <= ERRORS * behind.error:
            return Gate(share, effect.mean, effect.error)
    return Gate(0.0, found[best].mean, found[best].error)


def _gained(
    uplift: NDArray[np.float64], by_offer: NDArray[np.float64], scores: Scores
) -> NDArray[np.float64]:
    """(n,) what each decision adds to the area between the policy's curve and the plain one's."""
    rows = np.arange(len(uplift))
    score = scores.uplift()
    single = np.where(np.isnan(score), -np.inf, by_offer).argmax(axis=1)
    chosen = np.where(np.isnan(uplift), -np.inf, uplift).argmax(axis=1)
    predicted = uplift[rows, chosen]
    # Contacted at every size from nobody to all: the first in rank at nearly all of them. Equals
    # share their places, so that the order of rows never counts.
    _, rank, count = np.unique(-predicted, return_inverse=True, return_counts=True)
    ahead = np.cumsum(count) - count / 2
    weight = 1 - ahead[rank] / max(len(rows), 1)
    return np.asarray(weight * score[rows, chosen] - 0.5 * score[rows, single])
