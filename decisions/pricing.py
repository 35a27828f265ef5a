"""The prices of a plan, applied to members one by one or all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import offer_cap
from decisions.eligibility import satisfies
from decisions.exploration import NO_SEND
from decisions.limits import Group, Limits, Segment, ShadowPrices, surplus
from decisions.policy import Prices

if TYPE_CHECKING:
    from decisions.decide import Ask, Candidates


def limits_of(ask: Ask) -> Limits:
    """The push's limits as an allocation keeps them, for the members of ``ask``.

    An offer's cap is its stock where that is less. Segments are the members whom a rule picks.

    Raises:
        DecisionError: a floor above its cap.
        RuleError: a segment's rule cannot be evaluated.
    """
    push, bounds = ask.push, ask.push.limits
    options = ask.options
    groups = []
    for offer in ask.offers:
        most = offer_cap(push, offer)
        least = bounds.offer_floors.get(offer.offer_id, 0.0)
        if least > 0 or np.isfinite(most):
            mine = np.array([option.offer.offer_id == offer.offer_id for option in options])
            groups.append(Group(_offer_group(offer.offer_id), mine, least, most))
    for channel in push.all_channels:
        most = bounds.channel_caps.get(channel, np.inf)
        least = bounds.channel_floors.get(channel, 0.0)
        if least > 0 or np.isfinite(most):
            mine = np.array([option.channel == channel for option in options])
            groups.append(Group(_channel_group(channel), mine, least, most))
    return Limits(
        budget=np.inf if push.budget is None else push.budget,
        least_return=push.min_return,
        audience_least=push.min_audience or 0.0,
        audience_most=np.inf if push.max_audience is None else push.max_audience,
        groups=tuple(groups),
        segments=_segments(ask),
        per_member=bounds.per_member,
    )


def _segments(ask: Ask) -> tuple[Segment, ...]:
    bounds = ask.push.limits
    rules = dict.fromkeys((*bounds.segment_floors, *bounds.segment_caps))
    return tuple(
        Segment(
            _segment_group(rule),
            satisfies(rule, ask.members, f"limits of push {ask.push.push_id!r}"),
            bounds.segment_floors.get(rule, 0.0),
            bounds.segment_caps.get(rule, np.inf),
        )
        for rule in rules
    )


def _offer_group(offer_id: str) -> str:
    return f"offer {offer_id}"


def _channel_group(channel: str) -> str:
    return f"channel {channel}"


def _segment_group(rule: str) -> str:
    return f"segment {rule}"


def named(prices: ShadowPrices, limits: Limits, ask: Ask) -> Prices:
    """The prices of an allocation by the names of what they are of; those of 0 are left out."""
    of_group = dict(zip([g.name for g in limits.groups], prices.groups.tolist(), strict=True))
    of_segment = dict(zip([s.name for s in limits.segments], prices.segments.tolist(), strict=True))
    bounds = ask.push.limits
    offers = {one.offer_id: of_group.get(_offer_group(one.offer_id), 0.0) for one in ask.offers}
    channels = {one: of_group.get(_channel_group(one), 0.0) for one in ask.push.all_channels}
    segments = {
        rule: of_segment[_segment_group(rule)]
        for rule in (*bounds.segment_floors, *bounds.segment_caps)
    }
    return Prices(
        budget=prices.budget,
        audience=prices.audience,
        min_return=prices.least_return,
        offers={name: price for name, price in offers.items() if price},
        channels={name: price for name, price in channels.items() if price},
        segments={rule: price for rule, price in segments.items() if price},
    )


def member_prices(ask: Ask) -> NDArray[np.float64]:
    """(n,) what contacting a member costs besides what is sent: ν and the member's segments."""
    charge = np.full(len(ask.members), float(ask.prices.audience))
    for rule, price in ask.prices.segments.items():
        charge += price * satisfies(rule, ask.members, f"prices of push {ask.push.push_id!r}")
    return charge


def surplus_of(ask: Ask, candidates: Candidates) -> NDArray[np.float64]:
    """(n, m) what each option gains beyond the prices of what it uses; -inf where not allowed."""
    prices = ask.prices
    charge = np.array(
        [
            prices.offers.get(option.offer.offer_id, 0.0) + prices.channels.get(option.channel, 0.0)
            for option in ask.options
        ]
    )
    shadow = ShadowPrices(prices.budget, prices.min_return, 0.0, np.zeros(0), np.zeros(0))
    left = surplus(candidates.gain, candidates.cost, charge, shadow, ask.push.min_return)
    return np.where(candidates.eligibility.allowed, left, -np.inf)


def best_options(
    ask: Ask, candidates: Candidates, member_price: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(n, k) the best options of each member at the ask's prices, best first, -1 for none.

    A member gets up to ``limits.per_member`` options of a surplus above 0, if together they are
    worth more than the price of contacting the member.
    """
    left = surplus_of(ask, candidates)
    most = ask.push.limits.per_member
    if most > left.shape[1]:
        left = np.pad(left, ((0, 0), (0, most - left.shape[1])), constant_values=-np.inf)
    best = left.argmax(axis=1)[:, None]
    order = best if most == 1 else np.argsort(-left, axis=1, kind="stable")[:, :most]
    value = np.take_along_axis(left, order, axis=1)
    paid = np.where(value > 0, value, 0.0).sum(axis=1)
    kept = (value > 0) & (paid > member_price)[:, None]
    # A price below 0 pays for a contact that a floor asks for: then the best one is sent.
    forced = (member_price < 0) & (value[:, 0] > member_price)
    kept[:, 0] |= forced
    return np.where(kept, order, NO_SEND)
