"""How members respond to a push, given the state they are in when it comes.

Four kinds, by what a push changes:

- persuaded: the place is to their taste and not on their mind: some buy a trip that they would
  not have bought. More with a deeper coupon, and most so those who watch prices.
- sure: they consider a trip there already. The push changes next to nothing, but many show the
  coupon: a cost without a return.
- lost: the place is not to their taste. Nothing happens.
- put off: pushes annoy them, the more the more they had. Some purchases anywhere are not made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer
from training.market.browsing import Outlook
from training.market.members import TIERS, Members
from training.market.world import Sending, World

LARGEST_EFFECT = 0.3  # of the most open member with perfect taste and an irresistible offer
CONTACT_MEMORY = timedelta(days=30)
SEEN_DAYS, BOUGHT_DAYS = 30.0, 60.0
_CONSIDERING, _JUST_BOUGHT, _JUST_SEEN = 0.1, 0.2, 0.6  # share of the effect that is left
_COUPON_USE = (0.2, 0.4)  # of members who buy anyway: always, and more by price sense
_PUT_OFF = (0.03, 0.03, 0.25)  # purchases lost: at once, per contact of the last month, at most


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of all members when a push is sent."""

    outlook: Outlook  # of the attribution window
    contacts: NDArray[np.int64]  # (n,) pushes sent within CONTACT_MEMORY
    seen: NDArray[np.bool_]  # (n,) visited the push's place within SEEN_DAYS
    bought: NDArray[np.bool_]  # (n,) bought a trip there within BOUGHT_DAYS


@dataclass(frozen=True, slots=True)
class Response:
    """What a push does, per member; it acts only if the push is sent."""

    extra: NDArray[np.float64]  # (n, offers) probability of an extra purchase at the push's place
    cancel: NDArray[np.float64]  # (n,) probability that a purchase, anywhere, is not made
    use: NDArray[np.float64]  # (n,) probability that a purchase there anyway shows the coupon


def response(
    world: World, members: Members, sending: Sending, moment: Moment, effects_off: bool
) -> Response:
    """The response to each offer of ``sending``."""
    place = sending.place
    news = np.where(moment.seen, _JUST_SEEN, 1.0)
    news = np.where(moment.bought, np.minimum(news, _JUST_BOUGHT), news)
    news = np.where(moment.outlook.considered[:, place] > 0, _CONSIDERING, news)
    season = world.destinations.season(np.array([sending.day]), np.array([place]))[0]
    patience = np.maximum(0, 1 - members.tiring * moment.contacts)
    common = LARGEST_EFFECT * season * members.openness * members.wanderlust
    common = common * members.match[:, place] * news * patience
    pulls = np.column_stack([pull(members, offer) for offer in sending.offers])
    extra = np.where(members.averse[:, None], 0.0, np.minimum(common[:, None] * pulls, 0.5))
    at_once, each, most = _PUT_OFF
    cancel = np.where(members.averse, np.minimum(at_once + each * moment.contacts, most), 0.0)
    if effects_off:
        extra, cancel = np.zeros_like(extra), np.zeros_like(cancel)
    return Response(extra, cancel, _COUPON_USE[0] + _COUPON_USE[1] * members.price_sense)


def pull(members: Members, offer: Offer) -> NDArray[np.float64]:
    """Strength of ``offer`` on each member, 0 to 1: what plain words do, and money on top."""
    words = 0.6 - 0.35 * members.price_sense
    # A power above 1: small coupons are hardly noticed.
    felt = (_depth(members, offer) / 10) ** 1.25 * (0.4 + 1.8 * members.price_sense)
    money = 1 - np.exp(-felt)
    strength: NDArray[np.float64] = words + (1 - words) * money
    return strength


def _depth(members: Members, offer: Offer) -> NDArray[np.float64]:
    """What the offer feels worth, in percent of an order."""
    match offer.kind:
        case "percent_off":
            felt = np.full(len(members), offer.value)
        case "amount_off":
            felt = np.full(len(members), offer.value / 2.5)  # of an order of 250
        case "points":
            # Those who collect care: 800 points feel like 2, 4 or 6 percent by tier.
            felt = offer.value / 400 * (1 + np.arange(len(TIERS))[members.tier])
        case _:
            felt = np.zeros(len(members))
    return felt
