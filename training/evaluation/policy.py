"""What a policy earns within a budget, from the log of a trial, beside plain policies.

A policy ranks members and says what each would be sent; the budget is spent from the highest rank
down. What it earns is an average of doubly robust scores (``experiments.scores``), so it needs no
model of the outcome to be right. Every policy of a comparison pays the same costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.scores import MeanEffect, Scores, mean_effect
from training.charts import Chart, Series
from training.evaluation.deciles import places


@dataclass(frozen=True, eq=False)
class Targeting:
    """A policy on n rows and m offers.

    rank: (n,) whom to contact first: the highest. Equal ranks are contacted in random order.
    choice: (n, m) probability of each offer if contacted; a row of zeros is never contacted.
    """

    rank: NDArray[np.float64]
    choice: NDArray[np.float64]

    @classmethod
    def of(cls, rank: NDArray[np.float64], offer: NDArray[np.int64], offers: int) -> Targeting:
        """Each row gets ``offer``, its position, if contacted; -1: never contacted."""
        choice = np.zeros((len(rank), offers))
        some = np.flatnonzero(offer >= 0)
        choice[some, offer[some]] = 1.0
        return cls(rank, choice)


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a policy does within a budget, per row of all n.

    gain: outcome above sending nothing. contacted: share of the rows. spent: at most the budget.
    """

    gain: MeanEffect
    contacted: float
    spent: float


def at_random(candidates: NDArray[np.bool_]) -> Targeting:
    """Any candidate, (n, m), to anybody."""
    choice = candidates / np.maximum(candidates.sum(axis=1, keepdims=True), 1)
    return Targeting(np.zeros(len(candidates)), choice)


def best_single(effects: NDArray[np.float64], candidates: NDArray[np.bool_]) -> Targeting:
    """The candidate of the highest mean effect, (m,), to members in random order.

    The effects have to come from elsewhere than the scores that judge: the best of several noisy
    means on the same data is too good by chance.
    """
    return one_column(np.zeros(len(candidates)), effects, candidates)


def one_column(
    column: NDArray[np.floating], effects: NDArray[np.float64], candidates: NDArray[np.bool_]
) -> Targeting:
    """The best single offer by one feature, (n,): its highest values first, missing ones last."""
    rank = np.where(np.isnan(column), -np.inf, column).astype(np.float64)
    offer = np.where(candidates, effects, -np.inf).argmax(axis=1)
    return Targeting.of(
        rank, np.where(candidates.any(axis=1), offer, -1).astype(np.int64), candidates.shape[1]
    )


def value_at_budget(
    scores: Scores, policy: Targeting, cost: NDArray[np.float64], budget: float
) -> PolicyValue:
    """What ``policy`` earns with ``budget``.

    Args:
        cost: (n, m) expected cost of sending each offer, 0 or more: the same for all policies.
        budget: money per row of all n: the whole budget divided by n.

    Raises:
        ExperimentError: an offer is sent where it was no candidate.
    """
    share = contacted(policy, cost, budget)
    earned = mean_effect(share * _scored(scores, policy), scores.member, complete=True)
    spent = float((share * _expected(policy, cost)).mean())
    return PolicyValue(earned, float(share.mean()), spent)


def advantage_at_budget(
    scores: Scores,
    ours: Targeting,
    other: Targeting,
    cost: NDArray[np.float64],
    budget: float,
) -> MeanEffect:
    """How much more ``ours`` earns than ``other`` per row; the error is of the pair."""
    mine = contacted(ours, cost, budget) * _scored(scores, ours)
    theirs = contacted(other, cost, budget) * _scored(scores, other)
    return mean_effect(mine - theirs, scores.member, complete=True)


def contacted(policy: Targeting, cost: NDArray[np.float64], budget: float) -> NDArray[np.float64]:
    """(n,) chance that each row is contacted: 1 down to where the budget ends, then 0.

    The block of equal ranks in which it ends shares what is left.
    """
    if budget < 0 or (cost < 0).any():
        raise ValueError("a budget or a cost is below 0, wanted 0 or more")
    ever = policy.choice.sum(axis=1)
    price = _expected(policy, cost)
    _, level = np.unique(-policy.rank, return_inverse=True)
    block = np.bincount(level, weights=price)
    left = budget * len(price) - (np.cumsum(block) - block)
    part = np.clip(np.divide(left, block, out=np.where(left >= 0, 1.0, 0.0), where=block > 0), 0, 1)
    return np.asarray(part[level] * (ever > 0))


def mean_over_sizes(scores: Scores, policy: Targeting) -> NDArray[np.float64]:
    """(n,) each row's part in the mean gain over all audience sizes, from nobody to everybody.

    Its mean is the area under the curve of gain by share contacted, the highest ranks first; equal
    ranks share their places. Rows never contacted have no part in it.

    Source: RATE with linear weights (Yadlowsky et al., JASA 120, 2025).
    """
    first, past = places(policy.rank)
    weight = 1 - (first + past) / 2 / len(policy.rank)
    return np.asarray(weight * _scored(scores, policy))


def budget_curve(
    scores: Scores, policy: Targeting, cost: NDArray[np.float64], budgets: Sequence[float]
) -> tuple[PolicyValue, ...]:
    """``value_at_budget`` for each of ``budgets``."""
    return tuple(value_at_budget(scores, policy, cost, budget) for budget in budgets)


def budget_chart(
    scores: Scores,
    policies: Mapping[str, Targeting],
    cost: NDArray[np.float64],
    budgets: Sequence[float],
    outcome: str,
) -> Chart:
    """Gain by budget for each policy, with 90 % intervals; ``outcome``: its name and unit."""
    series = []
    for name, policy in policies.items():
        curve = budget_curve(scores, policy, cost, budgets)
        series.append(
            Series(
                name,
                [float(budget) for budget in budgets],
                [value.gain.mean for value in curve],
                error=[half_width(value.gain) for value in curve],
            )
        )
    return Chart(
        "Gain within a budget", "budget per member", f"{outcome} per member", tuple(series)
    )


def half_width(effect: MeanEffect, confidence: float = 0.9) -> float:
    """Of an interval, for a chart; 0 where the error is not known."""
    low, high = effect.interval(confidence)
    return (high - low) / 2 if np.isfinite(effect.error) else 0.0


def _scored(scores: Scores, policy: Targeting) -> NDArray[np.float64]:
    """(n,) score of what a row would be sent, against no send."""
    return np.asarray(np.where(policy.choice > 0, policy.choice * scores.uplift(), 0.0).sum(axis=1))


def _expected(policy: Targeting, cost: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((policy.choice * cost).sum(axis=1))
