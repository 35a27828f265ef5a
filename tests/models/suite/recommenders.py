"""One small recommender of every kind, over the same members and items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from models.graph_filter import GraphFilter
from models.histories import Histories
from models.listing import Recommender
from models.plain import PersonalFrequency, Popularity
from models.recommender import AlsRecommender, load_recommender

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


MAKERS: Mapping[str, Callable[[], Recommender]] = {
    "als": als,
    "graph filter": graph_filter,
    "popularity": popularity,
    "frequency": frequency,
}
LOADERS: Mapping[str, Callable[[Path], Recommender]] = {
    "als": load_recommender,
    "graph filter": load_recommender,
    "popularity": Popularity.load,
    "frequency": PersonalFrequency.load,
}
