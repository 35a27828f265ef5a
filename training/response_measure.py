"""How good a response model is on later pushes, beside plain policies and the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Option, Push
from decisions.gain import Channels, gain
from experiments.scores import Drawn, MeanEffect, Scores, doubly_robust, mean_effect
from models.estimates import ResponseEstimates
from models.response import ResponseModel
from training.charts import Chart
from training.comparison import Comparison
from training.errors import TrainingError
from training.evaluation.deciles import decile_chart, uplift_by_part
from training.evaluation.policy import (
    Targeting,
    advantage_at_budget,
    at_random,
    best_single,
    budget_chart,
    mean_over_sizes,
    one_column,
    value_at_budget,
)
from training.evaluation.qini import Trial, qini, qini_chart, qini_curve
from training.gates import Check
from training.policy_gate import PolicyGate, greedy, policy_gate
from training.push_log import NO_SEND, PushLog

# Rules of one column that direct marketing knows, where the workspace has the feature.
RULES: Mapping[str, tuple[str, int]] = {
    "recency": ("recency_days", -1),
    "frequency": ("orders_365d", 1),
    "spend": ("spend_365d", 1),
}
_BUDGET = 0.2  # of what the best single offer to everybody would cost
_PARTS = 10
_POINTS = 11
_SOME = 1000


@dataclass(frozen=True, eq=False)
class Later:
    """Decisions that the model did not learn from: n rows, and features as of each, ``names``."""

    log: PushLog
    values: NDArray[np.float32]
    names: tuple[str, ...]

    @cached_property
    def member(self) -> NDArray[np.int64]:
        ids = self.log.rows["member_id"].to_numpy(dtype=str)
        return np.unique(ids, return_inverse=True)[1].astype(np.int64)

    @property
    def open(self) -> NDArray[np.bool_]:
        """(n, m) which offers could have been sent."""
        return self.log.candidates[self.log.push]


@dataclass(frozen=True, eq=False)
class Measured:
    """comparisons: the first decides. charts, facts: for the record, by name. checks: gates."""

    comparisons: tuple[Comparison, ...]
    charts: Mapping[str, Chart]
    facts: Mapping[str, str]
    checks: tuple[Check, ...] = ()


def measure(model: ResponseModel, later: Later, champion: ResponseModel | None = None) -> Measured:
    """Follow the model's ranking and choice of offer, and others', through ``later``.

    Whatever is compared is an average of doubly robust scores over the same decisions, so that it
    does not lean on the model that is judged. The plain policies send the best single offer: to
    members in random order (``best_offer``), to those most likely to buy first (``propensity``),
    by one column (``RULES``); ``random`` sends any offer to anybody.

    The deciding figure is the area under the uplift curve: conversions per thousand members,
    averaged over all audience sizes. A model that only knows the best single offer is that
    baseline, so it has to be no worse than it by more than the error of the difference.
    """
    judged = _Judged.of(model, later)
    comparisons, facts = _areas(judged, champion)
    charts = {}
    if later.log.margin.any():
        money, charts["gain_by_budget"], facts["gain_above_best_offer"] = _money(judged)
        comparisons.append(money)
    policy = _policy(judged, champion)
    facts["policy_value"] = policy.told
    if policy.comparison is not None:
        comparisons.append(policy.comparison)
    if len(later.log) >= _PARTS:
        charts["uplift_by_tenth"] = _tenths(judged)
    try:
        found, charts["qini"], facts["qini"] = _qini(judged)
        comparisons.append(found)
    except TrainingError as error:
        facts["qini"] = f"cannot say: {error}"
    return Measured(tuple(comparisons), charts, facts, policy.checks)


@dataclass(frozen=True, eq=False)
class _Judged:
    """The model's expectations on ``later``, the scores that judge it, and the plain policies."""

    model: ResponseModel
    later: Later
    estimates: ResponseEstimates
    conversions: Scores
    ours: Targeting

    @classmethod
    def of(cls, model: ResponseModel, later: Later) -> _Judged:
        estimates = model.estimate(later.values, later.names, later.log.offers)
        outcome = later.log.converted.astype(np.float64)
        expected = np.column_stack([estimates.p_if_not, estimates.p_if_sent])
        scores = _scored(later, outcome, expected)
        return cls(model, later, estimates, scores, _best_by_uplift(estimates, later.open))

    @property
    def effects(self) -> NDArray[np.float64]:
        """(m,) mean effects as of the earlier pushes: by them a plain policy picks its offer."""
        alike = replace(self.model, effect=replace(self.model.effect, personal=0.0))
        later = self.later
        told = alike.estimate(later.values[:_SOME], later.names, later.log.offers)
        return np.asarray(np.median(told.p_if_sent - told.p_if_not[:, None], axis=0))

    @cached_property
    def money(self) -> Scores:
        """Scores of what was earned, contact and redemption paid."""
        unsent = self.estimates.p_if_not * self.estimates.margin
        gain = money_gain(self.later.log, self.estimates).gain
        expected = np.column_stack([unsent, unsent[:, None] + gain])
        return _scored(self.later, earned(self.later.log), expected)

    def plain(self, effects: NDArray[np.float64]) -> dict[str, Targeting]:
        """The plain policies, ``best_offer`` first; ``effects`` say which offer is best."""
        candidates = self.later.open
        found = {
            "best_offer": best_single(effects, candidates),
            "random": at_random(candidates),
            "propensity": one_column(self.estimates.p_if_not, effects, candidates),
        }
        for name, (column, sign) in RULES.items():
            if column in self.later.names:
                values = sign * self.later.values[:, self.later.names.index(column)]
                found[name] = one_column(values, effects, candidates)
        return found


def _drawn(later: Later, outcome: NDArray[np.float64]) -> Drawn:
    return Drawn(outcome, later.log.offer, later.log.probability, later.open, later.member)


def _scored(later: Later, outcome: NDArray[np.float64], expected: NDArray[np.float64]) -> Scores:
    return doubly_robust(_drawn(later, outcome), expected)


def _best_by_uplift(estimates: ResponseEstimates, candidates: NDArray[np.bool_]) -> Targeting:
    # One effect for all is one rank for all, whatever the last bits of a difference say.
    uplift = np.round(estimates.p_if_sent - estimates.p_if_not[:, None], 9)
    return _best(uplift, uplift, candidates)


def _best(
    value: NDArray[np.float64], rank: NDArray[np.float64], candidates: NDArray[np.bool_]
) -> Targeting:
    """The candidate of the highest ``value`` to each, by its ``rank``; (n, m) each."""
    rows = np.arange(len(value))
    offer = np.where(candidates, value, -np.inf).argmax(axis=1)
    some = candidates[rows, offer]
    return Targeting.of(rank[rows, offer], np.where(some, offer, NO_SEND), value.shape[1])


def _areas(
    judged: _Judged, champion: ResponseModel | None
) -> tuple[list[Comparison], dict[str, str]]:
    scores, later = judged.conversions, judged.later
    mine = 1000 * mean_over_sizes(scores, judged.ours)
    plain = {
        name: 1000 * mean_over_sizes(scores, policy)
        for name, policy in judged.plain(judged.effects).items()
    }
    single = plain.pop("best_offer")
    theirs, error = None, None
    if champion is not None:
        estimates = champion.estimate(later.values, later.names, later.log.offers)
        followed = 1000 * mean_over_sizes(scores, _best_by_uplift(estimates, later.open))
        theirs, error = float(followed.mean()), mean_effect(mine - followed, later.member).error
    ahead = mean_effect(mine - single, later.member)
    decides = Comparison(
        "uplift_area",
        float(mine.mean()),
        {"best_offer": float(single.mean())},
        champion=theirs,
        error=error,
        allowed={"best_offer": ahead.error},
    )
    rules = {name: float(area.mean()) for name, area in plain.items()}
    beside = Comparison("uplift_area_beside_rules", float(mine.mean()), rules)
    return [decides, beside], {"uplift_area_above_best_offer": _told(ahead)}


def _told(effect: MeanEffect) -> str:
    low, high = effect.interval()
    return f"{effect.mean:.4g}, 95 % interval {low:.4g} to {high:.4g}"


def _money(judged: _Judged) -> tuple[Comparison, Chart, str]:
    """Gain in money at one budget, per thousand members, and at many; and how sure it is."""
    later, estimates = judged.later, judged.estimates
    expected = money_gain(later.log, estimates)
    scores = judged.money
    worth = np.where(later.open, expected.gain, 0.0).mean(axis=0)
    # Where contacts cost nothing, the budget is a number of members.
    free = not expected.cost[later.open].any()
    cost = np.ones_like(expected.cost) if free else expected.cost
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.nan_to_num(expected.gain / cost, nan=0.0)
    ours = _best(expected.gain, returns, later.open & (expected.gain > 0))
    policies = {"model": ours, **judged.plain(worth)}
    # What everybody would cost with the best single offer.
    most = float((policies["best_offer"].choice * cost).sum(axis=1).mean())
    found = {
        name: 1000 * value_at_budget(scores, policy, cost, _BUDGET * most).gain.mean
        for name, policy in policies.items()
    }
    mine = found.pop("model")
    shown = {name: policies[name] for name in ("model", "best_offer", "propensity", "random")}
    budgets = np.linspace(0.0, most, _POINTS).tolist()
    chart = budget_chart(scores, shown, cost, budgets, "gain in money")
    single = policies["best_offer"]
    ahead = advantage_at_budget(scores, ours, single, cost, _BUDGET * most)
    told = _told(MeanEffect(1000 * ahead.mean, 1000 * ahead.error))
    return Comparison("gain_at_budget", mine, found), chart, told


def _policy(judged: _Judged, champion: ResponseModel | None) -> PolicyGate:
    """What the model's choices earn: in money, or in conversions where none is known."""
    later = judged.later
    in_money = bool(later.log.margin.any())

    def choices(estimates: ResponseEstimates) -> NDArray[np.float64]:
        if in_money:
            return greedy(money_gain(later.log, estimates).gain, later.open)
        return greedy(estimates.p_if_sent - estimates.p_if_not[:, None], later.open)

    theirs = None
    if champion is not None:
        theirs = choices(champion.estimate(later.values, later.names, later.log.offers))
    scores = judged.money if in_money else judged.conversions
    outcome = earned(later.log) if in_money else later.log.converted.astype(np.float64)
    return policy_gate(_drawn(later, outcome), scores, choices(judged.estimates), theirs)


@dataclass(frozen=True, slots=True)
class Money:
    """gain, cost: (n, offers) expected of a send, in money."""

    gain: NDArray[np.float64]
    cost: NDArray[np.float64]


def money_gain(log: PushLog, estimates: ResponseEstimates) -> Money:
    """Of every offer of ``log``, in money, as a push for margin would count it.

    Without fatigue: what a member who leaves would have brought is in no outcome of the log.
    """
    ids = tuple(offer.offer_id for offer in log.offers)
    push = Push("measured", "push", datetime(2000, 1, 1, tzinfo=UTC), ids)
    options = [Option(offer, push.channel) for offer in log.offers]
    found = gain(push, options, estimates, Channels({}, {}))
    gross = found.gain.astype(np.float64) + found.fatigue[:, None]
    return Money(gross, found.cost.astype(np.float64))


def earned(log: PushLog) -> NDArray[np.float64]:
    """(n,) margin of the conversions less what the contact and what was redeemed cost."""
    sent = np.flatnonzero(log.offer != NO_SEND)
    contact = np.array([offer.contact_cost for offer in log.offers])[log.offer[sent]]
    redemption = np.array([offer.redemption_cost for offer in log.offers])[log.offer[sent]]
    earned = log.margin.astype(np.float64).copy()
    earned[sent] -= contact + redemption * log.redeemed[sent]
    return earned


def _tenths(judged: _Judged) -> Chart:
    chosen = judged.ours.choice.argmax(axis=1)
    scores = judged.conversions
    change = 100 * (scores.of(chosen) - scores.matrix[:, 0])
    parts = uplift_by_part(100 * judged.ours.rank, change, judged.later.member, parts=_PARTS)
    return decile_chart(parts, "percentage points of conversion, 95 % interval")


def _qini(judged: _Judged) -> tuple[Comparison, Chart, str]:
    """Of the ranking, among those who were sent what the model would send, or nothing."""
    log, later = judged.later.log, judged.later
    chosen = judged.ours.choice.argmax(axis=1)
    rows = (log.offer == NO_SEND) | (log.offer == chosen)
    trial = Trial(
        log.converted[rows].astype(np.float64),
        (log.offer != NO_SEND)[rows],
        1 / log.probability[rows],
        later.member[rows],
    )
    rankings = {"model": judged.ours.rank[rows], "propensity": judged.estimates.p_if_not[rows]}
    found = {name: qini(trial, rank) for name, rank in rankings.items()}
    mine = found["model"]
    told = _told(MeanEffect(mine.coefficient, mine.error))
    chart = qini_chart({name: qini_curve(trial, rank) for name, rank in rankings.items()})
    others = {"propensity": found["propensity"].coefficient, "random": 0.0}
    return Comparison("qini", mine.coefficient, others), chart, told
