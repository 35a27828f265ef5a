"""The plan of a push: who gets which offer inside its limits, and who dropped out where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decisions.allocation import Allocation, allocate
from decisions.decide import (
    NO_SEND,
    Ask,
    Candidates,
    Decisions,
    best_at_prices,
    candidates_of,
    explore,
    explored_choice,
    explores,
    returns_enough,
)
from decisions.draws import uniforms
from decisions.errors import DecisionError
from decisions.gain import Estimator
from decisions.limits import Group, Limits, Pairs
from decisions.policy import Prices


@dataclass(frozen=True, slots=True)
class Plan:
    """A push decided for everybody at once.

    decisions: one a member, as ``decide`` gives them.
    ranking: members with an offer, largest expected gain first; row numbers of the decisions.
    prices: what one more unit of each constraint would earn; single decisions use them.
    value, bound: total expected gain of the choices that were not drawn at random, and the most
        that any choice within the constraints could have.
    """

    decisions: Decisions
    ranking: NDArray[np.int64]
    prices: Prices
    value: float
    bound: float

    @property
    def cost(self) -> float:
        """Expected cost of everything sent, in money."""
        return float(self.decisions.expected_cost[self.ranking].sum())

    @property
    def gain(self) -> float:
        """Expected gain of everything sent."""
        return float(self.decisions.expected_gain[self.ranking].sum())

    @property
    def gain_bound(self) -> float:
        """The most that ``gain`` could be with the members drawn at random as they are."""
        return self.bound + self.gain - self.value

    def funnel(self) -> Mapping[str, int]:
        """Members by what became of them: ``sent``, else the reason; most frequent first."""
        outcomes = Counter(reason or "sent" for reason in self.decisions.reason)
        return dict(outcomes.most_common())


def plan(ask: Ask, estimator: Estimator) -> Plan:
    """Decide ``ask`` for all its members under the push's constraints.

    The members explored at random come first and their cost is taken off the budget; the rest is
    allocated for the largest total gain. ``ask.prices`` are not read: the plan finds its own.

    Raises:
        RuleError: a rule of the push or of an offer cannot be evaluated.
        DecisionError: exploration alone would break the push's limits.
    """
    candidates = candidates_of(ask, estimator)
    settled = candidates.eligibility.held | explores(ask, candidates.eligibility.allowed)
    open_pairs = candidates.eligibility.allowed & returns_enough(ask.push, candidates.worth)
    open_gain = np.where(open_pairs & ~settled[:, None], candidates.worth.gain, -np.inf)
    found = allocate(
        Pairs(open_gain, candidates.worth.cost, len(ask.offers)),
        _limits(ask, candidates),
        uniforms(ask.policy.salt, "ties", ask.push.push_id, ask.members.ids),
    )
    priced = replace(ask, prices=_prices(ask, found))
    # What a settled member would have got without the draw is part of their probability.
    best = np.where(settled, best_at_prices(priced, candidates), found.slot[:, 0])
    decisions = explore(priced, candidates, best)
    sent = np.flatnonzero(decisions.offer != NO_SEND)
    order = np.argsort(-decisions.expected_gain[sent], kind="stable")
    return Plan(decisions, sent[order], priced.prices, found.value, found.bound)


def _limits(ask: Ask, candidates: Candidates) -> Limits:
    """The push's limits less what exploration takes."""
    allowed, held = candidates.eligibility.allowed, candidates.eligibility.held
    drawn = explores(ask, allowed) & ~held
    explored = np.where(drawn, explored_choice(ask, allowed), NO_SEND)
    rows = np.flatnonzero(explored != NO_SEND)
    taken = np.bincount(explored[rows], minlength=len(ask.offers))
    spent = float(candidates.worth.cost[rows, explored[rows]].sum())
    stock = np.array([np.inf if o.stock is None else o.stock for o in ask.offers], dtype=float)
    budget = np.inf if ask.push.budget is None else ask.push.budget
    audience = np.inf if ask.push.max_audience is None else ask.push.max_audience
    if spent > budget or len(rows) > audience or (taken > stock).any():
        raise DecisionError(
            f"exploration of {ask.push.exploration:.0%} in push {ask.push.push_id!r} alone sends "
            f"to {len(rows)} members at a cost of {spent:.2f}, more than the push's limits; "
            "lower exploration or raise budget, max_audience or stock"
        )
    groups = tuple(
        Group(
            f"stock of offer {offer.offer_id}", np.arange(len(stock)) == j, most=stock[j] - taken[j]
        )
        for j, offer in enumerate(ask.offers)
    )
    return Limits(budget - spent, audience_most=audience - len(rows), groups=groups)


def _prices(ask: Ask, found: Allocation) -> Prices:
    stock = {
        offer.offer_id: float(price)
        for offer, price in zip(ask.offers, found.prices.groups, strict=True)
        if price > 0
    }
    return Prices(found.prices.budget, found.prices.audience, stock)
