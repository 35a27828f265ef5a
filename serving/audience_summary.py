"""A plan in numbers and words: what the command, the job and the dashboard show of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Ask
from decisions.draws import uniforms
from decisions.eligibility import satisfies
from decisions.exploration import NO_SEND
from decisions.gain import Reliability
from decisions.measurable import Measurability, measurability
from decisions.plan import Plan
from decisions.promise import Promise, promise
from decisions.rivals import Rival, rivals
from decisions.words import in_words
from serving.planning import Planned


@dataclass(frozen=True, slots=True)
class Summary:
    """A plan in numbers; money in the workspace's currency.

    expected: orders, cost and gain of everything sent, with the interval of the gain.
    gain_bound: no choice inside the limits can gain more by the same estimates, with the members
    drawn at random as they are; gap: how far the plan may be below it, as a share.
    contacts_by: contacts by ``offers`` and by ``channels``.
    explored, explored_gain, explored_cost: members drawn at random who get an offer, and what that
    is expected to bring; often below zero, the price of learning.
    prices: what one more unit of each limit earns; worth: the same in words.
    beside: what other ways to choose as many members promise, by the same estimates.
    measurable: whether the holdout will show the gain.
    """

    push_id: str
    release: str
    objective: str
    budget: float | None
    expected: Promise
    gain_bound: float
    gap: float
    contacts_by: Mapping[str, Mapping[str, int]]
    explored: int
    explored_gain: float
    explored_cost: float
    prices: Mapping[str, Any]
    worth: tuple[str, ...]
    funnel: Mapping[str, Any]
    beside: Mapping[str, Rival]
    measurable: Measurability

    def to_json(self) -> dict[str, Any]:
        """Flat where it can be; no number that JSON does not know."""
        expected, measurable = self.expected, self.measurable
        return {
            "push_id": self.push_id,
            "release": self.release,
            "objective": self.objective,
            "budget": self.budget,
            "audience": expected.members,
            "contacts": expected.contacts,
            "expected_orders": expected.orders,
            "expected_cost": expected.cost,
            "expected_gain": expected.gain,
            "calibrated_gain": expected.calibrated,
            "interval": expected.interval,
            "confidence": expected.confidence,
            "gain_bound": self.gain_bound,
            "gap": self.gap,
            **self.contacts_by,
            "evidence": expected.evidence,
            "explored": self.explored,
            "explored_gain": self.explored_gain,
            "explored_cost": self.explored_cost,
            "prices": self.prices,
            "worth": self.worth,
            "funnel": self.funnel,
            "beside": {name: asdict(rival) for name, rival in self.beside.items()},
            "measurable": {
                **asdict(measurable),
                "detectable": _finite(measurable.detectable),
                "verdict": measurable.verdict,
            },
        }


def summarised(
    release_id: str, made: Planned, reliability: Reliability | None, rule: str = ""
) -> Summary:
    """Add up a plan.

    Args:
        rule: members whom it picks are compared with, in random order; empty: none.

    Raises:
        RuleError: the rule cannot be evaluated.
    """
    problem, plan = made.problem, made.plan
    ask, candidates, decisions = problem.ask, problem.candidates, plan.decisions
    drawn = np.flatnonzero(decisions.explored & decisions.sent)
    budget = np.inf if ask.push.budget is None else ask.push.budget
    rankings = {"propensity": candidates.worth.p_if_not.astype(np.float64)}
    if rule:
        rankings["rule"] = _by_rule(ask, rule)
    return Summary(
        push_id=ask.push.push_id,
        release=release_id,
        objective=ask.push.objective,
        budget=ask.push.budget,
        expected=promise(candidates, decisions, reliability),
        gain_bound=plan.gain_bound,
        gap=(plan.bound - plan.value) / plan.bound if plan.bound > 0 else 0.0,
        contacts_by=_contacts(plan),
        explored=len(drawn),
        explored_gain=float(decisions.expected_gain[drawn].sum()),
        explored_cost=float(decisions.expected_cost[drawn].sum()),
        prices=plan.prices.to_json(),
        worth=in_words(ask.push, plan.prices),
        funnel=plan.funnel.to_json(),
        beside=rivals(candidates, rankings, len(plan.ranking), budget),
        measurable=measurability(candidates, decisions.option, plan.withheld),
    )


def _by_rule(ask: Ask, rule: str) -> NDArray[np.float64]:
    """(n,) members whom ``rule`` picks in an order by hash; the others never."""
    picked = satisfies(rule, ask.members, "the rule to compare with")
    order = uniforms(ask.policy.salt, "rule", ask.push.push_id, ask.members.ids)
    return np.where(picked, order, -np.inf)


def _contacts(plan: Plan) -> dict[str, dict[str, int]]:
    """Contacts by offer and by channel, most first."""
    decisions = plan.decisions
    option = decisions.option[decisions.option != NO_SEND]
    counts = np.bincount(option, minlength=len(decisions.options)).tolist()
    found: dict[str, dict[str, int]] = {"offers": {}, "channels": {}}
    for one, count in zip(decisions.options, counts, strict=True):
        for kind, name in (("offers", one.offer.offer_id), ("channels", one.channel)):
            found[kind][name] = found[kind].get(name, 0) + count
    return {
        kind: {name: count for name, count in sorted(named.items(), key=lambda x: -x[1]) if count}
        for kind, named in found.items()
    }


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
