"""What a push changes: conversions, coupon use and money, with and without a send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.calibration import Platt, sigmoid
from models.effect import EffectModel, Pairs, Ridge
from models.pairs import OfferTerms, PairFeatures
from models.trees import Trees

KIND = "response"
CHUNK = 8_192  # members at a time: bounds the memory of the pair table


@dataclass(frozen=True, slots=True)
class ResponseEstimates:
    """Expected outcomes of n members and m offers; see ``ResponseModel.estimate``."""

    p_if_not: NDArray[np.float64]  # (n,)
    p_if_sent: NDArray[np.float64]  # (n, m)
    margin: NDArray[np.float64]  # (n,) money per conversion, before coupons
    revenue: NDArray[np.float64]  # (n,) money per conversion, before coupons
    p_redeem: NDArray[np.float64]  # (n, m)
    coupon: NDArray[np.float64]  # (n, m) money one use takes off the purchase
    evidence: tuple[str, ...]  # (m,)


@dataclass(frozen=True, eq=False)
class ResponseModel:
    """A fitted model of what members do with and without each offer.

    base: log odds of a conversion without a send, by member; ``base_scale`` calibrates it.
    effect: what a send changes.
    redeem: log odds that an offer sent is used, by pair; None where no offer of the history can
        be used.
    margin: expected margin per conversion before coupons, by member; None means ``mean_margin``.
    revenue_rate: revenue per unit of margin.
    coupon_rate: money that a used coupon took off, per unit of its face value.
    grade: the evidence of offers that were sent: ``modelled`` on decisions that chance had a part
        in, ``observational`` on others.
    """

    pairs: PairFeatures
    base: Trees
    base_scale: Platt
    effect: EffectModel
    redeem: Trees | None
    margin: Trees | None
    mean_margin: float
    revenue_rate: float
    coupon_rate: float
    grade: str = "modelled"

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[OfferTerms]
    ) -> ResponseEstimates:
        """Expected outcomes for n members, (n, features ``names``), and m offers.

        A row of NaN (a member without features) gets the estimates of members about whom as
        little is known.

        Raises:
            ModelError: a feature that the model reads is missing.
        """
        chunks = [
            self._chunk(values[start : start + CHUNK], names, offers)
            for start in range(0, max(len(values), 1), CHUNK)
        ]
        joined = [np.concatenate(parts) for parts in zip(*chunks, strict=True)]
        p_if_not, uplift, margin, p_redeem = joined
        revenue = margin * self.revenue_rate
        return ResponseEstimates(
            p_if_not=p_if_not,
            p_if_sent=np.clip(p_if_not[:, None] + uplift, 0.0, 1.0),
            margin=margin,
            revenue=revenue,
            p_redeem=p_redeem,
            coupon=self.coupon_rate * face_value(revenue, offers),
            evidence=tuple(
                self.grade if offer.offer_id in self.effect.by_offer else "prior"
                for offer in offers
            ),
        )

    def _chunk(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[OfferTerms]
    ) -> tuple[NDArray[np.float64], ...]:
        n, m = len(values), len(offers)
        p_if_not = self.base_scale.probability(self.base.score(values, names))
        table = self.pairs.table(values, names, offers)
        p_redeem = np.zeros((n, m))
        if self.redeem is not None:
            used = sigmoid(self.redeem.score(table, self.pairs.names))
            p_redeem = used.reshape(n, m) * usable(offers)
        pairs = Pairs(table, self.pairs.names, p_if_not, p_redeem.ravel(), offers)
        uplift = self.effect.uplift(pairs)
        margin = np.full(n, self.mean_margin)
        if self.margin is not None:
            margin = self.mean_margin * np.exp(np.clip(self.margin.score(values, names), -3, 3))
        return p_if_not, uplift, margin, p_redeem

    def save(self, folder: Path) -> None:
        maybe = {
            "base": self.base,
            "rates": self.effect.rates,
            "gains": self.effect.gains,
            "redeem": self.redeem,
            "margin": self.margin,
        }
        trees = {name: part for name, part in maybe.items() if part is not None}
        config = {
            "trees": {name: list(part.names) for name, part in trees.items()},
            "member_names": list(self.pairs.member_names),
            "categories": list(self.pairs.categories),
            "scopes": list(self.pairs.scopes),
            "base_scale": [self.base_scale.slope, self.base_scale.intercept],
            "by_offer": dict(self.effect.by_offer),
            "pooled": self.effect.pooled,
            "weights": list(self.effect.weights),
            "offset": dict(self.effect.offset),
            "personal": self.effect.personal,
            "ridge_intercept": self.effect.ridge.intercept,
            "mean_margin": self.mean_margin,
            "revenue_rate": self.revenue_rate,
            "coupon_rate": self.coupon_rate,
            "grade": self.grade,
        }
        arrays: dict[str, NDArray[Any]] = {
            "similarity": self.pairs.similarity,
            "ridge_mean": self.effect.ridge.mean,
            "ridge_scale": self.effect.ridge.scale,
            "ridge_weights": self.effect.ridge.weights,
        }
        texts = {name: part.text() for name, part in trees.items()}
        Artifact(KIND, config, arrays, texts).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; check the files' hashes first where they came from elsewhere.

        Raises:
            ArtifactError: another kind of model, or parts that do not fit each other.
        """
        stored = Artifact.load(folder, KIND)
        config, arrays = stored.config, stored.arrays
        try:
            trees = {
                name: Trees.read(stored.texts[name], tuple(names))
                for name, names in config["trees"].items()
            }
            ridge = Ridge(
                arrays["ridge_mean"],
                arrays["ridge_scale"],
                arrays["ridge_weights"],
                config["ridge_intercept"],
            )
            effect = EffectModel(
                trees["rates"],
                trees["gains"],
                ridge,
                config["by_offer"],
                config["pooled"],
                tuple(config["weights"]),
                config["offset"],
                config["personal"],
            )
            pairs = PairFeatures(
                tuple(config["member_names"]),
                tuple(config["categories"]),
                tuple(config["scopes"]),
                arrays["similarity"],
            )
            return cls(
                pairs,
                trees["base"],
                Platt(*config["base_scale"]),
                effect,
                trees.get("redeem"),
                trees.get("margin"),
                config["mean_margin"],
                config["revenue_rate"],
                config["coupon_rate"],
                config["grade"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error


def usable(offers: Sequence[OfferTerms]) -> NDArray[np.bool_]:
    """(m,) whether there is anything to use in an offer."""
    return np.array([offer.kind != "content" for offer in offers], dtype=bool)


def face_value(revenue: NDArray[np.float64], offers: Sequence[OfferTerms]) -> NDArray[np.float64]:
    """(n, m) money an offer takes off a purchase of ``revenue``, (n,), by its terms."""
    columns = []
    for offer in offers:
        if offer.kind == "percent_off":
            columns.append(revenue * offer.value / 100)
        elif offer.kind == "amount_off":
            columns.append(np.minimum(revenue, offer.value))
        else:
            columns.append(np.zeros_like(revenue))
    return np.column_stack(columns)
