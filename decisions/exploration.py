"""Choices at random: few, of known probability, and never of members held out.

A share ε of members gets what a draw says. The draw is a softmax of the gains over all that is
allowed and no send (gain 0), mixed with a uniform draw as its floor:
``q(a) = floor / (A + 1) + (1 − floor) softmax(gain_a / scale)``. The choice ``a`` is then made with
probability ``(1 − ε) 1[a is best] + ε q(a)``, which is what is logged. Whom the draw falls on does
not depend on what is known of a member, so those of whom little is known have their share of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from decisions.draws import uniforms

if TYPE_CHECKING:
    from decisions.decide import Ask, Candidates

NO_SEND = -1
# Of exploration under a budget: standard deviations between what it is expected to cost and that.
_MARGIN = 3.0
_BLOCK = 50_000  # members at a time


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn for each of n members.

    explored: (n,) whose choice it is. option: (n,) what was drawn, -1 for no send and where
    nothing was.
    """

    explored: NDArray[np.bool_]
    option: NDArray[np.int64]


def share_of(ask: Ask) -> float:
    """ε: the plan's where it had to take less than the push names."""
    planned = ask.prices.exploration
    return ask.push.exploration if planned is None else min(planned, ask.push.exploration)


def chances(ask: Ask, candidates: Candidates, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(len(rows), m + 1) q of each option and, last, of no send; 0 for what is not allowed."""
    allowed = candidates.eligibility.allowed[rows]
    count = allowed.sum(axis=1) + 1.0
    even = np.column_stack([allowed / count[:, None], 1 / count])
    floor, scale = ask.push.exploration_floor, ask.prices.scale
    if scale <= 0 or floor >= 1:
        return even
    score = np.where(allowed, candidates.gain[rows].astype(np.float64) / scale, -np.inf)
    score = np.column_stack([score, np.zeros(len(rows))])
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(floor * even + (1 - floor) * weight / weight.sum(axis=1, keepdims=True))


def draw(ask: Ask, candidates: Candidates) -> Draw:
    """Draw by hash: the same member in the same push gets the same draw, wherever it is made."""
    n = len(ask.members)
    share = share_of(ask)
    option = np.full(n, NO_SEND, dtype=np.int64)
    if share <= 0:
        return Draw(np.zeros(n, dtype=bool), option)
    salt, push_id, members = ask.policy.salt, ask.push.push_id, ask.members
    found = candidates.eligibility
    open_rows = np.flatnonzero((found.reason == 0) & ~found.held)
    chance = uniforms(salt, "exploration", push_id, members.named(open_rows))
    rows = open_rows[chance < share]
    explored = np.zeros(n, dtype=bool)
    explored[rows] = True
    which = uniforms(salt, "explored offer", push_id, members.named(rows))
    upto = np.cumsum(chances(ask, candidates, rows), axis=1)
    drawn = (which[:, None] * upto[:, -1:] >= upto).sum(axis=1)
    last = candidates.gain.shape[1]
    option[rows] = np.where(drawn >= last, NO_SEND, drawn)
    return Draw(explored, option)


def probability_of(
    ask: Ask, candidates: Candidates, chosen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n,) q of each member's ``chosen``, -1 for no send; 0 where nothing is allowed."""
    n = len(ask.members)
    found = np.zeros(n)
    if share_of(ask) <= 0:
        return found
    for rows in _blocks(np.flatnonzero(candidates.eligibility.reason == 0)):
        q = chances(ask, candidates, rows)
        found[rows] = q[np.arange(len(rows)), chosen[rows]]  # -1 is no send, the last column
    return found


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """``rows`` in parts, which bound the memory."""
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]


def affordable_share(ask: Ask, candidates: Candidates) -> float:
    """The share of choices that may be drawn without exploration costing more than its budget.

    What the draws cost is known in expectation before any is made; the share leaves room for
    their spread, so that the probability of a choice does not depend on the draws. Where few draws
    cost more all the same, the share is halved until they do not.
    """
    share = ask.push.exploration
    most = ask.push.exploration_budget
    if most is None or share <= 0:
        return share
    found = candidates.eligibility
    each = squared = 0.0
    for rows in _blocks(np.flatnonzero((found.reason == 0) & ~found.held)):
        q = chances(ask, candidates, rows)[:, :-1]
        cost = np.where(q > 0, candidates.cost[rows], 0.0).astype(np.float64)
        each, squared = each + float((q * cost).sum()), squared + float((q * cost**2).sum())
    if share * each + _MARGIN * np.sqrt(share * squared) > most:
        share = min(share, _within(most, each, squared))
    while _cost_of_draws(ask, candidates, share) > most:
        share /= 2
    return share


def _within(most: float, each: float, squared: float) -> float:
    """The share at which what is expected, and three standard deviations, cost ``most``."""
    # The root of e ε + 3 sqrt(s ε) = most, in sqrt(ε).
    spread = _MARGIN * np.sqrt(squared)
    root = (np.sqrt(spread**2 + 4 * each * most) - spread) / (2 * each) if each > 0 else 1.0
    return float(root**2)


def _cost_of_draws(ask: Ask, candidates: Candidates, share: float) -> float:
    drawn = draw(replace(ask, prices=replace(ask.prices, exploration=share)), candidates)
    rows = np.flatnonzero(drawn.option != NO_SEND)
    return float(candidates.cost[rows, drawn.option[rows]].astype(np.float64).sum())
