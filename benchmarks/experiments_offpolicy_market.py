"""The off-policy value of a release on the synthetic market, beside what it would truly bring.

A response model is fitted on the market's past. The push ahead is then sent by chance, many times
over: each time the log tells the value of the policy that the release would follow (its plan inside
the push's limits, without exploration), in conversions, and the market knows the truth about the
same members. Features are those as of the decision, as the evaluation command reads them. The
reference is the plain weighed mean (IPS) of the same logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments_offpolicy import coverage
from benchmarks.figure import Figure
from benchmarks.market_effects import Prepared, fitted, market
from decisions.chances import offer_chances
from decisions.decide import candidates_of
from decisions.plan import plan
from experiments.nuisance import cross_fitted
from experiments.offpolicy import PolicyValue, evaluate
from experiments.rule_court import Estimate
from experiments.scores import Drawn, doubly_robust
from training.market.config import MarketConfig

_NO_SEND = 0.3
_SEED = 3


def drawn_log(prepared: Prepared, rng: np.random.Generator) -> Drawn:
    """The push ahead sent by chance, and who bought."""
    truth, rows = prepared.truth, prepared.rows
    n, offers = len(rows), len(truth.offer_ids)
    chosen = np.where(rng.random(n) < _NO_SEND, -1, rng.integers(0, offers, n))
    bought = rng.random(n) < _expected(prepared)[np.arange(n), 1 + chosen]
    probability = np.where(chosen < 0, _NO_SEND, (1 - _NO_SEND) / offers)
    return Drawn(
        bought.astype(np.float64), chosen, probability, np.ones((n, offers), bool), np.arange(n)
    )


def _expected(prepared: Prepared) -> NDArray[np.float64]:
    truth, rows = prepared.truth, prepared.rows
    return np.column_stack([truth.p_if_not[rows], truth.p_if_sent[rows]])


def figures(members: int = 10_000, logs: int = 100) -> Iterator[Figure]:
    """Coverage and bias over ``logs`` logs of one market."""
    with market(MarketConfig(members, _SEED)) as prepared:
        model = fitted(prepared.known, _SEED).model
        ask = replace(prepared.ask, push=replace(prepared.ask.push, holdout=0.0, exploration=0.0))
        priced = replace(ask, prices=plan(ask, model).prices)
        policy = offer_chances(priced, candidates_of(priced, model))
        true = float((policy * _expected(prepared)).sum(axis=1).mean())
        dr, ips = _values(prepared, policy, logs)
    share, other = coverage(dr, true), coverage(ips, true)
    yield Figure(
        "ope_market_release_coverage", share, other, "share", share / other, "at least .90",
        share >= 0.9,
    )  # fmt: skip
    mean = float(np.mean([one.mean for one in dr]))
    chance = 3 * float(np.std([one.mean for one in dr])) / len(dr) ** 0.5
    yield Figure(
        "ope_market_release_value", mean, true, "conversions", mean / true,
        "no further than chance", abs(mean - true) < chance,
    )  # fmt: skip


def _values(
    prepared: Prepared, policy: NDArray[np.float64], logs: int
) -> tuple[list[Estimate], list[Estimate]]:
    dr, ips = [], []
    for number in range(logs):
        log = drawn_log(prepared, np.random.default_rng(number))
        expected = cross_fitted(log, prepared.ask.members.values).matrix
        answer = evaluate(log, doubly_robust(log, expected), policy).answer
        if not isinstance(answer, PolicyValue):
            raise AssertionError(f"log {number}: {answer.reasons}")
        dr.append(answer.dr)
        ips.append(answer.ips)
    return dr, ips


if __name__ == "__main__":
    import sys

    quick = "--quick" in sys.argv
    for figure in figures(2_000, 40) if quick else figures():
        print(figure.line())
