"""Do no harm: personal decisions only where they beat the best single offer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.uplift import mean_effect

SHARES = (1.0, 0.75, 0.5, 0.25)
# Standard errors that an advantage must exceed. One lets through four logs in twenty where nobody
# differs, for what is judged was fitted to the same log; this, about two.
_ERRORS = 1.5


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


def gate(
    uplift: NDArray[np.float64],
    by_offer: NDArray[np.float64],
    score: NDArray[np.float64],
    member: NDArray[np.int64],
) -> Gate:
    """The largest share of personal differences whose advantage is clear of its error.

    Args:
        uplift: (n, m) out-of-fold predictions, calibrated; NaN where an offer was no candidate.
        by_offer: (m,) mean effects, towards which the predictions are moved.
        score: (n, m) doubly robust scores, NaN likewise.
        member: (n,) whose row each is.

    Source: the area between the uplift curves is RATE with linear weights (Yadlowsky et al.,
    JASA 120, 2025).
    """
    for share in SHARES:
        moved = by_offer + share * (uplift - by_offer)
        tried = _advantage(moved, by_offer, score, member, share)
        if tried.advantage > _ERRORS * tried.error:
            return tried
    return replace(tried, personal=0.0)


def _advantage(
    uplift: NDArray[np.float64],
    by_offer: NDArray[np.float64],
    score: NDArray[np.float64],
    member: NDArray[np.int64],
    share: float,
) -> Gate:
    rows = np.arange(len(uplift))
    single = np.where(np.isnan(score), -np.inf, by_offer).argmax(axis=1)
    chosen = np.where(np.isnan(uplift), -np.inf, uplift).argmax(axis=1)
    predicted = uplift[rows, chosen]
    order = np.argsort(-predicted, kind="stable")
    # Contacted at every size from nobody to all: the first in rank at nearly all of them.
    weight = np.empty(len(rows))
    weight[order] = 1 - (np.arange(len(rows)) + 0.5) / max(len(rows), 1)
    gained = weight * score[rows, chosen] - 0.5 * score[rows, single]
    effect = mean_effect(gained, member)
    return Gate(share, effect.mean, effect.error)
