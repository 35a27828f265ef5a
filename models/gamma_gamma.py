"""Gamma-Gamma: what a member's purchases are worth, learned from few of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Worth of a purchase: gamma distributed about a mean of the member's own.

    A purchase has shape ``p``; the rates of the members are gamma distributed with shape ``q``,
    above 1, and ``v``, money. How often a member buys is taken to say nothing of how much.

    Source: Fader and Hardie, "The gamma-gamma model of monetary value", note 25, 2013.
    """

    p: float
    q: float
    v: float

    def __post_init__(self) -> None:
        for name, least in zip((field.name for field in fields(self)), (0, 1, 0), strict=True):
            value = getattr(self, name)
            if not least < value < np.inf:
                raise ModelError(f"{name} is {value}, wanted a finite number above {least}")

    @property
    def mean(self) -> float:
        """What a purchase of a member of whom nothing is known is worth, money."""
        return self.p * self.v / (self.q - 1)

    def expected_worth(
        self, purchases: NDArray[np.float64], mean: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n,) expected worth of a next purchase, money, above 0.

        A weighted mean of the member's own and everybody's: the more purchases, the more their own.

        Args:
            purchases: (n,) how many were seen, 0 or more.
            mean: (n,) what these were worth on average, money; below 0, as after refunds, counts
                as 0.
        """
        own = self.p * purchases
        return np.asarray((own * np.maximum(mean, 0.0) + self.p * self.v) / (own + self.q - 1))

    def trusting(self, share: float) -> GammaGamma:
        """The same mean, with each purchase of a member's own counting ``share`` as much."""
        return GammaGamma(self.p * share, self.q, self.v / share)
