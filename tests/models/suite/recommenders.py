"""One small recommender of every kind, over the same members and items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import lightgbm
import numpy as np

from models.graph_filter import GraphFilter
from models.histories import Histories
from models.listing import Recommender
from models.plain import PersonalFrequency, Popularity
from models.recommender import AlsRecommender, load_recommender
from models.repeat import ITEM, MEMBER, NAMES, OWN, Habits, Near, RepeatModel
from models.trees import Trees

MEMBERS = tuple(f"m{number:03d}" for number in range(60))
ITEMS = tuple(f"i{number:02d}" for number in range(40))
MEMBER_IDS = np.array([name.encode() for name in MEMBERS])
ITEM_IDS = np.array([name.encode() for name in ITEMS])
POPULARITY = (np.arange(len(ITEMS)) % 7).astype(np.float32)


def histories() -> Histories:
    rng = np.random.default_rng(4)
    members = np.repeat(np.arange(len(MEMBERS)), 5)
    items = np.concatenate([rng.choice(len(ITEMS), 5, replace=False) for _ in MEMBERS])
    return Histories.of(len(MEMBERS), members, items, rng.integers(1, 5, len(items)).astype(float))


def als() -> AlsRecommender:
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(len(MEMBERS) + len(ITEMS), 33)).astype(np.float32)
    return AlsRecommender(
        MEMBER_IDS, ITEM_IDS, factors[: len(MEMBERS)], factors[len(MEMBERS) :], POPULARITY
    )


def graph_filter() -> GraphFilter:
    rng = np.random.default_rng(6)
    items = len(ITEMS)
    neighbours = np.array([rng.choice(items, 8, replace=False) for _ in ITEMS], dtype=np.int32)
    directions = np.linalg.qr(rng.normal(size=(items, 9)))[0].astype(np.float32)
    return GraphFilter(
        MEMBER_IDS,
        ITEM_IDS,
        histories(),
        neighbours,
        rng.random((items, 8)).astype(np.float32),
        directions,
        np.linspace(1, 0.1, 9, dtype=np.float32),
        rng.uniform(1, 9, items).astype(np.float32),
        POPULARITY,
    )


def popularity() -> Popularity:
    return Popularity(ITEM_IDS, POPULARITY)


def frequency() -> PersonalFrequency:
    return PersonalFrequency(MEMBER_IDS, ITEM_IDS, histories(), POPULARITY)


def repeat() -> RepeatModel:
    rng = np.random.default_rng(7)
    own = histories()
    items, members = len(ITEMS), len(MEMBERS)
    near = Near(
        np.array([rng.choice(items, 8, replace=False) for _ in ITEMS], dtype=np.int32),
        rng.random((items, 8)).astype(np.float32),
    )
    own_values = rng.uniform(0.1, 9, (len(own.items), len(OWN))).astype(np.float32)
    habits = Habits(
        MEMBER_IDS,
        ITEM_IDS,
        own,
        own_values,
        rng.uniform(1, 9, (members, len(MEMBER))).astype(np.float32),
        rng.uniform(0, 9, (items, len(ITEM))).astype(np.float32),
        near,
        near,
        POPULARITY,
    )
    return RepeatModel(habits, ranker())


@cache
def ranker() -> Trees:
    """Trees that like what was bought often and goes with the rest."""
    rng = np.random.default_rng(8)
    table = rng.random((400, len(NAMES))).astype(np.float32)
    liked = table[:, NAMES.index("orders")] + table[:, NAMES.index("near")] > 1
    settings = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1}
    data = lightgbm.Dataset(table, label=liked.astype(float))
    return Trees(lightgbm.train(settings, data, num_boost_round=10), NAMES)


MAKERS: Mapping[str, Callable[[], Recommender]] = {
    "als": als,
    "graph filter": graph_filter,
    "popularity": popularity,
    "frequency": frequency,
    "repeat": repeat,
}
LOADERS: Mapping[str, Callable[[Path], Recommender]] = {
    "als": load_recommender,
    "graph filter": load_recommender,
    "popularity": Popularity.load,
    "frequency": PersonalFrequency.load,
    "repeat": RepeatModel.load,
}
