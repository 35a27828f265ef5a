"""What members buy when they buy: which trip, for how many, at what discount and margin."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from training.market.browsing import Intents
from training.market.members import Members
from training.market.world import ITEMS_EACH, World

PARTY_SIZES = np.array([1, 2, 3, 4])
_PARTY_SHARE = np.array([0.33, 0.45, 0.12, 0.10])
# A public promotion code, used now and then by members who watch prices.
PROMOTION_PERCENT = 5
_PROMOTION_USE = 0.35
_CHEAPNESS = np.linspace(1.0, -1.2, ITEMS_EACH)  # pull of an item on members who watch prices
_STEEPNESS = 1.6


@dataclass(frozen=True, slots=True)
class Purchases:
    """Orders of one line each. Money in cents."""

    member: NDArray[np.int64]
    place: NDArray[np.int64]
    day: NDArray[np.float64]
    item: NDArray[np.int64]  # 0 to 5 within the destination
    travellers: NDArray[np.int64]
    discount: NDArray[np.int64]
    cancelled: NDArray[np.bool_]  # would have been made, but for a push

    def plus(self, other: Purchases) -> Purchases:
        return Purchases(
            *(
                np.concatenate([getattr(self, field.name), getattr(other, field.name)])
                for field in fields(self)
            )
        )

    def gross(self, world: World) -> NDArray[np.int64]:
        return world.items.cents[self.place, self.item] * self.travellers

    def margin(self, world: World) -> NDArray[np.int64]:
        """Margin after the discount; negative when the discount is larger."""
        rate = world.items.margin_rate[self.place, self.item]
        return np.rint(self.gross(world) * rate).astype(np.int64) - self.discount


def item_shares(members: Members) -> NDArray[np.float64]:
    """Probability of each item, (n, 6), the cheapest first; the same for every destination."""
    pull = np.exp(_STEEPNESS * (members.price_sense[:, None] - 0.45) * _CHEAPNESS)
    shares: NDArray[np.float64] = pull / pull.sum(axis=1, keepdims=True)
    return shares


def draw_items(
    shares: NDArray[np.float64], member: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """An item for each entry of ``member``."""
    chance = np.cumsum(shares, axis=1)[:, :-1]
    items: NDArray[np.int64] = (rng.random(len(member))[:, None] > chance[member]).sum(axis=1)
    return items


def draw_purchases(
    world: World,
    members: Members,
    intents: Intents,
    span: tuple[float, float],
    rng: np.random.Generator,
) -> Purchases:
    """The purchases that ``intents`` end in after ``span[0]`` and up to ``span[1]``, in order."""
    made = np.flatnonzero(intents.bought & (intents.end > span[0]) & (intents.end <= span[1]))
    made = made[np.argsort(intents.end[made], kind="stable")]
    trips = (intents.member[made], intents.place[made], intents.end[made])
    bare = of_trips(world, members, trips, rng)
    coded = rng.random(len(made)) < promotion_use(members)[bare.member]
    discount = np.where(coded, bare.gross(world) * PROMOTION_PERCENT // 100, 0)
    return replace(bare, discount=discount)


def of_trips(
    world: World,
    members: Members,
    trips: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    rng: np.random.Generator,
) -> Purchases:
    """One purchase per trip (member, place, day), without any discount."""
    member, place, day = trips
    wanted = draw_items(item_shares(members), member, rng)
    return Purchases(
        member,
        place,
        day,
        world.closed.sold(place, wanted, day),
        rng.choice(PARTY_SIZES, len(member), p=_PARTY_SHARE),
        np.zeros(len(member), dtype=np.int64),
        np.zeros(len(member), dtype=np.bool_),
    )


def promotion_use(members: Members) -> NDArray[np.float64]:
    """Probability that a purchase without a coupon uses the public promotion."""
    return _PROMOTION_USE * members.price_sense


def coupon_cents(offer: Offer, gross: NDArray[np.int64]) -> NDArray[np.int64]:
    """What ``offer`` takes off orders of ``gross`` cents; 0 when the order is too small."""
    if offer.kind == "percent_off":
        off = np.rint(gross * (offer.value / 100)).astype(np.int64)
    elif offer.kind == "amount_off":
        off = np.full(gross.shape, round(offer.value * 100))
    else:
        off = np.zeros(gross.shape, dtype=np.int64)
    return np.where(large_enough(offer, gross), np.minimum(off, gross), 0)


def large_enough(offer: Offer, gross: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether orders of ``gross`` cents may redeem ``offer``; nothing redeems plain content."""
    if offer.kind == "content":
        return np.zeros(gross.shape, dtype=np.bool_)
    return gross >= round(offer.min_spend * 100)


@dataclass(frozen=True, slots=True)
class OrderValue:
    """Expected money of one purchase at each destination, (n, destinations), currency units."""

    margin: NDArray[np.float64]  # without any discount
    promotion: NDArray[np.float64]  # discount of the public promotion


def order_value(world: World, members: Members) -> OrderValue:
    """Expectations of ``draw_purchases``, over items, party sizes and the public promotion."""
    shares, party = item_shares(members), float(PARTY_SIZES @ _PARTY_SHARE)
    sold = world.on_sale
    price = sold.cents / 100
    gross = party * shares @ price.T
    return OrderValue(
        margin=party * shares @ (price * sold.margin_rate).T,
        promotion=promotion_use(members)[:, None] * gross * PROMOTION_PERCENT / 100,
    )


@dataclass(frozen=True, slots=True)
class CouponValue:
    """Expectations of one purchase for which the member shows the offer, (n,)."""

    money_off: NDArray[np.float64]
    redeemed: NDArray[np.float64]  # probability; below 1 where orders can be too small
    promotion_spared: NDArray[np.float64]  # public promotion that the coupon takes the place of


def coupon_value(world: World, members: Members, place: int, offer: Offer) -> CouponValue:
    """Expectations of ``draw_purchases`` and ``with_coupon`` for purchases at ``place``."""
    orders = world.on_sale.cents[place][:, None] * PARTY_SIZES  # (items, party sizes)
    shares, coupon = item_shares(members), coupon_cents(offer, orders)
    promotion = orders * (coupon > 0) * (PROMOTION_PERCENT / 100 / 100)
    return CouponValue(
        money_off=shares @ (coupon / 100 @ _PARTY_SHARE),
        redeemed=shares @ (large_enough(offer, orders).astype(np.float64) @ _PARTY_SHARE),
        promotion_spared=promotion_use(members) * (shares @ (promotion @ _PARTY_SHARE)),
    )
