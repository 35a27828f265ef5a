"""The decision itself: which offer, if any, for each member of one push."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer, Push
from decisions.draws import uniforms
from decisions.eligibility import (
    BUDGET_SPENT,
    EXPLORED,
    HOLDOUT,
    NO_POSITIVE_GAIN,
    Eligibility,
    eligibility,
)
from decisions.errors import DecisionError
from decisions.gain import Estimates, Estimator, Gain, gain
from decisions.members import Members
from decisions.policy import Policy, Prices

NO_SEND = -1


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: who of ``members`` gets which of ``offers`` in ``push``?

    offers: the push's candidates, in its order.
    prices: of the push's constraints; zero prices ask for the best offer whatever it costs.
    suppressed: members who must not be contacted, whatever else holds.
    """

    push: Push
    offers: tuple[Offer, ...]
    members: Members
    policy: Policy
    prices: Prices
    suppressed: frozenset[str]

    def __post_init__(self) -> None:
        given = tuple(offer.offer_id for offer in self.offers)
        if given != self.push.offer_ids:
            missing = sorted(set(self.push.offer_ids) - set(given))
            raise DecisionError(
                f"push {self.push.push_id!r} wants the offers {', '.join(self.push.offer_ids)}; "
                f"not in the catalogue: {', '.join(missing) or 'none, but the order differs'}"
            )


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything a choice is made from; (n, m) for n members and m offers."""

    eligibility: Eligibility
    estimates: Estimates
    worth: Gain


@dataclass(frozen=True, slots=True)
class Decisions:
    """One answer a member, in the order asked; all arrays have length n.

    offer: position among the candidates, ``NO_SEND`` for none.
    probability: with which this choice was made, given the candidates and before anything was
        drawn: holdout and exploration are in it.
    explored: whether the choice was drawn at random among what was allowed.
    reason: why nothing is sent, empty when something is.
    p_if_sent, p_if_not, uplift, expected_gain, expected_cost, evidence: of the offer sent, else of
        the best allowed one; NaN and empty where none is allowed.
    """

    offer: NDArray[np.int64]
    probability: NDArray[np.float64]
    explored: NDArray[np.bool_]
    reason: tuple[str, ...]
    p_if_sent: NDArray[np.float64]
    p_if_not: NDArray[np.float64]
    uplift: NDArray[np.float64]
    expected_gain: NDArray[np.float64]
    expected_cost: NDArray[np.float64]
    evidence: tuple[str, ...]


def decide(ask: Ask, estimator: Estimator) -> Decisions:
    """Choose ``argmax_j gain_ij − λ cost_ij − μ_j − ν``, or nobody if that is not above zero.

    The same ask gives the same answer: random draws are hashes of push, member and salt.

    Raises:
        RuleError: a rule of the push or of an offer cannot be evaluated.
    """
    candidates = candidates_of(ask, estimator)
    best = best_at_prices(ask, candidates)
    return explore(ask, candidates, best)


def candidates_of(ask: Ask, estimator: Estimator) -> Candidates:
    """Eligibility, estimates, gain and cost of every pair."""
    allowed = eligibility(ask.push, ask.offers, ask.members, ask.policy, ask.suppressed)
    estimates = estimator.estimate(ask.members.values, ask.members.encoding.names, ask.offers)
    return Candidates(allowed, estimates, gain(ask.push, ask.offers, estimates))


def returns_enough(push: Push, worth: Gain) -> NDArray[np.bool_]:
    """(n, m) pairs that gain something and at least the push's return on their cost."""
    enough: NDArray[np.bool_] = (worth.gain > 0) & (worth.gain >= push.min_return * worth.cost)
    return enough


def best_at_prices(ask: Ask, candidates: Candidates) -> NDArray[np.int64]:
    """(n,) position of the best offer at the ask's prices, ``NO_SEND`` where none pays."""
    worth = candidates.worth
    stock = np.array([ask.prices.stock.get(offer.offer_id, 0.0) for offer in ask.offers])
    surplus = worth.gain - ask.prices.budget * worth.cost - stock - ask.prices.audience
    open_pairs = candidates.eligibility.allowed & returns_enough(ask.push, worth)
    surplus = np.where(open_pairs, surplus, -np.inf)
    best = surplus.argmax(axis=1)
    pays = surplus[np.arange(len(best)), best] > 0
    return np.where(pays, best, NO_SEND)


def explored_choice(ask: Ask, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n,) what each member gets if explored: uniform over the allowed offers and no send."""
    options = allowed.sum(axis=1) + 1
    draw = uniforms(ask.policy.salt, "explored offer", ask.push.push_id, ask.members.ids)
    nth = (draw * options).astype(np.int64).clip(max=options - 1)
    is_nth = allowed & (np.cumsum(allowed, axis=1) == (nth + 1)[:, None])
    return np.where(nth < options - 1, is_nth.argmax(axis=1), NO_SEND)


def explores(ask: Ask, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) whose choice is drawn at random; only members to whom something is allowed."""
    draw = uniforms(ask.policy.salt, "exploration", ask.push.push_id, ask.members.ids)
    return (draw < ask.push.exploration) & allowed.any(axis=1)


def explore(ask: Ask, candidates: Candidates, best: NDArray[np.int64]) -> Decisions:
    """Replace a share of ``best`` by random choices and say with what probability each was made."""
    allowed, held = candidates.eligibility.allowed, candidates.eligibility.held
    explored = explores(ask, allowed) & ~held
    offer = np.where(explored, explored_choice(ask, allowed), best)
    offer = np.where(held, NO_SEND, offer)
    share, holdout = ask.push.exploration, ask.push.holdout
    by_chance = share / (allowed.sum(axis=1) + 1)
    chosen = by_chance + np.where(offer == best, 1 - share, 0.0)
    # No send may come from the holdout or from the choice; a send only from the choice.
    probability = np.where(offer == NO_SEND, holdout, 0.0) + (1 - holdout) * chosen
    probability = np.where(allowed.any(axis=1), probability, 1.0)
    return _answers(ask, candidates, offer, probability, explored)


def _answers(
    ask: Ask,
    candidates: Candidates,
    offer: NDArray[np.int64],
    probability: NDArray[np.float64],
    explored: NDArray[np.bool_],
) -> Decisions:
    allowed, estimates = candidates.eligibility.allowed, candidates.estimates
    best_allowed = np.where(allowed, candidates.worth.gain, -np.inf).argmax(axis=1)
    shown = np.where(offer != NO_SEND, offer, best_allowed)
    any_allowed = np.asarray(allowed.any(axis=1))
    rows = np.arange(len(offer))

    def of_shown(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(any_allowed, pairs[rows, shown], np.nan)

    p_if_sent = of_shown(estimates.p_if_sent)
    p_if_not = np.where(any_allowed, estimates.p_if_not, np.nan)
    return Decisions(
        offer=offer,
        probability=probability,
        explored=explored,
        reason=_reasons(ask, candidates, offer, explored),
        p_if_sent=p_if_sent,
        p_if_not=p_if_not,
        uplift=p_if_sent - p_if_not,
        expected_gain=of_shown(candidates.worth.gain),
        expected_cost=of_shown(candidates.worth.cost),
        evidence=tuple(
            estimates.evidence[j] if possible else ""
            for j, possible in zip(shown.tolist(), any_allowed.tolist(), strict=True)
        ),
    )


def _reasons(
    ask: Ask, candidates: Candidates, offer: NDArray[np.int64], explored: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Why nothing is sent to each member; empty for one to whom something is."""
    found = candidates.eligibility
    pays = np.asarray((found.allowed & returns_enough(ask.push, candidates.worth)).any(axis=1))
    reason = found.reason.copy()

    def explain(mask: NDArray[np.bool_], why: str) -> None:
        reason[mask & (reason == "") & (offer == NO_SEND)] = why

    explain(found.held, HOLDOUT)
    explain(explored, EXPLORED)
    explain(pays, BUDGET_SPENT)
    explain(~pays, NO_POSITIVE_GAIN)
    return tuple(reason.tolist())
