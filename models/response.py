"""What a push changes: conversions, coupon use and money, with and without a send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.calibration import Platt, sigmoid
from models.effect import EffectModel, Joint, Level, Levels, Pairs, Ridge, Weights
from models.estimates import Reliability, ResponseEstimates
from models.leaving import Leaving, Reach, leaving_config, read_leaving
from models.linear import Linear
from models.pairs import OfferTerms, PairFeatures
from models.tastes import Tastes
from models.trees import Trees

KIND = "response"
CHUNK = 131_072  # pairs at a time: bounds the memory of their table


# Log odds by member: whichever told better what happens.
Chance = Trees | Linear
# What the arrays of a linear part begin with.
_BASE, _LEAVING = "base_", "leaving_"


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
    variation: standard deviation of a conversion's margin over the expected one.
    leaving, reach: whom a send makes unsubscribe, and what is lost then.
    channels: by channel that was used, by how much effects differ there from those learned of all.
    reliability: of the effect, out of fold; None where it could not be told.
    drawn: whether chance had a part in the decisions that were learned from.
    redeemed: by offer that was a candidate, how likely members on average use it.
    """

    pairs: PairFeatures
    base: Chance
    base_scale: Platt
    effect: EffectModel
    redeem: Trees | None
    margin: Trees | None
    mean_margin: float
    revenue_rate: float
    coupon_rate: float
    variation: float
    leaving: Leaving
    reach: Reach
    channels: Mapping[str, float]
    reliability: Reliability | None = None
    drawn: bool = True
    redeemed: Mapping[str, float] = field(default_factory=dict)

    @property
    def grade(self) -> str:
        """The evidence of offers that were sent.

        ``randomised``: the average effect that was measured by chance. ``modelled``: the same,
        moved by what was learned of differences between members. ``observational``: chance had no
        part.
        """
        if not self.drawn:
            return "observational"
        return "modelled" if self.effect.personal else "randomised"

    def channel_factor(self, channel: str) -> tuple[float, str]:
        """Effect of a send in ``channel`` over the one that is estimated, and its evidence.

        1 and ``prior`` for a channel that no past push used.
        """
        if channel not in self.channels:
            return 1.0, "prior"
        return self.channels[channel], self.grade

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[OfferTerms]
    ) -> ResponseEstimates:
        """Expected outcomes for n members, (n, features ``names``), and m offers.

        A row of NaN (a member without features) gets the estimates of members about whom as
        little is known.

        Raises:
            ModelError: a feature that the model reads is missing.
        """
        step = max(CHUNK // max(len(offers), 1), 1)
        chunks = [
            self._chunk(values[start : start + step], names, offers)
            for start in range(0, max(len(values), 1), step)
        ]
        joined = chunks[0]
        if len(chunks) > 1:
            joined = tuple(np.concatenate(parts) for parts in zip(*chunks, strict=True))
        p_if_not, uplift, margin, p_redeem = joined
        revenue, grade = margin * self.revenue_rate, self.grade
        return ResponseEstimates(
            p_if_not=p_if_not,
            p_if_sent=np.clip(p_if_not[:, None] + uplift, 0.0, 1.0),
            margin=margin,
            revenue=revenue,
            spread=margin * self.variation,
            p_redeem=p_redeem,
            coupon=self.coupon_rate * face_value(revenue, offers),
            p_unsubscribe=self.leaving.risk(values, names),
            member_value=self.reach.value(values, names, margin),
            evidence=tuple(
                grade if offer.offer_id in self.effect.levels.by_offer else "prior"
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
        pairs = Pairs(
            table, self.pairs.names, self.pairs.shared, p_if_not, p_redeem.ravel(), offers
        )
        uplift = self.effect.uplift(pairs)
        margin = np.full(n, self.mean_margin)
        if self.margin is not None:
            margin = self.mean_margin * np.exp(np.clip(self.margin.score(values, names), -3, 3))
        return p_if_not, uplift, margin, self._redeems(p_redeem, offers)

    def _redeems(
        self, p_redeem: NDArray[np.float64], offers: Sequence[OfferTerms]
    ) -> NDArray[np.float64]:
        """(n, m) ``p_redeem``, as far from each offer's average as effects are from theirs.

        Most of those who use an offer are those whom it makes buy. Where effects do not tell
        members apart, use must not either: the cheapest members would seem the best, and they are
        those on whom a push does nothing.
        """
        average = np.array([self.redeemed.get(offer.offer_id, np.nan) for offer in offers])
        moved = average + self.effect.personal * (p_redeem - average)
        return np.where(np.isnan(average), p_redeem, moved)

    def save(self, folder: Path) -> None:
        maybe = {
            "base": self.base if isinstance(self.base, Trees) else None,
            "joint": self.effect.joint.trees,
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
            "levels": _levels_config(self.effect.levels),
            "weights": asdict(self.effect.weights),
            "personal": self.effect.personal,
            "intercepts": [self.effect.ridge.intercept, self.effect.elsewhere.intercept],
            "mean_margin": self.mean_margin,
            "revenue_rate": self.revenue_rate,
            "coupon_rate": self.coupon_rate,
            "variation": self.variation,
            "leaving": leaving_config(self.leaving),
            "reach": asdict(self.reach),
            "channels": dict(self.channels),
            "reliability": asdict(self.reliability) if self.reliability else None,
            "drawn": self.drawn,
            "redeemed": dict(self.redeemed),
        }
        arrays: dict[str, NDArray[Any]] = {
            "similarity": self.pairs.similarity,
            "taste_chance": self.pairs.tastes.chance,
            "taste_share": self.pairs.tastes.share,
            "ridge_mean": self.effect.ridge.mean,
            "ridge_scale": self.effect.ridge.scale,
            "ridge_weights": self.effect.ridge.weights,
            "elsewhere_weights": self.effect.elsewhere.weights,
        }
        if isinstance(self.base, Linear):
            config["base_names"] = list(self.base.names)
            arrays |= {_BASE + name: array for name, array in self.base.arrays().items()}
        if isinstance(self.leaving.sent, Linear):
            arrays |= {_LEAVING + name: one for name, one in self.leaving.sent.arrays().items()}
        texts = {name: part.text() for name, part in trees.items()}
        Artifact(KIND, config, arrays, texts).save(folder)

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> Self:
        """Read what ``save`` wrote; check the files' hashes first where they came from elsewhere.

        Args:
            threads: that one call uses, as of ``Trees``.

        Raises:
            ArtifactError: another kind of model, or parts that do not fit each other.
        """
        stored = Artifact.load(folder, KIND)
        config = stored.config
        try:
            trees = {
                name: Trees.read(stored.texts[name], tuple(names), threads)
                for name, names in config["trees"].items()
            }
            return cls(
                _pairs(config, stored.arrays),
                _base(config, stored.arrays, trees),
                Platt(*config["base_scale"]),
                _effect(config, stored.arrays, trees),
                trees.get("redeem"),
                trees.get("margin"),
                config["mean_margin"],
                config["revenue_rate"],
                config["coupon_rate"],
                config["variation"],
                read_leaving(config["leaving"], _own(_LEAVING, stored.arrays)),
                Reach(**config["reach"]),
                config["channels"],
                Reliability(**config["reliability"]) if config["reliability"] else None,
                config["drawn"],
                # Models fitted before this was kept go on as they were.
                config.get("redeemed", {}),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error


def _pairs(config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> PairFeatures:
    return PairFeatures(
        tuple(config["member_names"]),
        tuple(config["categories"]),
        tuple(config["scopes"]),
        arrays["similarity"],
        Tastes(arrays["taste_chance"], arrays["taste_share"]),
    )


def _base(
    config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], trees: Mapping[str, Trees]
) -> Chance:
    if "base_names" not in config:
        return trees["base"]
    return Linear.read(_own(_BASE, arrays), tuple(config["base_names"]))


def _own(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with ``prefix``, by the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _effect(
    config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], trees: Mapping[str, Trees]
) -> EffectModel:
    mean, scale = arrays["ridge_mean"], arrays["ridge_scale"]
    ridge, elsewhere = (
        Ridge(mean, scale, arrays[weights], intercept)
        for weights, intercept in zip(
            ("ridge_weights", "elsewhere_weights"), config["intercepts"], strict=True
        )
    )
    stored = config["levels"]
    levels = Levels(
        {name: Level(*one) for name, one in stored["by_offer"].items()},
        {
            name: tuple((depth, Level(*one)) for depth, *one in rungs)
            for name, rungs in stored["ladders"].items()
        },
        stored["pooled"],
    )
    return EffectModel(
        Joint(trees["joint"]),
        trees["gains"],
        ridge,
        elsewhere,
        levels,
        Weights(**config["weights"]),
        config["personal"],
    )


def _levels_config(levels: Levels) -> dict[str, Any]:
    return {
        "by_offer": {name: [one.effect, one.offset] for name, one in levels.by_offer.items()},
        "ladders": {
            name: [[depth, one.effect, one.offset] for depth, one in rungs]
            for name, rungs in levels.ladders.items()
        },
        "pooled": levels.pooled,
    }


def usable(offers: Sequence[OfferTerms]) -> NDArray[np.bool_]:
    """(m,) whether there is anything to use in an offer."""
    return np.array([offer.kind != "content" for offer in offers], dtype=bool)


def face_value(revenue: NDArray[np.float64], offers: Sequence[OfferTerms]) -> NDArray[np.float64]:
    """(n, m) money an offer takes off a purchase of ``revenue``, (n,), by its terms."""
    taken = np.zeros((len(revenue), len(offers)))
    value = np.array([offer.value for offer in offers], dtype=np.float64)
    for kind in {offer.kind for offer in offers} & {"percent_off", "amount_off"}:
        mine = [column for column, offer in enumerate(offers) if offer.kind == kind]
        each = revenue[:, None]
        if kind == "percent_off":
            taken[:, mine] = each * value[mine] / 100
        else:
            taken[:, mine] = np.minimum(each, value[mine])
    return taken
