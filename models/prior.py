"""What is assumed of a push where no randomised history says what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.estimates import Reliability, ResponseEstimates
from models.leaving import ASSUMED_RATE, DISCOUNTED
from models.pairs import OfferTerms
from models.propensity import Propensity
from models.response import face_value
from models.trees import positions

KIND = "prior"
_ORDER = "average_order"


@dataclass(frozen=True, eq=False)
class PriorResponse:
    """Propensity, moved by an assumed effect. Every estimate says ``evidence: "prior"``.

    log_odds: assumed change of the log odds of a purchase by a send; the same for everybody, so
        that those who buy anyway and those who never do change least in probability.
    mean_order: revenue per order in the workspace; for members without an order of their own.
    margin_rate: margin as a share of revenue.
    variation: standard deviation of an order's margin over its mean.
    unsubscribe_rate: assumed share of sends that make a member unsubscribe.
    contacts: assumed contacts of a member a year, each of which would gain what this one does.
    """

    propensity: Propensity
    log_odds: float
    mean_order: float
    margin_rate: float
    variation: float = 1.0
    unsubscribe_rate: float = ASSUMED_RATE
    contacts: float = 12.0

    @property
    def reliability(self) -> Reliability | None:
        """None: an assumption was never held against what happened."""
        return None

    def channel_factor(self, channel: str) -> tuple[float, str]:
        """The effect is assumed the same in every ``channel``."""
        del channel
        return 1.0, "prior"

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[OfferTerms]
    ) -> ResponseEstimates:
        """Expected outcomes for n members, (n, features ``names``), and m offers.

        Buyers are assumed to use a coupon whenever they buy: its full cost is counted.

        Raises:
            ModelError: a feature that the propensity reads is missing.
        """
        p_if_not = self.propensity.predict(values, names)
        odds = p_if_not / (1 - p_if_not) * np.exp(self.log_odds)
        p_if_sent = np.repeat((odds / (1 + odds))[:, None], len(offers), axis=1)
        revenue = np.full(len(values), self.mean_order)
        if _ORDER in names:
            columns = positions((_ORDER,), names)
            own = values[:, columns if columns is not None else [0]][:, 0].astype(np.float64)
            revenue = np.where(np.isnan(own) | (own <= 0), revenue, own)
        margin = revenue * self.margin_rate
        added = np.maximum(odds / (1 + odds) - p_if_not, 0.0) * margin
        usable = np.array([offer.kind != "content" for offer in offers])
        return ResponseEstimates(
            p_if_not=p_if_not,
            p_if_sent=p_if_sent,
            margin=margin,
            revenue=revenue,
            spread=margin * self.variation,
            p_redeem=p_if_sent * usable,
            coupon=face_value(revenue, offers),
            p_unsubscribe=np.full(len(values), self.unsubscribe_rate),
            member_value=added * self.contacts * DISCOUNTED,
            evidence=("prior",) * len(offers),
        )

    def save(self, folder: Path) -> None:
        config = {
            "log_odds": self.log_odds,
            "mean_order": self.mean_order,
            "margin_rate": self.margin_rate,
            "variation": self.variation,
            "unsubscribe_rate": self.unsubscribe_rate,
            "contacts": self.contacts,
        }
        Artifact(KIND, config).save(folder)
        self.propensity.save(folder / "propensity")

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> Self:
        """Read what ``save`` wrote; ``threads`` as of ``Trees``.

        Raises:
            ArtifactError: another kind of model, or parts that do not fit each other.
        """
        stored = Artifact.load(folder, KIND)
        try:
            return cls(Propensity.load(folder / "propensity", threads), **stored.config)
        except TypeError as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error
