"""What a response model would tell of the decisions that it learned from, had it not seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from experiments.scores import Scores


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Of n decisions and m offers; NaN where an offer was no candidate.

    uplift: (n, m) change of the probability of a conversion. p_if_not: (n,). p_redeem: (n, m).
    margin: (n,) money per conversion, before coupons. coupon: (n, m) money one use takes off.
    near: (n,) conversions that the push was about (``training.nuisances.near_conversions``).
    near_if_not: (n,) their rate without a send. near_scores: their doubly robust scores.
    """

    uplift: NDArray[np.float64]
    p_if_not: NDArray[np.float64]
    p_redeem: NDArray[np.float64]
    margin: NDArray[np.float64]
    coupon: NDArray[np.float64]
    near: NDArray[np.bool_]
    near_if_not: NDArray[np.float64]
    near_scores: Scores

    def gain(self, offers: Sequence[Offer]) -> NDArray[np.float64]:
        """(n, m) money that a send earns inside the window of attribution, against no send."""
        contact = np.array([offer.contact_cost for offer in offers])
        redemption = np.array([offer.redemption_cost for offer in offers])
        spent = contact + self.p_redeem * (self.coupon + redemption)
        return np.asarray(self.uplift * self.margin[:, None] - spent)
