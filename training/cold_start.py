"""Items that nobody met yet: given the mean of what was learned of items like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.moments import newest
from features.tables import Tables
from models.graph_filter import GraphFilter
from models.histories import Histories
from models.recommender import AlsRecommender

BANDS = 3  # of price, within a category
FEWEST = 3  # learned items that a group needs; of fewer, the whole category stands for it

Groups = dict[tuple[str, int], list[int]]


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of an item before anyone meets it. price: NaN where it is not known."""

    category: str
    price: float


def item_traits(tables: Tables, as_of: datetime) -> dict[str, Traits]:
    """Of every item that has a category and is on sale at ``as_of``, by its newest version."""
    items = newest(tables.items, "item_id", as_of)
    moment = as_of
    listed = items.filter(
        items.category.notnull(),
        items.listed_at.isnull() | (items.listed_at <= moment),
        items.delisted_at.isnull() | (items.delisted_at > moment),
    )
    rows = listed.select("item_id", "category", price=listed.price.cast("float64")).to_pyarrow()
    return {
        row["item_id"]: Traits(
            row["category"], float("nan") if row["price"] is None else row["price"]
        )
        for row in rows.to_pylist()
    }


def with_cold_items(
    model: AlsRecommender | GraphFilter, traits: Mapping[str, Traits]
) -> AlsRecommender | GraphFilter:
    """``model``, able to list the items of ``traits`` that it never met.

    Such an item gets the mean vector of the learned items of its category and price band (thirds of
    the category's learned prices), or of its category where there are fewer than three such. A
    mean is shorter than what it is made of, so that among equally fitting items those that were
    met stand higher. An item of a category without learned items stays unknown.
    """
    learned = [item.decode() for item in model.item_ids.tolist()]
    place = {item: row for row, item in enumerate(learned)}
    groups, edges = _groups(traits, place)
    sources: dict[str, list[int]] = {}
    for item, trait in traits.items():
        if item in place or item.endswith("\0"):
            continue
        alike = groups.get((trait.category, _band(trait, edges)), [])
        if len(alike) < FEWEST:
            alike = groups.get((trait.category, -1), [])
        if alike:
            sources[item] = alike
    return _extended(model, sources) if sources else model


def _groups(
    traits: Mapping[str, Traits], place: Mapping[str, int]
) -> tuple[Groups, dict[str, NDArray[np.float64]]]:
    """Rows of learned items by category and band (−1: all of the category); the bands' edges."""
    known: dict[str, list[str]] = {}
    for item, trait in traits.items():
        if item in place:
            known.setdefault(trait.category, []).append(item)
    groups: Groups = {}
    edges: dict[str, NDArray[np.float64]] = {}
    for category, items in known.items():
        prices = np.array([traits[item].price for item in items])
        priced = prices[np.isfinite(prices)]
        if len(priced):
            edges[category] = np.quantile(priced, np.arange(1, BANDS) / BANDS)
        groups[category, -1] = [place[item] for item in items]
        for item in items:
            band = _band(traits[item], edges)
            if band >= 0:
                groups.setdefault((category, band), []).append(place[item])
    return groups, edges


def _band(trait: Traits, edges: Mapping[str, NDArray[np.float64]]) -> int:
    """From 0, the cheapest, up; −1 where the price says nothing."""
    if not np.isfinite(trait.price) or trait.category not in edges:
        return -1
    return int(np.searchsorted(edges[trait.category], trait.price, side="left"))


def _extended(
    model: AlsRecommender | GraphFilter, sources: Mapping[str, list[int]]
) -> AlsRecommender | GraphFilter:
    """Every array of items with the new ones put in, in order of id."""
    fresh = sorted(sources, key=lambda item: item.encode())
    names = np.array([item.encode() for item in fresh], dtype=np.bytes_)
    width = f"S{max(model.item_ids.dtype.itemsize, names.dtype.itemsize)}"
    ids = np.concatenate([model.item_ids.astype(width), names.astype(width)])
    order = np.argsort(ids, kind="stable")
    moved = np.empty(len(ids), dtype=np.int64)  # where each old row, then each new one, ends up
    moved[order] = np.arange(len(ids))
    old = len(model.item_ids)
    cold = np.sort(np.concatenate([moved[model.cold], moved[old:]]))

    def put(learned: NDArray[Any], added: NDArray[Any]) -> NDArray[Any]:
        joined = np.concatenate([learned, added.astype(learned.dtype)])
        return np.ascontiguousarray(joined[order])

    def mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        means = [vectors[sources[item]].mean(axis=0) for item in fresh]
        return np.array(means, dtype=np.float32)

    nothing = np.zeros(len(fresh), dtype=np.float32)
    popularity = put(model.popularity, nothing)
    if isinstance(model, AlsRecommender):
        factors = put(model.item_factors, mean(model.item_factors))
        return replace(
            model, item_ids=ids[order], item_factors=factors, popularity=popularity, cold=cold
        )
    root = np.sqrt(model.degrees)
    degrees = mean(model.degrees)
    # The low pass gives an item √degree × its direction: that product is what is averaged.
    directions = mean(model.directions * root[:, None]) / np.sqrt(degrees)[:, None]
    none = np.zeros((len(fresh), model.neighbours.shape[1]), dtype=np.float32)
    return replace(
        model,
        item_ids=ids[order],
        histories=Histories(
            model.histories.starts,
            moved[model.histories.items].astype(np.int32),
            model.histories.weights,
        ),
        neighbours=put(moved[model.neighbours].astype(np.int32), none),
        similarity=put(model.similarity, none),
        directions=put(model.directions, directions),
        degrees=put(model.degrees, degrees),
        popularity=popularity,
        cold=cold,
    )
