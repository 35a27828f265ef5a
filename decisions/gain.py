"""What a contact changes, in money, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer, Option, Push

# From the most certain to what is assumed.
EVIDENCE = ("randomised", "modelled", "observational", "prior")


class Estimates(Protocol):
    """What a response model expects of n members and m offers.

    p_if_not: (n,) probability of a conversion without a send. p_if_sent: (n, m).
    margin, revenue: (n,) money per conversion, before any coupon. spread: (n,) standard deviation
    of a conversion's money.
    p_redeem: (n, m) probability that the offer is used, by those who buy anyway too.
    coupon: (n, m) money that one use takes off the purchase.
    p_unsubscribe: (n,) probability that a send makes the member leave. member_value: (n,) money
    that is then lost.
    evidence: (m,) what the difference between sent and not rests on, by offer; of ``EVIDENCE``.
    """

    @property
    def p_if_not(self) -> NDArray[np.float64]: ...
    @property
    def p_if_sent(self) -> NDArray[np.float64]: ...
    @property
    def margin(self) -> NDArray[np.float64]: ...
    @property
    def revenue(self) -> NDArray[np.float64]: ...
    @property
    def spread(self) -> NDArray[np.float64]: ...
    @property
    def p_redeem(self) -> NDArray[np.float64]: ...
    @property
    def coupon(self) -> NDArray[np.float64]: ...
    @property
    def p_unsubscribe(self) -> NDArray[np.float64]: ...
    @property
    def member_value(self) -> NDArray[np.float64]: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...


class Reliability(Protocol):
    """How what happened rose with what was predicted, out of sample: 1 is calibrated."""

    @property
    def slope(self) -> float: ...
    @property
    def error(self) -> float: ...


class Estimator(Protocol):
    """A fitted response model. ``reliability`` is None where nothing was measured."""

    @property
    def reliability(self) -> Reliability | None: ...

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[Offer]
    ) -> Estimates:
        """Estimates for the members of ``values``, shape (members, features ``names``)."""
        ...

    def channel_factor(self, channel: str) -> tuple[float, str]:
        """By how much a send by ``channel`` does more than the estimates say, and its evidence."""
        ...


@dataclass(frozen=True, slots=True)
class Gain:
    """Of n members and m options, float32: whole audiences are large.

    gain: (n, m) in money, or in conversions where the push counts those. cost: (n, m) what a
    budget limits: contact, expected coupon and expected redemption, in money. uplift: (n, m)
    extra conversions. p_if_not: (n,). fatigue: (n,) money that a send is expected to lose by the
    member's leaving; it is in the gain. worth, spread: (n,) mean and standard deviation of what a
    conversion is worth, in the unit of the gain.
    evidence: (m,) what the uplift rests on.
    """

    gain: NDArray[np.float32]
    cost: NDArray[np.float32]
    uplift: NDArray[np.float32]
    p_if_not: NDArray[np.float32]
    fatigue: NDArray[np.float32]
    worth: NDArray[np.float32]
    spread: NDArray[np.float32]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channels:
    """What a channel adds: its cost per message, and its factor and evidence by the estimator."""

    cost: Mapping[str, float]
    factor: Mapping[str, tuple[float, str]]


def gain(push: Push, options: Sequence[Option], estimates: Estimates, channels: Channels) -> Gain:
    """Expected gain and cost of sending each option to each member.

    ``margin``: E[margin | send] − E[margin | no send] − contact − P(redeem) × (coupon +
    redemption cost) − P(unsubscribes) × the member's value: extra conversions × margin before
    coupons, then the coupon once, of those who buy anyway too. ``revenue``: the same with revenue
    in place of margin. ``conversions``: extra conversions alone; cost meets only the constraints.

    Args:
        estimates: of the options' offers, one column an offer in the order of their first
            appearance among the options.
    """
    offers = list(dict.fromkeys(option.offer.offer_id for option in options))
    column = [offers.index(option.offer.offer_id) for option in options]
    factors = [channels.factor.get(option.channel, (1.0, "")) for option in options]
    factor = np.array([one for one, _ in factors])
    uplift = (estimates.p_if_sent - estimates.p_if_not[:, None])[:, column] * factor
    used = np.clip(estimates.p_redeem[:, column] * factor, 0.0, 1.0)
    contact = np.array([_contact_cost(option, channels) for option in options])
    redemption = np.array([option.offer.redemption_cost for option in options])
    cost = contact + used * (estimates.coupon[:, column] + redemption)
    fatigue = estimates.p_unsubscribe * estimates.member_value
    money = push.objective != "conversions"
    worth = estimates.revenue if push.objective == "revenue" else estimates.margin
    worth = worth if money else np.ones_like(worth)
    earned = uplift * worth[:, None]
    return Gain(
        gain=(earned - cost - fatigue[:, None] if money else earned).astype(np.float32),
        cost=cost.astype(np.float32),
        uplift=uplift.astype(np.float32),
        p_if_not=estimates.p_if_not.astype(np.float32),
        fatigue=(fatigue if money else np.zeros_like(fatigue)).astype(np.float32),
        worth=worth.astype(np.float32),
        spread=(estimates.spread if money else np.zeros_like(estimates.spread)).astype(np.float32),
        evidence=tuple(
            weaker(estimates.evidence[at], grade)
            for at, (_, grade) in zip(column, factors, strict=True)
        ),
    )


def _contact_cost(option: Option, channels: Channels) -> float:
    return option.offer.contact_cost + channels.cost.get(option.channel, 0.0)


def weaker(one: str, other: str) -> str:
    """The less certain of two grades; an empty one says nothing."""
    known = [grade for grade in (one, other) if grade]
    return max(known, key=EVIDENCE.index) if known else ""
