"""What every way to choose an audience truly earns, and whether plans keep their promise.

Synthetic markets whose truth is known. Each policy is followed to the push's budget and size at
what contacts truly cost. Rule, random and propensity send the campaign's default offer, as
``pushwise demo`` has it; propensity is the probability of a purchase without a push, by the same
response model. *Best offer then cut* takes each member's best offer by our estimates, sorts by
return and cuts at budget and size: everything that Pushwise knows, without its allocation.

The promise is about everything planned, whatever it truly costs; so is what it is compared with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure
from benchmarks.market_effects import Prepared, fitted, limits, market
from decisions.decide import Candidates
from decisions.plan import Plan, planned, problem_of
from decisions.promise import Promise, promise
from models.response import ResponseModel
from training.evaluation import market as evaluation
from training.evaluation.market import Ranking
from training.market.config import MarketConfig
from training.market.truth import PushTruth

POLICIES = (
    "rule", "random", "propensity", "best_offer_then_cut", "pushwise", "oracle",
)  # fmt: skip
_DEFAULT_OFFER = 0  # the first that a push names
_DRAWS = 5  # orders in which rule and random are sent


@dataclass(frozen=True, slots=True)
class Size:
    """Of the measurement: markets, and members of each."""

    seeds: int
    members: int


FULL, QUICK = Size(20, 20_000), Size(1, 1_000)


@dataclass(frozen=True, slots=True)
class Earnings:
    """One market. Money; gain: by policy, at the push's budget and size.

    propensity_with_its_best_offer: the propensity ranking with whichever single offer truly earns
    most that way: nobody could know which.
    promised, calibrated: gain that the plan promises, by the estimates and scaled by how far they
    kept their word out of fold. realised: what the same contacts truly gain.
    promised_gross, realised_gross: the same before the cost of contacts and coupons, and before
    fatigue, which the market's truth of one push does not know. promised_cost, realised_cost.
    """

    seed: int
    members: int
    gain: dict[str, float]
    propensity_with_its_best_offer: float
    promised: float
    calibrated: float | None
    interval: tuple[float, float] | None
    realised: float
    promised_gross: float
    realised_gross: float
    promised_cost: float
    realised_cost: float
    fatigue: float

    @property
    def share(self) -> float:
        return self.gain["pushwise"] / self.gain["oracle"]

    def line(self) -> str:
        return json.dumps(asdict(self))


def earnings(prepared: Prepared, seed: int) -> Earnings:
    """Fit, plan, and see what was true."""
    truth, model = prepared.truth, fitted(prepared.known, seed).model
    problem = problem_of(prepared.ask, model)
    plan = planned(problem)
    told = promise(problem.candidates, plan.decisions, model.reliability)
    rankings = _rankings(prepared, problem.candidates, plan, model)
    most = limits(prepared)

    def gain(ranking: Ranking) -> float:
        return evaluation.earned(truth, ranking, *most).gain

    gains = {
        "rule": _mean(gain(evaluation.rule(truth, _DEFAULT_OFFER, draw)) for draw in range(_DRAWS)),
        "random": _mean(
            gain(evaluation.at_random(truth, _DEFAULT_OFFER, draw)) for draw in range(_DRAWS)
        ),
        **{name: gain(ranking) for name, ranking in rankings.items()},
        "oracle": gain(evaluation.oracle(truth, *most)),
    }
    by_propensity = rankings["propensity"]
    best = max(
        gain(replace(by_propensity, offer=np.full(len(by_propensity.rows), offer)))
        for offer in range(len(truth.offer_ids))
    )
    return Earnings(
        seed, len(prepared.ask.members), {name: gains[name] for name in POLICIES}, best,
        **_kept(truth, rankings["pushwise"], told, problem.candidates, plan),
    )  # fmt: skip


def _rankings(
    prepared: Prepared, candidates: Candidates, plan: Plan, model: ResponseModel
) -> dict[str, Ranking]:
    """The policies that our estimates make."""
    ask, truth = prepared.ask, prepared.truth
    likely = candidates.worth.p_if_not.astype(np.float64)
    best = np.where(candidates.eligibility.allowed, candidates.gain, -np.inf).argmax(axis=1)
    rows = np.arange(len(best))
    gain = candidates.gain[rows, best].astype(np.float64)
    cost = candidates.cost[rows, best].astype(np.float64)
    pays = np.flatnonzero((candidates.eligibility.reason == 0) & (gain > 0))
    pays = pays[np.argsort(-gain[pays] / cost[pays], kind="stable")]

    def of_rows(chosen: NDArray[np.int64], offer: NDArray[np.int64]) -> Ranking:
        names = [ask.push.offer_ids[column] for column in offer.tolist()]
        return evaluation.planned(truth, [ask.members.ids[row] for row in chosen.tolist()], names)

    return {
        "propensity": evaluation.by_score(
            truth, dict(zip(ask.members.ids, likely.tolist(), strict=True)), _DEFAULT_OFFER
        ),
        "best_offer_then_cut": of_rows(pays, best[pays]),
        "pushwise": of_rows(plan.ranking, plan.decisions.offer[plan.ranking]),
    }


def _kept(
    truth: PushTruth, sent: Ranking, told: Promise, candidates: Candidates, plan: Plan
) -> dict[str, Any]:
    """What was promised of everything planned, and what is true of it."""
    realised = float(truth.expected_gain[sent.rows, sent.offer].sum())
    cost = float(truth.expected_cost[sent.rows, sent.offer].sum())
    fatigue = float(candidates.worth.fatigue[plan.ranking].astype(np.float64).sum())
    return {
        "promised": told.gain,
        "calibrated": told.calibrated,
        "interval": told.interval,
        "realised": realised,
        "promised_gross": told.gain + told.cost + fatigue,
        "realised_gross": realised + cost,
        "promised_cost": told.cost,
        "realised_cost": cost,
        "fatigue": fatigue,
    }


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))


def measured(seeds: Sequence[int], members: int) -> Iterator[Earnings]:
    """One market after another, each as soon as it is done."""
    for seed in seeds:
        with market(MarketConfig(members, seed)) as prepared:
            found = earnings(prepared, seed)
        yield found


def figures(found: Sequence[Earnings]) -> Iterator[Figure]:
    """What the markets come to: means of gains, and ratios of their sums."""
    mean = {name: _mean(one.gain[name] for one in found) for name in POLICIES}
    ours, oracle = mean["pushwise"], mean["oracle"]
    for name in POLICIES[:-1]:
        share = mean[name] / oracle
        goal, least = ("at least .8", 0.8) if name == "pushwise" else ("told beside", 0.0)
        yield Figure(
            f"oracle_share_{name}", mean[name], oracle, "money", share, goal,
            least == 0 or share >= least,
        )  # fmt: skip
    over = ours / mean["propensity"]
    yield Figure(
        "gain_over_propensity", ours, mean["propensity"], "money", over, "at least 1.5", over >= 1.5
    )
    likely = _mean(one.propensity_with_its_best_offer for one in found)
    yield Figure(
        "gain_over_propensity_with_its_best_offer", ours, likely, "money", ours / likely,
        "told beside", True,
    )  # fmt: skip
    yield from _promises(found)


def _promises(found: Sequence[Earnings]) -> Iterator[Figure]:
    realised = _mean(one.realised for one in found)
    promised = {"promised": _mean(one.promised for one in found)}
    told = [one.calibrated for one in found if one.calibrated is not None]
    if len(told) == len(found):
        promised["calibrated"] = _mean(iter(told))
    for name, value in promised.items():
        kept = value / realised
        yield Figure(
            f"{name}_over_realised_gain", value, realised, "money", kept, ".9 to 1.1",
            bool(0.9 <= kept <= 1.1),
        )  # fmt: skip
