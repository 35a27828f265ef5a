"""The plan of a push: who gets which offer inside its limits, and who dropped out where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from decisions.allocation import Allocation, allocate
from decisions.decide import (
    Ask,
    Candidates,
    Decisions,
    Progress,
    candidates_of,
    explore,
    unseen,
)
from decisions.draws import uniforms
from decisions.errors import DecisionError
from decisions.exploration import NO_SEND, Draw, affordable_share, draw
from decisions.funnel import Funnel, funnel_of
from decisions.gain import Estimator
from decisions.infeasible import Infeasible
from decisions.limits import Group, Limits, Pairs, Segment
from decisions.policy import Prices
from decisions.pricing import best_options, limits_of, member_prices, named

Bound = TypeVar("Bound", Group, Segment)


@dataclass(frozen=True, slots=True)
class Plan:
    """A push decided for everybody at once.

    decisions: one a member, as ``decide`` gives them.
    ranking: members with an offer, largest expected gain first; row numbers of the decisions.
    prices: what one more unit of each constraint would earn; single decisions use them.
    value, bound: total expected gain of the choices that were not drawn at random, and the most
        that any choice within the constraints could have.
    funnel: how many members and pairs were left after each stage, and why the others dropped out.
    withheld: (n, k) options that members held out would have got, -1 for none: whom the sent are
        compared with.
    """

    decisions: Decisions
    ranking: NDArray[np.int64]
    prices: Prices
    value: float
    bound: float
    funnel: Funnel
    withheld: NDArray[np.int64]

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


@dataclass(frozen=True, eq=False)
class Problem:
    """What a push allocates once chance has had its part.

    candidates: of all members. drawn: the choices made at random. open_rows: (o,) members whose
    choice is to be made. pairs: theirs. limits: what is left of the push's for them.
    """

    ask: Ask
    candidates: Candidates
    drawn: Draw
    open_rows: NDArray[np.int64]
    pairs: Pairs
    limits: Limits

    @property
    def ties(self) -> NDArray[np.float64]:
        """(o,) who comes first among equals, by hash."""
        ask = self.ask
        ids = ask.members.named(self.open_rows)
        return uniforms(ask.policy.salt, "ties", ask.push.push_id, ids)


def plan(ask: Ask, estimator: Estimator, progress: Progress = unseen) -> Plan:
    """Decide ``ask`` for all its members under the push's constraints.

    The members explored at random come first and their cost is taken off the budget; the rest is
    allocated for the largest total gain. ``ask.prices`` are not read: the plan finds its own.

    Raises:
        RuleError: a rule of the push or of an offer cannot be evaluated.
        DecisionError: exploration alone would break the push's limits.
        Infeasible: no choice keeps all limits; says which conflict and by how much.
    """
    return planned(problem_of(ask, estimator, progress))


def problem_of(ask: Ask, estimator: Estimator, progress: Progress = unseen) -> Problem:
    """Everything that ``plan`` allocates, for those who ask more of it than the plan."""
    candidates = candidates_of(ask, estimator, progress)
    found = candidates.eligibility
    scaled = replace(ask, prices=Prices(scale=_scale(candidates)))
    share = affordable_share(scaled, candidates)
    ask = replace(scaled, prices=replace(scaled.prices, exploration=share))
    drawn = draw(ask, candidates)
    open_rows = np.flatnonzero((found.reason == 0) & ~found.held & ~drawn.explored)
    gain = candidates.gain[open_rows]
    gain[found.code[open_rows] != 0] = -np.inf
    pairs = Pairs(gain, candidates.cost[open_rows], len(ask.options))
    limits = _left(limits_of(ask), ask, candidates, drawn).of_members(open_rows)
    return Problem(ask, candidates, drawn, open_rows, pairs, limits)


def planned(problem: Problem) -> Plan:
    """Allocate ``problem`` and put it beside what chance decided."""
    ask, candidates = problem.ask, problem.candidates
    try:
        found = allocate(problem.pairs, problem.limits, problem.ties)
    except Infeasible as error:
        raise Infeasible(error.conflicts, f"push {ask.push.push_id!r}") from error
    prices = replace(
        named(found.prices, problem.limits, ask),
        exploration=ask.prices.exploration,
        scale=ask.prices.scale,
    )
    priced = replace(ask, prices=prices)
    best = _best(priced, problem, found)
    decisions = explore(priced, candidates, best, problem.drawn)
    sent = np.flatnonzero(decisions.sent)
    order = np.argsort(-decisions.expected_gain[sent], kind="stable")
    return Plan(
        decisions=decisions,
        ranking=sent[order],
        prices=prices,
        value=found.value,
        bound=found.bound,
        funnel=funnel_of(candidates.eligibility, decisions),
        withheld=np.where(candidates.eligibility.held[:, None], best, NO_SEND),
    )


def _best(ask: Ask, problem: Problem, found: Allocation) -> NDArray[np.int64]:
    """(n, k) what the plan gives each member; to those whom chance settled, what it would have
    given them at its prices: that is part of their probability."""
    candidates = problem.candidates
    best = np.full((len(ask.members), found.slot.shape[1]), NO_SEND, dtype=np.int64)
    best[problem.open_rows] = found.slot
    settled = (candidates.eligibility.reason == 0) & (
        candidates.eligibility.held | problem.drawn.explored
    )
    rows = np.flatnonzero(settled)
    if len(rows):
        best[rows] = best_options(ask, candidates.take(rows), member_prices(ask)[rows])
    return best


def _scale(candidates: Candidates) -> float:
    """Standard deviation of the gains of what is allowed; the unit of random draws."""
    allowed = candidates.gain[candidates.eligibility.allowed]
    return float(allowed.std(dtype=np.float64)) if len(allowed) else 0.0


def _left(limits: Limits, ask: Ask, candidates: Candidates, drawn: Draw) -> Limits:
    """The push's limits less what exploration takes.

    Raises:
        DecisionError: it takes more than there is.
    """
    rows = np.flatnonzero(drawn.option != NO_SEND)
    option = drawn.option[rows]
    gain = candidates.gain[rows, option].astype(np.float64).sum()
    spent = float(candidates.cost[rows, option].astype(np.float64).sum())
    taken = np.bincount(option, minlength=len(ask.options))
    of_group = [int(taken[group.options].sum()) for group in limits.groups]
    of_segment = [int(segment.members[rows].sum()) for segment in limits.segments]
    most = limits.audience_most - len(rows)
    parts: list[Group | Segment] = [*limits.groups, *limits.segments]
    bounds = zip(parts, (*of_group, *of_segment), strict=True)
    if spent > limits.budget or most < 0 or any(count > part.most for part, count in bounds):
        raise DecisionError(
            f"exploration of {ask.push.exploration:.0%} in push {ask.push.push_id!r} alone sends "
            f"to {len(rows)} members at a cost of {spent:.2f}, more than the push's limits; "
            "lower exploration, or raise budget, max_audience, stock or caps"
        )
    return replace(
        limits,
        budget=limits.budget - spent,
        return_credit=float(gain - limits.least_return * spent) if limits.least_return else 0.0,
        audience_least=max(limits.audience_least - len(rows), 0),
        audience_most=most,
        groups=tuple(map(_less, limits.groups, of_group)),
        segments=tuple(map(_less, limits.segments, of_segment)),
    )


def _less(part: Bound, taken: int) -> Bound:
    """A limit on contacts when so many are taken already."""
    return replace(part, least=max(part.least - taken, 0), most=part.most - taken)
