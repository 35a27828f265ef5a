"""``python -m benchmarks.rule_court [--quick]``: does the court find what a rule gets wrong?

The rule that started the project, "browsed the push's destination in the last 30 days", over all
past pushes of twenty synthetic markets; what counts is what they change in the scope of the push.
The reversal: as many members who did not browse, best by the model, convert and earn more. With
every effect off coupons still cost, and neither the rule nor its opposite may seem to gain. A
hundred decisions may say nothing.

Preparation is light, so that markets can be large: of the features only those of categories, and of
the models two small ones of trees, over the pair features that the response model reads too. Set
OMP_NUM_THREADS=1 where other work shares the processors.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure
from experiments.panel import CannotSay
from experiments.rule_court import Findings
from experiments.scores import Drawn, Scores, doubly_robust
from experiments.trial import Objective
from features.affinity import affinity, category_interest
from features.encoding import Encoding
from features.ingest.load import ingest
from features.membership import roster
from features.moments import newest
from features.progress import silent
from features.rolled import phase
from features.rolling import rolled_anew
from features.tables import Tables, opened
from features.vocabulary import Vocabulary
from features.workspace import open_workspace
from models.calibration import sigmoid
from models.effect import SENT
from models.pairs import OFFER_COLUMNS, PairFeatures
from serving.court import Court, Question
from training.learning import FOLDS, Growth, Target, grow
from training.market.config import MarketConfig
from training.market.make import make_market
from training.market.world import DESTINATIONS
from training.out_of_fold import OutOfFold
from training.push_log import NO_SEND, PushLog, push_log
from training.rule_evidence import rule_evidence

SEEDS, MEMBERS, WITHOUT_EFFECT = range(20), 150_000, 20_000
QUICK_SEEDS, QUICK_MEMBERS = range(1), 30_000
FEW = 100  # decisions
RULE = "scope_seen_days <= 30"
_EVERY = 10**7
_RATE = Growth("binary")
_EFFECT = Growth("regression", leaves=4, least=2_000)
_SOME = 100_000  # decisions that rates are learned from; they only steady the scores


def prepared(config: MarketConfig) -> Court:
    """The past pushes of a market as evidence, with pair features in place of members'."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace = open_workspace(Path(scratch) / "workspace")
        market = make_market(Path(scratch) / "market", config, silent)
        for name, files in market.tables.items():
            ingest(workspace, name, list(files))
        log = push_log(workspace, config.history_end, most=_EVERY)
        with opened(workspace) as tables:
            values, names = _of_categories(tables, log)
    pairs = PairFeatures.fit(values[:: max(len(values) // 100_000, 1)], names)
    table = _scoped(pairs, log, values, names)
    kept = [place for place, name in enumerate(pairs.names) if name not in OFFER_COLUMNS]
    shown = tuple(pairs.names[place] for place in kept)
    out = _expected(log, table[:, kept], shown)
    evidence = rule_evidence(log, table[:, kept], out, out.near_scores, most=_EVERY)
    return Court(evidence, Encoding.of(shown, {}))


def _of_categories(tables: Tables, log: PushLog) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """(n, features) the interest, last view and last purchase by category, as of each decision."""
    vocabulary = Vocabulary.of(DESTINATIONS)
    decided = log.rows["as_of"]
    names = tuple(
        f"{measure}__{name}"
        for measure in ("interest", "seen_days", "bought_days")
        for name in vocabulary.features
    )
    values = np.empty((len(log), len(names)), dtype=np.float32)
    first = decided.min().to_pydatetime()
    rolled = rolled_anew(tables, phase(first))
    for moment in decided.unique():
        as_of: datetime = moment.to_pydatetime()
        items = newest(tables.items, "item_id", as_of)
        interest = tables.engine.keep("interest", category_interest(rolled.interest, items, as_of))
        everybody = roster(tables.members, rolled.people, tables.decisions, as_of)
        found = affinity(everybody, interest, vocabulary, as_of, has_clickstream=True)
        frame = found.select("member_id", *names).execute().set_index("member_id")
        mine = np.flatnonzero(decided == moment)
        values[mine] = frame.loc[log.rows["member_id"].iloc[mine]].to_numpy(dtype=np.float32)
    return values, names


def _scoped(
    pairs: PairFeatures, log: PushLog, values: NDArray[np.float32], names: tuple[str, ...]
) -> NDArray[np.float32]:
    """(n, pair features): how each member stands to what the push is about."""
    table = np.empty((len(log), len(pairs.names)), dtype=np.float32)
    for push, candidates in enumerate(log.candidates):
        mine = np.flatnonzero(log.push == push)
        offer = log.offers[np.flatnonzero(candidates)[0]]
        table[mine] = pairs.table(values[mine], names, [offer])
    return table


def _expected(log: PushLog, table: NDArray[np.float32], names: tuple[str, ...]) -> OutOfFold:
    """Rates in scope, and the effect of any offer of the push, by trees out of fold."""
    member = np.unique(log.rows["member_id"].to_numpy(dtype=str), return_inverse=True)[1]
    fold = (np.random.default_rng(0).permutation(int(member.max()) + 1) % FOLDS)[member]
    sent, near = log.offer != NO_SEND, log.in_scope
    rate = np.empty((len(log), 2))
    effect = np.empty(len(log))
    for one in range(FOLDS):
        kept, mine = fold != one, fold == one
        told = np.column_stack([table, sent]).astype(np.float32)
        some = np.random.default_rng(one).permutation(np.flatnonzero(kept))[:_SOME]
        happened = Target(near[some].astype(np.float64))
        trees = grow(told[some], (*names, SENT), happened, 0, _RATE)
        for side in (0, 1):
            told[:, -1] = side
            rate[mine, side] = sigmoid(trees.score(told[mine], (*names, SENT)))
    scores = _scores(log, near.astype(np.float64), rate, member.astype(np.int64))
    target = np.nanmean(scores.uplift(), axis=1)
    for one in range(FOLDS):
        kept, mine = fold != one, fold == one
        trees = grow(table[kept], names, Target(target[kept]), 0, _EFFECT)
        effect[mine] = trees.score(table[mine], names)
    open_ = log.candidates[log.push]
    used, money = np.zeros((2, len(log.offers)))
    for j in range(len(log.offers)):
        mine = log.offer == j
        used[j] = log.redeemed[mine].mean()
        money[j] = log.coupon[mine].sum() / max(int(log.redeemed[mine].sum()), 1)
    return OutOfFold(
        uplift=np.where(open_, effect[:, None], np.nan),
        p_if_not=np.full(len(log), log.converted[~sent].mean()),
        p_redeem=np.broadcast_to(used, open_.shape),
        margin=np.full(len(log), (log.margin + log.coupon)[log.converted].mean()),
        coupon=np.broadcast_to(money, open_.shape),
        near=near,
        near_if_not=rate[:, 0],
        near_scores=scores,
    )


def _scores(
    log: PushLog, outcome: NDArray[np.float64], rate: NDArray[np.float64], member: NDArray[np.int64]
) -> Scores:
    drawn = Drawn(outcome, log.offer, log.probability, log.candidates[log.push], member)
    every = np.column_stack([rate[:, :1], np.repeat(rate[:, 1:], len(log.offers), axis=1)])
    return doubly_robust(drawn, every)


def ruling(court: Court, objective: Objective) -> Findings | CannotSay:
    """What the court finds about the rule, over every offer, in the scope of the pushes."""
    question = Question(RULE, None, "all", in_scope=True, objective=objective)
    return court.audit(question).ruling.answer


def thinned(court: Court, wanted: int) -> Court:
    """So many decisions, spread evenly over all."""
    evidence = court.evidence
    rows = np.linspace(0, len(evidence) - 1, wanted).astype(int)
    parts = {
        field.name: getattr(evidence, field.name)[rows]
        for field in fields(evidence)
        if field.name not in ("offers", "moments", "drawn", "candidates")
    }
    return Court(replace(evidence, **parts), court.encoding)


@dataclass(frozen=True, slots=True)
class Found:
    """Of one market. picked, better: more conversions in 1,000 contacts with members whom the rule
    picks, and with as many of those it leaves out."""

    picked: float
    better: float
    converts: bool
    earns: bool
    few_say_nothing: bool


def measure(court: Court) -> Found:
    """Whether the reversal is found, in conversions and in money.

    Raises:
        TypeError: the court cannot say.
    """
    conversions, money = ruling(court, "conversions"), ruling(court, "margin")
    if not isinstance(conversions, Findings) or not isinstance(money, Findings):
        raise TypeError(f"the court cannot say of a whole market: {conversions}")
    return Found(
        picked=1000 * conversions.picked.conversions.mean,
        better=1000 * conversions.best_left_out.conversions.mean,
        converts=conversions.reversed,
        earns=money.reversed,
        few_say_nothing=isinstance(ruling(thinned(court, FEW), "margin"), CannotSay),
    )


def finds_nothing(court: Court) -> bool:
    """Whether nothing is shown: no gain by the rule, no reversal."""
    found = ruling(court, "margin")
    return isinstance(found, CannotSay) or not (found.reversed or found.picked.gain.low > 0)


def figures(quick: bool) -> Iterator[Figure]:
    """By seed what members convert more, then in how many markets the court was right."""
    seeds, members = (QUICK_SEEDS, QUICK_MEMBERS) if quick else (SEEDS, MEMBERS)
    found = []
    for seed in seeds:
        found.append(measure(prepared(MarketConfig(members, seed))))
        one = found[-1]
        yield Figure(
            f"rule_court_left_out_over_picked_seed_{seed}", one.better, one.picked,
            "more conversions in 1,000 contacts", one.better / one.picked, "found above 1",
            one.converts,
        )  # fmt: skip
    silent_ones = [
        finds_nothing(prepared(MarketConfig(min(members, WITHOUT_EFFECT), seed, effects_off=True)))
        for seed in seeds
    ]
    yield _count("rule_court_finds_reversal_in_conversions", [one.converts for one in found])
    yield _count("rule_court_finds_reversal_in_money", [one.earns for one in found])
    yield _count("rule_court_finds_nothing_without_effects", silent_ones)
    yield _count("rule_court_few_decisions_say_nothing", [one.few_say_nothing for one in found])


def _count(name: str, right: list[bool]) -> Figure:
    ours, every = float(sum(right)), float(len(right))
    return Figure(name, ours, every, "markets", ours / every, "all", ours == every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, 30,000 members")
    for figure in figures(parser.parse_args().quick):
        print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
