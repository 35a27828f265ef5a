"""The response model on synthetic markets: its share of what can be earned, and no harm.

Twenty markets of 20,000 members with four kinds of member, and the same with every effect set to
zero. A policy is the release's: the plan of the push ahead, followed to the push's budget and size
at what contacts truly cost. The oracle knows every effect; the best single offer goes to reachable
members in random order. The slopes are of the truth, and of the doubly robust score out of fold,
on the prediction. How much any learner could earn is told beside: the truth itself is regressed on
the features of half the members, and the other half is planned by it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure
from decisions.catalogue import Offer
from decisions.decide import Ask
from decisions.gain import Estimates, Estimator
from decisions.members import Members
from decisions.plan import plan
from decisions.policy import Policy, Prices
from features.build import build_features
from features.ingest.load import ingest
from features.progress import silent
from features.store import apply, export_snapshot
from features.tables import opened
from features.workspace import Workspace, open_workspace
from models.estimates import ResponseEstimates
from models.pairs import PairFeatures
from training.catalogue import offers_as_of, pushes_from
from training.evaluation import market as evaluation
from training.market.config import MarketConfig
from training.market.make import make_market
from training.market.truth import PushTruth
from training.market.world import PLANNED_PUSH
from training.push_log import push_log
from training.response import Known, with_features
from training.response_fit import FittedResponse, fit_response

SEEDS, MEMBERS = range(20), 20_000
QUICK_SEEDS, QUICK_MEMBERS = range(2), 3_000
_DRAWS = 5  # orders in which the best single offer is sent
_ROW = "row"


@dataclass(frozen=True, eq=False)
class Prepared:
    """One market as Pushwise sees it, and its truth."""

    known: Known
    ask: Ask
    truth: PushTruth
    rows: NDArray[np.int64]  # of the truth, for each member of the ask

    @property
    def uplift(self) -> NDArray[np.float64]:
        true: NDArray[np.float64] = self.truth.p_if_sent - self.truth.p_if_not[:, None]
        return true[self.rows]


@contextmanager
def market(config: MarketConfig) -> Iterator[Prepared]:
    """A market in a folder that is gone afterwards: twenty of them would fill a disk."""
    with tempfile.TemporaryDirectory() as scratch:
        yield prepare(config, Path(scratch))


def prepare(config: MarketConfig, folder: Path) -> Prepared:
    """Make the market in ``folder``, and bring it in as any shop."""
    workspace = open_workspace(folder / "workspace")
    market = make_market(folder / "market", config, silent)
    for table, files in market.tables.items():
        ingest(workspace, table, list(files))
    known = with_features(workspace, push_log(workspace, config.history_end))
    ask = _ask(workspace, config)
    truth = evaluation.truth_of(folder / "market", PLANNED_PUSH)
    at = {member: row for row, member in enumerate(truth.member_ids)}
    return Prepared(known, ask, truth, np.array([at[member] for member in ask.members.ids]))


def _ask(workspace: Workspace, config: MarketConfig) -> Ask:
    """The question of the release: all members, the push's offers, the default policy."""
    build_features(workspace, [config.history_end])
    apply(workspace)
    snapshot = export_snapshot(workspace, config.history_end)
    with opened(workspace) as tables:
        offers = offers_as_of(tables, config.history_end)
        pushes = {push.push_id: push for push in pushes_from(tables, config.history_end)}
    push = pushes[PLANNED_PUSH]
    members = Members.everybody(
        snapshot.member_ids, snapshot.values, snapshot.encoding, snapshot.as_of
    )
    candidates = tuple(offers[offer] for offer in push.offer_ids)
    return Ask(push, candidates, members, Policy("benchmark"), Prices(), frozenset())


@dataclass(frozen=True, slots=True)
class Found:
    """Gains in money, and slopes."""

    ours: float
    oracle: float
    single: float
    ceiling: float
    true_slope: float
    slope: float


def fitted(known: Known, seed: int) -> FittedResponse:
    return fit_response(known.log, known.values, known.names, seed, known.called, known.categories)


def measure(prepared: Prepared, seed: int) -> Found:
    truth, found = prepared.truth, fitted(prepared.known, seed)
    members = prepared.ask.members
    told = found.model.estimate(members.values, members.encoding.names, prepared.ask.offers)
    predicted = told.p_if_sent - told.p_if_not[:, None]
    most = limits(prepared)
    best = evaluation.oracle(truth, *most)
    singles = [
        np.mean(
            [
                evaluation.earned(truth, evaluation.at_random(truth, offer, draw), *most).gain
                for draw in range(_DRAWS)
            ]
        )
        for offer in range(len(truth.offer_ids))
    ]
    return Found(
        ours=_earned(prepared, found.model),
        oracle=evaluation.earned(truth, best, *most).gain,
        single=float(max(singles)),
        ceiling=_earned(_numbered(prepared), _Regressed(prepared)),
        true_slope=_slope(predicted, prepared.uplift),
        slope=found.slope.mean,
    )


def limits(prepared: Prepared) -> tuple[float, float]:
    push = prepared.ask.push
    budget = float("inf") if push.budget is None else push.budget
    return budget, float("inf") if push.max_audience is None else push.max_audience


def _earned(prepared: Prepared, estimator: Estimator) -> float:
    ask, planned = prepared.ask, plan(prepared.ask, estimator)
    ranking = evaluation.planned(
        prepared.truth,
        [ask.members.ids[row] for row in planned.ranking],
        [ask.push.offer_ids[planned.decisions.offer[row]] for row in planned.ranking],
    )
    return evaluation.earned(prepared.truth, ranking, *limits(prepared)).gain


def _slope(predicted: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    apart = predicted - predicted.mean()
    spread = float((apart**2).sum())
    return float((apart * true).sum()) / spread if spread > 1e-12 else float("nan")


class _Regressed:
    """What could be known with features like these and no noise: gain and cost regressed.

    Members are asked about by the number in their last feature, ``_ROW``.
    """

    reliability = None

    def channel_factor(self, channel: str) -> tuple[float, str]:
        return 1.0, ""

    def __init__(self, prepared: Prepared) -> None:
        ask, truth, rows = prepared.ask, prepared.truth, prepared.rows
        members, known = ask.members, prepared.known
        pairs = PairFeatures.fit(known.values, known.names, known.called)
        table = pairs.table(members.values, members.encoding.names, ask.offers)
        half = np.random.default_rng(0).permutation(len(rows)) % 2
        shape = (len(rows), len(ask.offers))
        self.gain = _crossed(table, truth.expected_gain[rows], np.repeat(half, shape[1]))
        cost = _crossed(table, truth.expected_cost[rows], np.repeat(half, shape[1]))
        self.cost = np.maximum(cost, truth.expected_cost.min())

    def estimate(
        self, values: NDArray[np.float32], names: tuple[str, ...], offers: Sequence[Offer]
    ) -> Estimates:
        """Gain and cost put into the words of a response model: one conversion is one unit."""
        rows = values[:, names.index(_ROW)].astype(np.int64)
        gain, spent = self.gain[rows], self.cost[rows]
        contact = np.array([offer.contact_cost for offer in offers])
        redeemed = np.array([offer.redemption_cost for offer in offers])
        n, m = gain.shape
        return ResponseEstimates(
            p_if_not=np.zeros(n),
            p_if_sent=gain + spent,
            margin=np.ones(n),
            revenue=np.ones(n),
            spread=np.zeros(n),
            p_redeem=np.ones((n, m)),
            coupon=spent - contact - redeemed,
            p_unsubscribe=np.zeros(n),
            member_value=np.zeros(n),
            evidence=("modelled",) * m,
        )


def _numbered(prepared: Prepared) -> Prepared:
    """The same, with each member's row number as one more feature."""
    members = prepared.ask.members
    encoding = replace(members.encoding, names=(*members.encoding.names, _ROW))  # type: ignore[type-var]  # features.encoding.Encoding, behind a protocol
    rows = np.arange(len(members), dtype=np.float32)
    values = np.column_stack([members.values, rows])
    numbered = replace(members, values=values, encoding=encoding)
    return replace(prepared, ask=replace(prepared.ask, members=numbered))


def _crossed(
    table: NDArray[np.float32], truth: NDArray[np.float64], half: NDArray[np.int64]
) -> NDArray[np.float64]:
    parameters = {
        "num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 50, "feature_fraction": 0.5,
        "verbosity": -1, "deterministic": True, "seed": 0,
    }  # fmt: skip
    out = np.zeros(truth.size)
    for side in (0, 1):
        data = lightgbm.Dataset(table[half != side], label=truth.ravel()[half != side])
        trees = lightgbm.train(parameters, data, num_boost_round=200)
        out[half == side] = trees.predict(table[half == side])
    return out.reshape(truth.shape)


def figures(quick: bool) -> Iterator[Figure]:
    """Shares, slopes and verdicts by seed, then what they come to."""
    seeds, members = (QUICK_SEEDS, QUICK_MEMBERS) if quick else (SEEDS, MEMBERS)
    found = []
    for seed in seeds:
        with market(MarketConfig(members, seed)) as prepared:
            found.append(measure(prepared, seed))
        yield from _of_seed(seed, found[-1])
    silenced = 0
    for seed in seeds:
        with market(MarketConfig(members, seed, effects_off=True)) as prepared:
            silenced += fitted(prepared.known, seed).gate.personal == 0
    share = float(np.mean([one.ours / one.oracle for one in found]))
    ceiling = float(np.mean([one.ceiling / one.oracle for one in found]))
    goal = 0.8
    yield Figure(
        "market_share_of_oracle", share, goal, "share", share / goal, "≥ .8", share >= goal
    )
    yield Figure(
        "market_share_of_what_features_tell", share, ceiling, "share of the oracle's gain",
        share / ceiling, "told beside", True,
    )  # fmt: skip
    wanted = 0.9 * len(seeds)
    yield Figure(
        "market_says_when_nobody_differs", float(silenced), wanted, "markets without effects",
        silenced / wanted, "≥ 18 of 20", silenced >= wanted,
    )  # fmt: skip


def _of_seed(seed: int, one: Found) -> Iterator[Figure]:
    best = one.ours / one.single
    yield Figure(
        f"market_over_best_single_seed_{seed}", one.ours, one.single, "money", best,
        "≥ .99", best >= 0.99,
    )  # fmt: skip
    for name, slope in (("true", one.true_slope), ("out_of_fold", one.slope)):
        yield Figure(
            f"market_{name}_slope_seed_{seed}", slope, 1.0, "slope", slope, ".8 to 1.2",
            bool(0.8 <= slope <= 1.2),
        )  # fmt: skip
