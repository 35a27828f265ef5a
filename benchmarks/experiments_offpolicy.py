"""Off-policy values on logs whose truth is known: what they miss, how often, and what is refused.

Twelve actions, 20,000 decisions about 10,000 members (one member's two are alike), a logging policy
with a floor, and a target policy that prefers other actions. The reference beside the doubly robust
value is the plain weighed mean (IPS) of the same logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure
from experiments.nuisance import cross_fitted
from experiments.offpolicy import PolicyValue, evaluate, logged_policy
from experiments.panel import CannotSay
from experiments.rule_court import Estimate
from experiments.scores import Drawn, doubly_robust

ACTIONS, FEATURES = 12, 6
_FLOOR = 0.2  # share of the logged choices that is drawn evenly
_LARGE = 400_000  # decisions that the truth is averaged over


@dataclass(frozen=True, eq=False)
class Simulated:
    """A log, its (n, FEATURES) features, and the (n, ACTIONS) target policy."""

    log: Drawn
    features: NDArray[np.float64]
    policy: NDArray[np.float64]


def simulated(decisions: int, rng: np.random.Generator) -> Simulated:
    """Draw a log; members come twice."""
    world = _World.fixed()
    members = np.arange(decisions) // 2
    features = rng.normal(size=(decisions // 2 + 1, FEATURES))[members]
    likely = _FLOOR / ACTIONS + (1 - _FLOOR) * _softmax(features @ world.logging)
    upto = np.cumsum(likely, axis=1)
    column = (rng.random(decisions)[:, None] * upto[:, -1:] >= upto).sum(axis=1)
    rows = np.arange(decisions)
    # A member's luck is the same in both decisions: errors have to be clustered.
    luck = rng.gamma(1.0, 1.0, decisions // 2 + 1)[members]
    reward = world.expected(features)[rows, column] * luck
    log = Drawn(
        reward, column - 1, likely[rows, column], np.ones((decisions, ACTIONS - 1), bool), members
    )
    return Simulated(log, features, world.policy(features))


@dataclass(frozen=True, eq=False)
class _World:
    logging: NDArray[np.float64]  # (FEATURES, ACTIONS), as the others
    wanted: NDArray[np.float64]
    effects: NDArray[np.float64]

    @classmethod
    def fixed(cls) -> _World:
        rng = np.random.default_rng(12)
        logging, wanted, effects = rng.normal(scale=0.5, size=(3, FEATURES, ACTIONS))
        return cls(logging, 0.5 * logging + wanted, effects)

    def expected(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """No line: a ridge cannot fit it."""
        level = np.linspace(1.0, 2.0, ACTIONS)
        return np.asarray(level + np.log1p(np.exp(features @ self.effects)))

    def policy(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return _softmax(features @ self.wanted)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    weight = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def truth() -> float:
    """Mean reward of the target policy."""
    world = _World.fixed()
    features = np.random.default_rng(0).normal(size=(_LARGE, FEATURES))
    return float((world.policy(features) * world.expected(features)).sum(axis=1).mean())


def values(repetitions: int, decisions: int = 20_000) -> list[PolicyValue]:
    """The target policy's value by each of so many logs."""
    found = []
    for seed in range(repetitions):
        one = simulated(decisions, np.random.default_rng(1_000 + seed))
        scores = doubly_robust(one.log, cross_fitted(one.log, one.features).matrix)
        answer = evaluate(one.log, scores, one.policy).answer
        if isinstance(answer, CannotSay):
            raise AssertionError(f"log {seed}: {answer.reasons}")
        found.append(answer)
    return found


def coverage(estimates: list[Estimate], true: float) -> float:
    """Share of the intervals that hold the truth."""
    return float(np.mean([one.low <= true <= one.high for one in estimates]))


def figures(repetitions: int = 200) -> Iterator[Figure]:
    """Coverage and bias of the doubly robust value; the exact and the refused."""
    found, true = values(repetitions), truth()
    dr, ips = [one.dr for one in found], [one.ips for one in found]
    share, other = coverage(dr, true), coverage(ips, true)
    yield Figure(
        "ope_dr_coverage", share, other, "share", share / other, ".90 to .98", 0.9 <= share <= 0.98
    )
    mean = float(np.mean([one.mean for one in dr]))
    bias = mean / true - 1
    yield Figure("ope_dr_bias", mean, true, "reward", 1 + bias, "within 1 %", abs(bias) < 0.01)
    spread, plain = (float(np.std([one.mean for one in some])) for some in (dr, ips))
    yield Figure(
        "ope_dr_spread", spread, plain, "reward", spread / plain, "below 1", spread < plain
    )
    one = simulated(20_000, np.random.default_rng(1))
    scores = doubly_robust(one.log, cross_fitted(one.log, one.features).matrix)
    own = evaluate(one.log, scores, logged_policy(one.log)).answer
    happened = float(one.log.outcome.mean())
    told = own.dr.mean if isinstance(own, PolicyValue) else float("nan")
    yield Figure(
        "ope_logged_policy", told, happened, "reward", told / happened, "equal", told == happened
    )
    effective, refused = two_in_ten_thousand()
    yield Figure(
        "ope_two_in_ten_thousand", effective, 100.0, "decisions", effective / 100, "refused",
        refused,
    )  # fmt: skip


def two_in_ten_thousand() -> tuple[float, bool]:
    """Effective sample of a policy that two of 10,000 logged decisions speak of; if refused."""
    decisions = 10_000
    one = simulated(decisions, np.random.default_rng(2))
    chosen = one.log.chosen.copy()
    chosen[:] = 0
    chosen[:2] = 1
    probability = np.where(chosen == 1, 2 / decisions, 1 - 2 / decisions)
    log = Drawn(one.log.outcome, chosen, probability, one.log.candidates, one.log.member)
    policy = np.zeros((decisions, ACTIONS))
    policy[:, 2] = 1.0
    scores = doubly_robust(log, cross_fitted(log, one.features).matrix)
    found = evaluate(log, scores, policy)
    return found.support.effective, isinstance(found.answer, CannotSay)
