"""Single decisions of a push that runs: at the prices of the moment, within what is left."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Ask, Candidates, Decisions, candidates_of, chance_of, explore, taken
from decisions.exploration import NO_SEND, draw
from decisions.gain import Estimator
from decisions.pacing import CONTACTS, MONEY, Terms, channel_limit, money, offer_limit
from decisions.pricing import best_options, member_prices
from decisions.reasons import BUDGET_SPENT, CODE, NO_POSITIVE_GAIN


@dataclass(frozen=True, slots=True)
class Online:
    """decisions: as ``decide`` gives them, on the terms of the moment, one option a member.

    planned: (n,) position of the option that the plan's own prices choose, ``NO_SEND`` for none.
    cost: (n, m) of each pair in millionths of the currency, rounded up.
    """

    decisions: Decisions
    planned: NDArray[np.int64]
    cost: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Considered:
    """What single decisions were made from.

    ask: one option a member, at the prices of the moment. candidates: before what is left was
    looked at; fitting: after. best: (n,) what the policy chooses where nothing is drawn or held
    out, ``NO_SEND`` for none.
    """

    ask: Ask
    candidates: Candidates
    fitting: Candidates
    best: NDArray[np.int64]
    online: Online

    def chance_of(self, option: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) with what probability each member gets ``option``, (n,), ``NO_SEND`` for none."""
        return chance_of(self.ask, self.fitting, self.best[:, None], option[:, None])


def decide_online(ask: Ask, estimator: Estimator, terms: Terms) -> Online:
    """Decide ``ask`` at ``terms.prices`` among the pairs that ``terms.left`` can still pay.

    A pair that does not fit is no candidate: the probabilities are those of the choice given what
    was left. Where nothing fits, no send has the probability 1 and the reason ``budget_spent``;
    members held out stay held out. With the plan's prices and enough left, the answers are those
    of ``decide``. An answer carries one option, also in a push whose plan gives a member more.

    Args:
        ask: with the prices of the plan.

    Raises:
        RuleError: a rule of the push or of an offer cannot be evaluated.
    """
    return consider(ask, estimator, terms).online


def consider(ask: Ask, estimator: Estimator, terms: Terms) -> Considered:
    """``decide_online``, with all that it looked at on the way."""
    if ask.push.limits.per_member != 1:
        one_each = replace(ask.push.limits, per_member=1)
        ask = replace(ask, push=replace(ask.push, limits=one_each))
    candidates = candidates_of(ask, estimator)
    cost = money(candidates.cost.astype(np.float64))
    best, drawn = _best(ask, candidates), draw(ask, candidates)
    planned = taken(candidates, best, drawn)[:, 0]
    fitting = _only(candidates, _fits(ask, cost, terms))
    priced = ask if terms.prices == ask.prices else replace(ask, prices=terms.prices)
    if priced is not ask or fitting is not candidates:
        best, drawn = _best(priced, fitting), draw(priced, fitting)
    made = explore(priced, fitting, best, drawn)
    online = Online(replace(made, code=_codes(candidates, made)), planned, cost)
    return Considered(priced, candidates, fitting, best[:, 0], online)


def _best(ask: Ask, candidates: Candidates) -> NDArray[np.int64]:
    return best_options(ask, candidates, member_prices(ask))


def _fits(ask: Ask, cost: NDArray[np.int64], terms: Terms) -> NDArray[np.bool_]:
    """(n, m) pairs that break no limit if they are the only ones."""
    left = terms.left
    fits: NDArray[np.bool_] = cost <= left.get(MONEY, np.iinfo(np.int64).max)
    gone = {name for name, most in left.items() if most <= 0}
    if gone:
        for column, option in enumerate(ask.options):
            names = (CONTACTS, channel_limit(option.channel), offer_limit(option.offer.offer_id))
            fits[:, column] &= gone.isdisjoint(names)
    return fits


def _only(candidates: Candidates, fits: NDArray[np.bool_]) -> Candidates:
    """The candidates without the pairs that do not fit; the same where all fit."""
    if fits.all():
        return candidates
    found = candidates.eligibility
    code = np.where((found.code == 0) & ~fits, CODE[BUDGET_SPENT], found.code).astype(np.uint8)
    reason = found.reason.copy()
    # Who is held out is told so, also when there is nothing left: the sides must stay comparable.
    gone = (code != 0).all(axis=1) & ~found.held & (reason == 0)
    reason[gone] = CODE[BUDGET_SPENT]
    return replace(candidates, eligibility=replace(found, code=code, reason=reason))


def _codes(candidates: Candidates, made: Decisions) -> NDArray[np.uint8]:
    """Where something would have gained but did not fit, that is why nothing is sent."""
    worthwhile = (candidates.eligibility.allowed & (candidates.gain > 0)).any(axis=1)
    spent = (made.code == CODE[NO_POSITIVE_GAIN]) & worthwhile & (made.option[:, 0] == NO_SEND)
    return np.where(spent, CODE[BUDGET_SPENT], made.code).astype(np.uint8)
