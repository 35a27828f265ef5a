"""Train the repeat model: what the next order of each member will hold."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.tables import Tables, opened
from features.workspace import Workspace
from models.repeat import KIND, NAMES, Habits, RepeatModel
from models.trees import Trees
from training.charts import Chart, Series
from training.errors import TrainingError
from training.evaluation.ranking import (
    MOST_MEASURED,
    Rivals,
    compare_lists,
    later_period,
    lists_chart,
)
from training.habits import habits_of, lines_before
from training.interactions import interactions, next_orders, plain_recommenders
from training.trained import (
    KNOWN_UNTIL,
    MEASURED_FROM,
    Account,
    Card,
    Trained,
    record,
    standing,
)

STAGE = "repeat"
PLACES = 10
PERIODS = 4  # that the ranker learns from, each as long as the horizon, one before the other
MOST_LEARNED = 4_000  # members of one period; more are sampled
# Chosen on Online Retail before 2011-09; LambdaMART ranked as well and took three times as long.
SETTINGS: Mapping[str, object] = {
    "objective": "binary",
    "num_leaves": 31,
    "learning_rate": 0.05,
    "feature_fraction": 0.5,
    "lambda_l2": 10.0,
    "max_bin": 63,
}
ROUNDS = 200
CARD = Card(
    "What the next order of each member will hold: what they may be running out of, and what goes "
    "with it.",
    (
        "Scores compare items for one member: they are no probabilities.",
        "What is bought again would mostly be bought anyway: that is no reason to send a push.",
        "Ranked are items bought before, popular ones, and those bought with them; no others.",
        "Members that never bought get what is popular.",
    ),
)


def train_repeat(
    workspace: Workspace,
    as_of: datetime,
    horizon_days: int = 30,
    seed: int = 0,
    progress: Progress = silent,
    *,
    promote: bool = True,
) -> Trained:
    """Learn from earlier periods, measure on the last ``horizon_days``, then learn from that too.

    A period is told by each member's first order in it, the next basket. Recall over all items of
    it decides, beside personal frequency, which popularity completes, and popularity alone.

    Raises:
        TrainingError: no purchases with items, or too little history to learn and measure on.
    """
    if horizon_days < 1:
        raise TrainingError(f"horizon is {horizon_days} days, wanted 1 or more")
    as_of, horizon = in_utc(as_of), timedelta(days=horizon_days)
    split = as_of - horizon
    progress(STAGE, 0, PERIODS + 3)
    with opened(workspace) as tables:
        periods = _periods(tables, split, horizon, seed, progress)
        measured = RepeatModel(_habits(tables, split, horizon), fit_ranker(periods, seed))
        progress(STAGE, PERIODS + 1, PERIODS + 3)
        known = {member.decode() for member in measured.habits.member_ids.tolist()}
        later = later_period(tables, split, as_of, next_order=True)
        later = later.among(known, MOST_MEASURED, seed)
        met = interactions(tables, split)
        popular, frequency = plain_recommenders(tables, split, met)
        old = standing(workspace, KIND, RepeatModel.load, split)
        rivals = Rivals({"frequency": frequency, "popularity": popular}, old.model)
        comparisons = compare_lists(measured, rivals, later, ("all", "repeat", "explore"), PLACES)
        progress(STAGE, PERIODS + 2, PERIODS + 3)
        newest = learned_from(tables, split, horizon, seed)
        model = RepeatModel(
            _habits(tables, as_of, horizon), fit_ranker([newest, *periods][:PERIODS], seed)
        )
    params = {
        **SETTINGS,
        "rounds": ROUNDS,
        "seed": seed,
        "horizon_days": horizon_days,
        "periods": len(periods),
        "members": len(model.habits.member_ids),
        "items": len(model.item_ids),
        "measured_members": len(later.wanted),
    }
    facts = {
        "data_window": f"until {as_of:%Y-%m-%d}, measured from {split:%Y-%m-%d}",
        "feature_service": "none: reads events",
        "dataset_digest": _digest(model.habits),
        KNOWN_UNTIL: split.isoformat(),
        MEASURED_FROM: split.isoformat(),
        **old.facts,
    }
    figures = {"lists": lists_chart(comparisons), "gain": _gain_chart(measured.trees)}
    account = Account(comparisons, params, facts, figures, CARD, measured)
    trained = record(workspace, KIND, model, account, promote=promote)
    progress(STAGE, PERIODS + 3, PERIODS + 3)
    return trained


@dataclass(frozen=True, eq=False)
class Baskets:
    """Candidates of members who bought in a period, and which of them their next order held."""

    table: NDArray[np.float32]  # (n, models.repeat.NAMES)
    held: NDArray[np.bool_]  # (n,)


def learned_from(tables: Tables, start: datetime, horizon: timedelta, seed: int) -> Baskets:
    """What the period of ``horizon`` from ``start`` tells, with habits as known at ``start``.

    Raises:
        TrainingError: nothing was bought before ``start``.
    """
    end = start + horizon
    habits = _habits(tables, start, horizon)
    return baskets(habits, next_orders(tables, start, end, end), seed)


def baskets(habits: Habits, wanted: Mapping[str, Collection[str]], seed: int) -> Baskets:
    """Of members whose next order holds one of their candidates; others teach no ranking."""
    members = [
        (row, name)
        for row, name in enumerate(member.decode() for member in habits.member_ids.tolist())
        if name in wanted
    ]
    if len(members) > MOST_LEARNED:
        drawn = np.random.default_rng(seed).choice(len(members), MOST_LEARNED, replace=False)
        members = [members[place] for place in sorted(drawn)]
    names = np.array([item.decode() for item in habits.item_ids.tolist()], dtype=object)
    tables, held = [np.empty((0, len(NAMES)), np.float32)], [np.zeros(0, dtype=bool)]
    for row, name in members:
        rows, table = habits.candidates(row)
        found = np.array([item in wanted[name] for item in names[rows]], dtype=bool)
        if found.any():
            tables.append(table)
            held.append(found)
    return Baskets(np.concatenate(tables), np.concatenate(held))


def fit_ranker(periods: Sequence[Baskets], seed: int = 0) -> Trees:
    """Trees that rank the candidates of each member; the same input gives the same trees.

    Raises:
        TrainingError: no member's next order held a candidate.
    """
    import lightgbm

    table = np.concatenate([one.table for one in periods])
    if not len(table):
        raise TrainingError(
            "no member who bought before bought again within the horizon; "
            "a repeat model learns from orders that followed others"
        )
    parameters = {
        **SETTINGS,
        "min_data_in_leaf": int(np.clip(len(table) // 50, 5, 100)),
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "num_threads": 1 if len(table) < 100_000 else 0,
    }
    held = np.concatenate([one.held for one in periods]).astype(np.float64)
    data = lightgbm.Dataset(table, label=held)
    return Trees(lightgbm.train(parameters, data, num_boost_round=ROUNDS), NAMES)


def _periods(
    tables: Tables, end: datetime, horizon: timedelta, seed: int, progress: Progress
) -> list[Baskets]:
    """Up to ``PERIODS`` before ``end``, newest first, as far as the history goes."""
    found: list[Baskets] = []
    for number in range(1, PERIODS + 1):
        try:
            found.append(learned_from(tables, end - number * horizon, horizon, seed))
        except TrainingError:
            if not found:
                raise
            break
        progress(STAGE, number, PERIODS + 3)
    return found


def _habits(tables: Tables, moment: datetime, horizon: timedelta) -> Habits:
    return habits_of(lines_before(tables, moment), horizon.days)


def _gain_chart(trees: Trees) -> Chart:
    """What the trees read most."""
    gain = trees.booster.feature_importance("gain")
    order = np.argsort(-gain, kind="stable")
    names = [trees.names[row] for row in order]
    shares = [float(gain[row]) / max(float(gain.sum()), 1e-12) for row in order]
    series = (Series("gain", names, shares, "bars"),)
    return Chart("What the ranking reads", "", "share of the gain in splits", series)


def _digest(habits: Habits) -> str:
    sha = hashlib.sha256()
    for ids in (habits.member_ids, habits.item_ids):
        sha.update(b"\n".join(ids.tolist()) + b"\n\n")
    for array in (habits.own.starts, habits.own.items, habits.own_values):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
