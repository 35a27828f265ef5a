"""Train the recommender on what members looked at and bought, and measure it on a later period."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np

from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.tables import Tables, opened
from features.taste import remember_item_vectors
from features.workspace import Workspace
from models.graph_filter import GraphFilter
from models.recommender import KIND, AlsRecommender, load_recommender
from training.charts import Chart, Series
from training.cold_start import item_traits, with_cold_items
from training.errors import TrainingError
from training.evaluation.ranking import (
    MOST_MEASURED,
    Rivals,
    compare_lists,
    later_period,
    lists_chart,
)
from training.interactions import WEIGHTS, Interactions, interactions, plain_recommenders
from training.recommender_race import DEFAULT, PLACES, Choice, Race, race
from training.trained import (
    KNOWN_UNTIL,
    MEASURED_FROM,
    Account,
    Card,
    Trained,
    record,
    standing,
)

STAGE = "recommender"
CARD = Card(
    "Lists, for each member, items that the member has not bought yet and may want; within the "
    "scope of an offer, the items that a push names.",
    (
        "Scores compare items for one member: they are no probabilities.",
        "Not for what a member buys again and again: that is the model `repeat`.",
        "What was bought later shows interest, not what a push would change.",
        "Items that nobody met are placed by category and price; new members get what is popular.",
    ),
)


def train_recommender(
    workspace: Workspace,
    as_of: datetime,
    horizon_days: int = 30,
    seed: int = 0,
    progress: Progress = silent,
    *,
    promote: bool = True,
) -> Trained:
    """Choose, measure on the last ``horizon_days``, then fit on everything known at ``as_of``.

    Factorisation or graph filter, and their settings, are chosen on the ``horizon_days`` before
    those that measure. Unlike a propensity, a recommender only knows members and items that it was
    fitted on, so what is kept is fitted again, with the settings that were measured. What both
    learned about items is remembered for the view taste, each from its own moment on.

    Recall over items that are new to the member decides, where anyone bought such an item.

    Raises:
        TrainingError: no events with items before the split, or nobody bought an item after it.
    """
    if horizon_days < 1:
        raise TrainingError(f"horizon is {horizon_days} days, wanted 1 or more")
    as_of, horizon = in_utc(as_of), timedelta(days=horizon_days)
    split = as_of - horizon
    progress(STAGE, 0, 4)
    with opened(workspace) as tables:
        met = interactions(tables, split)
        later = later_period(tables, split, as_of).among(_members(met), MOST_MEASURED, seed)
        chosen = choose(tables, split, horizon, seed)
        progress(STAGE, 1, 4)
        measured = _fit(tables, split, chosen.winner, seed)
        popular, frequency = plain_recommenders(tables, split, met)
        old = standing(workspace, KIND, load_recommender, split)
        rivals = Rivals({"popularity": popular, "frequency": frequency}, old.model)
        comparisons = compare_lists(measured, rivals, later, ("explore", "all", "repeat"), PLACES)
        progress(STAGE, 2, 4)
        everything = interactions(tables, as_of, chosen.winner.half_life_days)
        model = _fit(tables, as_of, chosen.winner, seed)
    progress(STAGE, 3, 4)
    facts = {
        "data_window": f"until {as_of:%Y-%m-%d}, measured from {split:%Y-%m-%d}",
        "feature_service": "none: reads events",
        "dataset_digest": _digest(everything),
        KNOWN_UNTIL: split.isoformat(),
        MEASURED_FROM: split.isoformat(),
        **old.facts,
    }
    params = {
        **_settings(chosen),
        "seed": seed,
        "horizon_days": horizon_days,
        "members": len(everything.member_ids),
        "items": len(everything.item_ids),
        "cold_items": len(model.cold),
        "pairs": len(everything.weights),
        "measured_members": len(later.wanted),
    }
    figures = {"lists": lists_chart(comparisons), **_race_chart(chosen)}
    account = Account(comparisons, params, facts, figures, CARD, measured)
    trained = record(workspace, KIND, model, account, promote=promote)
    remember_item_vectors(workspace, split, measured.item_ids, measured.item_vectors)
    remember_item_vectors(workspace, as_of, model.item_ids, model.item_vectors)
    progress(STAGE, 4, 4)
    return trained


def choose(tables: Tables, split: datetime, horizon: timedelta, seed: int = 0) -> Race:
    """The better recommender and its settings, by the last ``horizon`` before ``split``.

    Where that period or the one before it is empty, nothing can be chosen by: the defaults.
    """
    earlier = split - horizon
    known: dict[float, Interactions] = {}

    def met(half_life_days: float) -> Interactions:
        if half_life_days not in known:
            known[half_life_days] = interactions(tables, earlier, half_life_days)
        return known[half_life_days]

    try:
        return race(met, later_period(tables, earlier, split), seed)
    except TrainingError:
        return DEFAULT


def _fit(
    tables: Tables, moment: datetime, choice: Choice, seed: int
) -> AlsRecommender | GraphFilter:
    """On what was known at ``moment``, with the items that nobody had met by then."""
    model = choice.fit(interactions(tables, moment, choice.half_life_days), seed)
    return with_cold_items(model, item_traits(tables, moment))


def _members(met: Interactions) -> set[str]:
    return {member.decode() for member in met.member_ids.tolist()}


def _settings(chosen: Race) -> Mapping[str, object]:
    return {
        "model": chosen.winner.kind,
        **asdict(chosen.winner.settings),
        "half_life_days": chosen.winner.half_life_days,
        **{f"weight_{name}": weight for name, weight in WEIGHTS.items()},
        "trials": len(chosen.trials),
    }


def _race_chart(chosen: Race) -> dict[str, Chart]:
    if not chosen.trials:
        return {}
    trials = sorted(chosen.trials, key=lambda trial: -trial.recall)
    names = [trial.choice.words for trial in trials]
    series = (Series("recall", names, [trial.recall for trial in trials], "bars"),)
    return {"trials": Chart("What was tried, on an earlier period", "", f"recall@{PLACES}", series)}


def _digest(met: Interactions) -> str:
    sha = hashlib.sha256()
    for ids in (met.member_ids, met.item_ids):
        sha.update(b"\n".join(ids.tolist()) + b"\n\n")
    for array in (met.members, met.items, met.weights):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
