"""Items beside an offer: the member's best within its scope."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from decisions.catalogue import Offer
from models.recommender import AlsRecommender
from serving.items import Shelf, load_shelf
from tests.models.suite.recommenders import ITEMS, MEMBERS, graph_filter

OFFERS = {
    "any": Offer("any", "content"),
    "hats": Offer("hats", "percent_off", 10, categories=("hats",)),
    "one": Offer("one", "percent_off", 10, item_ids=("boot", "cap")),
    "none": Offer("none", "percent_off", 10, categories=("boats",)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    AlsRecommender(
        np.array([b"ann"]),
        np.array([b"boot", b"cap", b"fez"]),
        np.array([[1.0]], dtype=np.float32),
        np.array([[1.0], [2.0], [3.0]], dtype=np.float32),
        np.array([3.0, 1.0, 2.0], dtype=np.float32),
    ).save(tmp_path / "recommender")
    (tmp_path / "items.json").write_text(
        json.dumps({"boot": "shoes", "cap": "hats", "fez": "hats"})
    )
    return tmp_path


def shelf_of(folder: Path) -> Shelf:
    shelf = load_shelf(folder, OFFERS)
    assert shelf is not None
    return shelf


def test_taste_orders_the_known_and_popularity_the_unknown(folder: Path) -> None:
    best = shelf_of(folder).best(["ann", "nobody"], "any", 2)
    assert best == [("fez", "cap"), ("boot", "fez")]


def test_only_items_in_the_scope_of_the_offer_are_named(folder: Path) -> None:
    shelf = shelf_of(folder)
    assert shelf.best(["ann", "nobody"], "hats", 5) == [("fez", "cap"), ("fez", "cap")]
    assert shelf.best(["ann", "nobody"], "one", 5) == [("cap", "boot"), ("boot", "cap")]
    assert shelf.best(["ann"], "none", 5) == [()]


def test_a_graph_filter_is_served_like_a_factorisation(tmp_path: Path) -> None:
    model = graph_filter()
    model.save(tmp_path / "recommender")
    shelf = load_shelf(tmp_path, {"one": Offer("one", "gift", item_ids=ITEMS[:5])})
    assert shelf is not None
    member = MEMBERS[0]
    (best,) = shelf.best([member], "one", 5)
    scores = model.item_scores([member], best)[0]
    assert set(best) == set(ITEMS[:5])
    assert list(scores) == sorted(scores, reverse=True)
    assert shelf.best(["nobody"], "any", 2)[0] == model.recommend(["nobody"], 2)[0].items


def test_without_a_recommender_there_is_no_shelf(tmp_path: Path) -> None:
    assert load_shelf(tmp_path, OFFERS) is None
