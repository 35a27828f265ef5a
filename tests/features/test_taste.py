"""What members like, in the recommender's own dimensions."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.engine import start
from features.errors import FeatureError
from features.taste import (
    NAMES,
    item_interest,
    item_vectors,
    known_vectors,
    remember_item_vectors,
    taste,
    vector_files,
)
from features.workspace import Workspace
from tests.features.given import AS_OF, Given, Row, ago, events, found

ITEMS = np.array([f"i{number:02d}".encode() for number in range(30)], dtype=np.bytes_)
RNG = np.random.default_rng(5)
FACTORS = (RNG.normal(size=(30, 12)) * np.linspace(3, 0.5, 12)).astype(np.float32)


def known(workspace: Workspace, as_of: datetime = AS_OF) -> pd.DataFrame:
    engine = start(workspace)
    try:
        shown = found(known_vectors(item_vectors(workspace, engine), as_of), "item_id")
    finally:
        engine.close()
    return shown.sort_index()


def view(given: Given, *done: Row) -> pd.DataFrame:
    tables = given.tables(
        events=events(*done), members=[{"member_id": "anna"}, {"member_id": "ben"}]
    )
    vectors = known_vectors(item_vectors(given.workspace, tables.engine), AS_OF)
    everyone = tables.members.select("member_id")
    return found(taste(everyone, item_interest(tables.events, AS_OF), vectors))


def turned(factors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The same model, its space turned and mirrored as another training might."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(factors.shape[1],) * 2))
    return np.asarray(factors @ turn, dtype=np.float32)


def touch(item: str, days: float, kind: str = "view", member: str = "anna") -> Row:
    return {"member_id": member, "type": kind, "item_id": item, "occurred_at": ago(days)}


def test_taste_is_the_mean_of_the_items_touched_by_faded_weight(given: Given) -> None:
    remember_item_vectors(given.workspace, AS_OF, ITEMS, FACTORS)
    vectors = known(given.workspace)
    shown = view(
        given,
        touch("i00", 30.9),
        touch("i01", 0.5, "purchase"),
        touch("i01", 60.2, "add_to_cart"),
        touch("i02", 1, "refund"),
        touch("unheard of", 1),
    )
    weights = np.array([0.5, 5 + 3 / 4])
    wanted = weights @ vectors.loc[["i00", "i01"]].to_numpy() / weights.sum()
    np.testing.assert_allclose(shown.loc["anna"].to_numpy(dtype=float), wanted, atol=1e-6)


def test_who_touched_no_item_with_a_vector_has_no_taste(given: Given) -> None:
    remember_item_vectors(given.workspace, AS_OF, ITEMS, FACTORS)
    assert view(given, touch("unheard of", 1)).isna().all(axis=None)


def test_without_a_recommender_nobody_has_a_taste(given: Given) -> None:
    shown = view(given, touch("i00", 1))
    assert list(shown.columns) == list(NAMES)
    assert shown.isna().all(axis=None)


def test_events_that_arrive_later_are_not_in_it(given: Given) -> None:
    remember_item_vectors(given.workspace, AS_OF, ITEMS, FACTORS)
    late: Row = {**touch("i01", 2), "received_at": ago(0)}
    shown = view(given, touch("i00", 1), late)
    wanted = known(given.workspace).loc["i00"].to_numpy()
    np.testing.assert_allclose(shown.loc["anna"].to_numpy(dtype=float), wanted, atol=1e-9)


def test_a_version_is_seen_from_its_moment_on_until_a_newer_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    remember_item_vectors(workspace, ago(10), ITEMS[:20], FACTORS[:20])
    early = known(workspace)
    remember_item_vectors(workspace, ago(5), ITEMS, FACTORS)
    assert known(workspace, ago(10.1)).empty
    pd.testing.assert_frame_equal(known(workspace, ago(10)), early)
    pd.testing.assert_frame_equal(known(workspace, ago(5.1)), early)
    assert len(known(workspace, ago(5))) == 30


def test_eight_directions_keep_the_products_of_items_where_there_are_no_more(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path)
    flat = FACTORS[:, :8]
    remember_item_vectors(workspace, AS_OF, ITEMS, flat)
    vectors = known(workspace).to_numpy()
    assert (vectors**2).sum() / len(vectors) == pytest.approx(1, abs=1e-5)
    scale = (flat**2).sum() / len(flat)
    np.testing.assert_allclose(vectors @ vectors.T, flat @ flat.T / scale, atol=1e-5)


def test_fewer_factors_leave_zeros(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    remember_item_vectors(workspace, AS_OF, ITEMS[:2], FACTORS[:2, :1])
    shown = known(workspace)
    assert (shown[list(NAMES[1:])] == 0).all(axis=None)
    assert (shown["taste_1"] != 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_columns_keep_their_meaning_when_the_space_turns(tmp_path: Path, seed: int) -> None:
    workspace = Workspace(tmp_path)
    remember_item_vectors(workspace, ago(30), ITEMS[:25], FACTORS[:25])
    before = known(workspace)
    noise = np.random.default_rng(seed).normal(scale=0.02, size=FACTORS.shape)
    remember_item_vectors(
        workspace, ago(1), ITEMS, turned(FACTORS + noise.astype(np.float32), seed)
    )
    after = known(workspace)
    assert len(after) == 30
    shared = after.loc[before.index]
    similar = [np.corrcoef(before[name], shared[name])[0, 1] for name in NAMES]
    assert min(similar) > 0.9


def test_an_earlier_training_made_later_takes_the_axes_and_changes_no_other(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path)
    remember_item_vectors(workspace, ago(1), ITEMS, FACTORS)
    now = known(workspace)
    remember_item_vectors(workspace, ago(30), ITEMS, turned(FACTORS, 9))
    pd.testing.assert_frame_equal(known(workspace), now)
    np.testing.assert_allclose(known(workspace, ago(10)), now, atol=1e-4)


def test_the_same_training_again_writes_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    remember_item_vectors(workspace, ago(1), ITEMS, FACTORS)
    (file,) = vector_files(workspace)
    before = file.stat().st_mtime_ns
    remember_item_vectors(workspace, ago(1), ITEMS, FACTORS)
    assert vector_files(workspace) == [file]
    assert file.stat().st_mtime_ns == before
    remember_item_vectors(workspace, ago(1), ITEMS[:9], FACTORS[:9])
    assert len(known(workspace)) == 9


@pytest.mark.parametrize("factors", [FACTORS[:3], FACTORS[:, 0], np.full_like(FACTORS, np.nan)])
def test_factors_that_do_not_fit_are_refused(tmp_path: Path, factors: NDArray[np.float32]) -> None:
    with pytest.raises(FeatureError, match="for 30 items; wanted one row of finite numbers"):
        remember_item_vectors(Workspace(tmp_path), AS_OF, ITEMS, factors)
