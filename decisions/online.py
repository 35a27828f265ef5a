"""Single decisions of a push that runs: at the prices of the moment, within what is left."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decisions.decide import (
    NO_SEND,
    Ask,
    Candidates,
    Decisions,
    best_at_prices,
    candidates_of,
    explore,
)
from decisions.eligibility import BUDGET_SPENT, NO_POSITIVE_GAIN
from decisions.gain import Estimator
from decisions.pacing import CONTACTS, MONEY, Terms, channel_limit, money, offer_limit


@dataclass(frozen=True, slots=True)
class Online:
    """decisions: as ``decide`` gives them, on the terms of the moment.

    planned: (n,) position of the offer that the plan's own prices choose, ``NO_SEND`` for none.
    cost: (n, m) of each pair in millionths of the currency, rounded up.
    """

    decisions: Decisions
    planned: NDArray[np.int64]
    cost: NDArray[np.int64]


def decide_online(ask: Ask, estimator: Estimator, terms: Terms) -> Online:
    """Decide ``ask`` at ``terms.prices`` among the pairs that ``terms.left`` can still pay.

    A pair that does not fit is no candidate: the probabilities are those of the choice given what
    was left. Where nothing fits, no send has the probability 1 and the reason ``budget_spent``;
    members held out stay held out. With the plan's prices and enough left, the answers are those
    of ``decide``.

    Args:
        ask: with the prices of the plan.

    Raises:
        RuleError: a rule of the push or of an offer cannot be evaluated.
    """
    candidates = candidates_of(ask, estimator)
    cost = money(candidates.worth.cost)
    planned = explore(ask, candidates, best_at_prices(ask, candidates)).offer
    priced = replace(ask, prices=terms.prices)
    fitting = _only(candidates, _fits(ask, cost, terms))
    made = explore(priced, fitting, best_at_prices(priced, fitting))
    return Online(replace(made, reason=_reasons(candidates, made)), planned, cost)


def _fits(ask: Ask, cost: NDArray[np.int64], terms: Terms) -> NDArray[np.bool_]:
    """(n, m) pairs that break no limit if they are the only ones."""
    left = terms.left
    fits = cost <= left.get(MONEY, np.iinfo(np.int64).max)
    for column, offer in enumerate(ask.offers):
        names = (CONTACTS, channel_limit(ask.push.channel), offer_limit(offer.offer_id))
        fits[:, column] &= all(left.get(name, 1) > 0 for name in names)
    return fits


def _only(candidates: Candidates, fits: NDArray[np.bool_]) -> Candidates:
    """The candidates without the pairs that do not fit."""
    found = candidates.eligibility
    allowed = found.allowed & fits
    reason = found.reason.copy()
    # Who is held out is told so, also when there is nothing left: the sides must stay comparable.
    gone = ~np.asarray(allowed.any(axis=1)) & ~found.held & (reason == "")
    reason[gone] = BUDGET_SPENT
    return replace(candidates, eligibility=replace(found, allowed=allowed, reason=reason))


def _reasons(candidates: Candidates, made: Decisions) -> tuple[str, ...]:
    """Where something would have gained but did not fit, that is why nothing is sent."""
    open_pairs = candidates.eligibility.allowed & (candidates.worth.gain > 0)
    worthwhile = np.asarray(open_pairs.any(axis=1)).tolist()
    return tuple(
        BUDGET_SPENT if why == NO_POSITIVE_GAIN and gained and offer == NO_SEND else why
        for why, gained, offer in zip(made.reason, worthwhile, made.offer.tolist(), strict=True)
    )
