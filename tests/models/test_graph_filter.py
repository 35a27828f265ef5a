from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.errors import ModelError
from models.graph_filter import GraphFilter
from models.histories import Histories


def filter_of_two_tastes() -> GraphFilter:
    """Tea goes with milk and rum with ice; Ann had tea, Bob rum twice as often as bread."""
    return GraphFilter(
        np.array([b"ann", b"bob"]),
        np.array([b"bread", b"ice", b"milk", b"rum", b"tea"]),
        Histories(np.array([0, 1, 3]), np.array([4, 0, 3], np.int32), np.array([1, 1, 2], "f4")),
        np.array([[0, 0], [1, 3], [2, 4], [3, 1], [4, 2]], dtype=np.int32),
        np.array([[1, 0], [1, 0.5], [1, 0.5], [1, 0.5], [1, 0.5]], dtype=np.float32),
        np.eye(5, 2, dtype=np.float32),
        np.ones(2, dtype=np.float32),
        np.array([4, 1, 1, 1, 1], dtype=np.float32),
        np.array([9, 1, 2, 3, 4], dtype=np.float32),
        low_pass=0.3,
    )


def test_lists_what_goes_with_what_a_member_met() -> None:
    ann, bob = filter_of_two_tastes().recommend(["ann", "bob"], 2, {"ann": {"tea"}})
    assert (ann.items[0], ann.source) == ("milk", "graph")
    assert bob.items == ("rum", "bread")
    assert bob.scores == pytest.approx([2.0, 1.3])  # 1 of its neighbour, itself, and 0.3 broadly


def test_scores_are_the_two_filters_of_the_history() -> None:
    rng = np.random.default_rng(0)
    items, rank = 12, 4
    model = replace(
        filter_of_two_tastes(),
        item_ids=np.array([f"i{row:02d}".encode() for row in range(items)]),
        histories=Histories.of(
            2, np.array([0, 0, 1]), np.array([3, 5, 7]), np.array([1.0, 2.0, 0.5])
        ),
        neighbours=np.tile(np.arange(items, dtype=np.int32), (items, 1)),
        similarity=rng.random((items, items)).astype(np.float32),
        directions=rng.normal(size=(items, rank)).astype(np.float32),
        strengths=np.ones(rank, dtype=np.float32),
        degrees=rng.uniform(1, 5, items).astype(np.float32),
        popularity=np.zeros(items, dtype=np.float32),
    )
    history = np.zeros((2, items))
    history[0, [3, 5]], history[1, 7] = [1, 2], 0.5
    root = np.sqrt(model.degrees)
    low = (history / root) @ model.directions @ model.directions.T * root
    wanted = history @ model.similarity + 0.3 * low
    names = [item.decode() for item in model.item_ids]
    assert model.item_scores(["ann", "bob"], names) == pytest.approx(wanted, rel=1e-5)


def test_a_new_member_is_answered_like_one_of_the_same_history() -> None:
    model = filter_of_two_tastes()
    known = model.recommend(["bob"], 5)
    assert model.recommend_new([{"rum": 2.0, "bread": 1.0, "gin": 7.0}], 5) == known
    assert model.recommend_new([{"gin": 1.0}], 1)[0].source == "popularity"


def test_parts_that_do_not_fit_are_refused() -> None:
    model = filter_of_two_tastes()
    with pytest.raises(ModelError, match="parts of the graph filter"):
        replace(model, degrees=np.ones(3, dtype=np.float32))
    with pytest.raises(ModelError, match="degrees are to be above 0"):
        replace(model, degrees=np.zeros(5, dtype=np.float32))
    with pytest.raises(ModelError, match="not among the 5 items"):
        replace(model, neighbours=model.neighbours + 5)
    with pytest.raises(ModelError, match="name items that are not among"):
        replace(model, histories=Histories(
            np.array([0, 1, 2]), np.array([1, 9], np.int32), np.ones(2, "f4")
        ))  # fmt: skip
