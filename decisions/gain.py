"""What a contact changes, in money, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer, Push


class Estimates(Protocol):
    """What a response model expects of n members and m offers.

    p_if_not: (n,) probability of a conversion without a send. p_if_sent: (n, m).
    margin, revenue: (n,) money per conversion, before any coupon.
    p_redeem: (n, m) probability that the offer is used, by those who buy anyway too.
    coupon: (n, m) money that one use takes off the purchase.
    evidence: (m,) what the difference between sent and not rests on, by offer.
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
    def p_redeem(self) -> NDArray[np.float64]: ...
    @property
    def coupon(self) -> NDArray[np.float64]: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...


class Estimator(Protocol):
    """A fitted response model."""

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[Offer]
    ) -> Estimates:
        """Estimates for the members of ``values``, shape (members, features ``names``)."""
        ...


@dataclass(frozen=True, slots=True)
class Gain:
    """gain, cost: (n, m). The gain is in money, or in conversions where the push counts those.

    The cost is what a budget limits: contact, expected coupon and expected redemption, in money.
    """

    gain: NDArray[np.float64]
    cost: NDArray[np.float64]


def gain(push: Push, offers: Sequence[Offer], estimates: Estimates) -> Gain:
    """Expected gain and cost of sending each offer to each member.

    ``margin``: E[margin | send] − E[margin | no send] − contact − P(redeem) × redemption cost,
    where a coupon is counted once, in the margin of the purchase that uses it. ``revenue``: the
    same with revenue in place of margin. ``conversions``: extra conversions alone; their cost
    meets only the constraints.
    """
    contact = np.array([offer.contact_cost for offer in offers])
    redemption = np.array([offer.redemption_cost for offer in offers])
    given_away = estimates.p_redeem * estimates.coupon
    cost = contact + given_away + estimates.p_redeem * redemption
    uplift = estimates.p_if_sent - estimates.p_if_not[:, None]
    if push.objective == "conversions":
        return Gain(uplift, cost)
    worth = estimates.revenue if push.objective == "revenue" else estimates.margin
    return Gain(uplift * worth[:, None] - cost, cost)
