"""Prices that follow what a push has used, and what it may still use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer, Push, offer_cap
from decisions.policy import Prices

T = TypeVar("T")

MONEY, CONTACTS = "money", "contacts"
UNIT = 1_000_000  # of one unit of currency: money is counted in whole millionths
_STEP = 8.0  # log of the price, per share of the limit by which use is ahead of the plan
_BOUND = 4.0  # most that a price is raised or lowered by


@dataclass(frozen=True, slots=True)
class Use:
    """What one limit of a push has given so far; money in millionths, contacts one by one.

    reserved: promised to decisions of which nobody knows yet whether they were sent.
    spent: of decisions that were sent.
    planned: what the plan's own prices would have taken for the members asked so far.
    """

    reserved: int = 0
    spent: int = 0
    planned: int = 0

    @property
    def taken(self) -> int:
        return self.reserved + self.spent


@dataclass(frozen=True, slots=True)
class Terms:
    """What a single decision is made with.

    prices: of the push's limits at that moment.
    left: what each limit has left, by its name, counted as in ``Use``; a name that is absent has
        no limit.
    """

    prices: Prices
    left: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Part:
    """One of those who share the limits of a push, such as an arm of an experiment: each has its
    part of every limit, so that none spends what would have been another's.

    name: tells its counters from those of the push and of the other parts. share: of each limit.

    Source: Liu, Mao and Kang, Trustworthy and powerful online marketplace experimentation with
    budget-split design, KDD 2021.
    """

    name: str
    share: float

    def named(self, counts: Mapping[str, T]) -> dict[str, T]:
        """``counts`` under the names of this part."""
        return {f"{self.name}:{name}": count for name, count in counts.items()}

    def limits(self, most: Mapping[str, int]) -> dict[str, int]:
        """Its part of ``most``, rounded down, by the names of the push's limits."""
        return {name: math.floor(limit * self.share) for name, limit in most.items()}

    def used(self, used: Mapping[str, Use]) -> dict[str, Use]:
        """What it has used, by the names of the push's limits."""
        head = f"{self.name}:"
        return {name[len(head) :]: use for name, use in used.items() if name.startswith(head)}


def offer_limit(offer_id: str) -> str:
    """Name of the limit on contacts with an offer."""
    return f"offer:{offer_id}"


def channel_limit(channel: str) -> str:
    """Name of the limit on contacts by a channel."""
    return f"channel:{channel}"


def money(amount: NDArray[np.float64]) -> NDArray[np.int64]:
    """Costs in whole millionths, rounded up; binary noise below a billionth does not count."""
    return np.ceil(np.round(amount * UNIT, 3)).astype(np.int64)


def takes(offer_id: str, channel: str, cost: int) -> dict[str, int]:
    """What one contact takes of each limit; ``cost`` in millionths."""
    return {MONEY: cost, CONTACTS: 1, offer_limit(offer_id): 1, channel_limit(channel): 1}


def limits(push: Push, offers: Sequence[Offer]) -> dict[str, int]:
    """The most that a push may use of each limit it has, rounded down, by the limit's name."""
    caps = push.limits
    given = {
        MONEY: math.inf if push.budget is None else round(push.budget * UNIT, 3),
        CONTACTS: math.inf if push.max_audience is None else push.max_audience,
        **{offer_limit(offer.offer_id): offer_cap(push, offer) for offer in offers},
        **{channel_limit(channel): most for channel, most in caps.channel_caps.items()},
    }
    return {name: math.floor(most) for name, most in given.items() if math.isfinite(most)}


def terms(
    prices: Prices, most: Mapping[str, int], used: Mapping[str, Use], part: Part | None = None
) -> Terms:
    """The terms of the next decisions, after ``used``.

    Each price follows its limit: ``price × exp(8 (taken − planned) / most)``, at most four times
    up or down. The plan's prices spend the budget exactly when everybody of the plan is asked, in
    whatever order; so the pace to keep is what they would have taken of the members asked so far.
    What failed, expired or was not to be had lowers the price, and is spent on those still to
    come. With few members asked the exponent is small, and the price is the plan's.

    Args:
        prices: of the plan.
        most: see ``limits``.
        used: by the limit's name; absent means nothing yet.
        part: whose terms; its prices follow its own use, and it has left no more than the push.
            None: of the push as a whole.

    Source: dual mirror descent with the entropy mirror map, whose steps of one size add up to the
    formula above (Balseiro, Lu and Mirrokni, Dual mirror descent for online allocation problems,
    2020); the pace as a target for each request after Balseiro, Kumar, Mirrokni and Sivan, Robust
    budget pacing with a single sample, 2023.
    """

    if part is not None:
        mine = terms(prices, part.limits(most), part.used(used))
        whole = terms(prices, most, used).left
        return replace(mine, left={one: min(left, whole[one]) for one, left in mine.left.items()})

    def follow(name: str, price: float) -> float:
        if price <= 0 or not most.get(name):
            return price  # nothing that could run out: a price of zero, or below it for a floor
        use = used.get(name, Use())
        ahead = _STEP * (use.taken - use.planned) / most[name]
        return price * math.exp(min(max(ahead, -math.log(_BOUND)), math.log(_BOUND)))

    paced = replace(
        prices,
        budget=follow(MONEY, prices.budget),
        audience=follow(CONTACTS, prices.audience),
        offers={one: follow(offer_limit(one), price) for one, price in prices.offers.items()},
        channels={one: follow(channel_limit(one), price) for one, price in prices.channels.items()},
    )
    left = {name: max(limit - used.get(name, Use()).taken, 0) for name, limit in most.items()}
    return Terms(paced, left)
