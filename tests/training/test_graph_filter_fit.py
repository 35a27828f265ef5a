from __future__ import annotations

import numpy as np
import pytest

from tests.training.test_recommender import met_at_random
from training.graph_filter_fit import (
    GraphSettings,
    as_matrix,
    fit_graph_filter,
    leading_directions,
    nearest_items,
    normalised,
)


def test_is_the_published_filter_where_every_neighbour_is_kept() -> None:
    met = met_at_random(members=50, items=20, seed=1)
    model = fit_graph_filter(met, GraphSettings(rank=6, nearest=20, tilt=0))
    history = as_matrix(met, met.weights).toarray().astype(np.float64)
    degrees = history.sum(axis=0)
    normal = history / np.sqrt(history.sum(axis=1, keepdims=True)) / np.sqrt(degrees)
    leading = np.linalg.svd(normal)[2][:6].T
    low = (history / np.sqrt(degrees)) @ leading @ leading.T * np.sqrt(degrees)
    wanted = history @ normal.T @ normal + 0.3 * low
    names = [item.decode() for item in met.item_ids]
    members = [member.decode() for member in met.member_ids]
    assert model.item_scores(members, names) == pytest.approx(wanted, rel=1e-3, abs=1e-5)


def test_only_the_nearest_are_kept_nearest_first() -> None:
    met = met_at_random(members=80, items=30, seed=2)
    normal = normalised(as_matrix(met, met.weights))
    neighbours, similarity = nearest_items(normal, 4, np.ones(30))
    gram = (normal.T @ normal).toarray()
    assert neighbours.shape == similarity.shape == (30, 4)
    assert similarity == pytest.approx(-np.sort(-gram, axis=1)[:, :4], rel=1e-5)
    assert np.take_along_axis(gram, neighbours, axis=1) == pytest.approx(similarity, rel=1e-5)


def test_items_with_few_neighbours_are_filled_up_with_nothing() -> None:
    met = met_at_random(members=6, items=6, seed=3)
    alone = normalised(as_matrix(met, met.weights).multiply(np.eye(6)).tocsr())
    neighbours, similarity = nearest_items(alone, 3, np.ones(6))
    assert neighbours[:, 0].tolist() == list(range(6))
    assert similarity[:, 1:].tolist() == [[0, 0]] * 6


def test_many_items_have_the_directions_that_few_would(monkeypatch: pytest.MonkeyPatch) -> None:
    met = met_at_random(members=70, items=25, seed=4)
    normal = normalised(as_matrix(met, met.weights))
    at_once, strengths = leading_directions(normal, 3)
    monkeypatch.setattr("training.graph_filter_fit._FEW_ITEMS", 0)
    found, values = leading_directions(normal, 3)
    assert values == pytest.approx(strengths, rel=1e-3)
    assert np.abs((found * at_once).sum(axis=0)) == pytest.approx(np.ones(3), abs=1e-2)
