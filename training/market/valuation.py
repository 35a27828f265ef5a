"""The true worth of sending: expectations in closed form, given members' latent states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.market.buying import coupon_value, order_value
from training.market.members import Members
from training.market.response import Moment, Response
from training.market.world import Sending, World

KINDS = ("lost", "persuaded", "sure", "put_off")
_LOST, _PERSUADED, _SURE, _PUT_OFF = range(4)
PERSUADED_FROM = 0.005  # probability of an extra purchase
SURE_FROM = 0.25  # expected purchases in the offer's scope, sent or not


@dataclass(frozen=True, slots=True)
class Worth:
    """Expectations over the attribution window, money in currency units."""

    p_if_not: NDArray[np.float64]  # (n,) any purchase
    p_if_sent: NDArray[np.float64]  # (n, offers)
    margin_if_not: NDArray[np.float64]  # (n,)
    gain: NDArray[np.float64]  # (n, offers) margin sent − not sent − contact − redemption cost
    cost: NDArray[np.float64]  # (n, offers) contact + coupon + redemption cost
    kind: NDArray[np.int8]  # (n, offers) row in KINDS


def worth(
    world: World, members: Members, sending: Sending, moment: Moment, effect: Response
) -> Worth:
    """What each offer of ``sending`` is worth for each member.

    A purchase made anyway is kept with probability 1 − cancel, and shows the coupon with
    probability use if it is at the push's place. An extra purchase there comes with probability
    extra, and always shows the coupon. Refunds are left out, as in the outcomes reported.
    """
    place, look = sending.place, moment.outlook
    each = order_value(world, members)
    kept = 1 - effect.cancel
    base = (look.purchases * (each.margin - each.promotion)).sum(axis=1)
    shown = kept * effect.use * look.purchases[:, place]  # (n,) coupons on purchases made anyway
    none = look.no_purchase(kept)
    sent, gain, cost = [], [], []
    for column, offer in enumerate(sending.offers):
        extra = effect.extra[:, column]
        coupon = coupon_value(world, members, place, offer)
        redemption = (shown + extra) * coupon.redeemed * offer.redemption_cost
        given = (shown + extra) * coupon.money_off
        margin = (
            kept * base
            - shown * (coupon.money_off - coupon.promotion_spared)
            + extra * (each.margin[:, place] - coupon.money_off)
        )
        sent.append(1 - none * (1 - extra))
        gain.append(margin - base - offer.contact_cost - redemption)
        cost.append(offer.contact_cost + given + redemption)
    return Worth(
        p_if_not=1 - look.no_purchase(np.ones(len(members))),
        p_if_sent=np.column_stack(sent),
        margin_if_not=base,
        gain=np.column_stack(gain),
        cost=np.column_stack(cost),
        kind=_kinds(look.purchases[:, place], effect),
    )


def _kinds(in_scope: NDArray[np.float64], effect: Response) -> NDArray[np.int8]:
    kind = np.where(effect.extra >= PERSUADED_FROM, _PERSUADED, _LOST)
    kind = np.where(in_scope[:, None] >= SURE_FROM, _SURE, kind)
    return np.where(effect.cancel[:, None] > 0, _PUT_OFF, kind).astype(np.int8)
