"""One reader over two places: the same numbers from both, and nothing not to be believed."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DatabaseError

from features.build import build_features
from features.encoding import Encoding
from features.fresh import SKEW
from features.online_reader import OLDEST, Limits, MemberRows, SnapshotReader, agreed
from features.record import BuildRecord
from features.snapshot import Snapshot
from features.store import MEMBER_SERVICE, StoreError, export_snapshot, materialize
from features.store.member_reader import FeastReader, member_reader
from features.store.repo import opened, opened_for_reading, views_by_service
from features.workspace import Workspace
from tests.features.given import AS_OF, ago
from tests.features.registry import broken_registry
from tests.features.rich_shop import rich_shop
from tests.online_stores import STORES, redis_url

BEFORE = ago(20)
NOW = AS_OF + timedelta(hours=1)
TICK = timedelta(microseconds=1)
ASKED = ("日本", "m01", "nobody", "zoë", "m01")


# The guards, without a store.

moments = st.sampled_from(
    [None, BEFORE, AS_OF, NOW + SKEW, NOW + SKEW + TICK, NOW - OLDEST, NOW - OLDEST - TICK]
)


@given(st.lists(moments, min_size=1, max_size=5), st.sampled_from([None, BEFORE, AS_OF]))
def test_a_row_is_believed_whole_of_one_build_or_not_at_all(
    parts: list[datetime | None], not_before: datetime | None
) -> None:
    found = agreed(parts, Limits(not_before=not_before), NOW)
    if found is None:
        assert len(set(parts)) > 1 or not fits(parts[0], not_before)
    else:
        assert set(parts) == {found}
        assert fits(found, not_before)


def fits(moment: datetime | None, not_before: datetime | None) -> bool:
    if moment is None or (not_before is not None and moment < not_before):
        return False
    return NOW - OLDEST <= moment <= NOW + SKEW


def test_a_snapshot_that_is_too_old_knows_nobody() -> None:
    ids = np.array([b"anna"], dtype=np.bytes_)
    values = np.ones((1, 1), dtype=np.float32)
    reader = SnapshotReader(Snapshot(AS_OF, Encoding(("a",), {}), ids, values))
    assert reader.read(["anna", "ben"], NOW).known.tolist() == [True, False]
    late = reader.read(["anna"], AS_OF + OLDEST + TICK)
    assert (late.known.tolist(), late.at) == ([False], (None,))
    assert np.isnan(late.values).all()


# Both adapters over one built workspace.


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = rich_shop(Workspace(tmp_path_factory.mktemp("shop")))
    build_features(workspace, [BEFORE, AS_OF])
    return workspace


@pytest.fixture(scope="module")
def snapshots(shop: Workspace) -> dict[datetime, Snapshot]:
    return {as_of: export_snapshot(shop, as_of) for as_of in (BEFORE, AS_OF)}


@contextmanager
def stocked(shop: Workspace, kind: str, folder: Path, as_of: datetime) -> Iterator[Workspace]:
    """The shop with a registry and an online store of its own, at one build."""
    own = folder / "shop"
    own.mkdir()
    for name in ("tables", "features", "item_vectors", "buying"):
        (own / name).symlink_to(shop.root / name)
    with redis_url(kind, folder) as url:
        workspace = replace(shop, root=own, redis_url=url)
        materialize(workspace, as_of)
        yield workspace


@pytest.fixture(scope="module", params=STORES)
def ready(
    request: pytest.FixtureRequest, shop: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    with stocked(shop, request.param, tmp_path_factory.mktemp("ready"), AS_OF) as workspace:
        yield workspace


@pytest.fixture(params=STORES)
def older(request: pytest.FixtureRequest, shop: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """A store for one test alone, at the older build."""
    with stocked(shop, request.param, tmp_path, BEFORE) as workspace:
        yield workspace


def bring(workspace: Workspace, as_of: datetime, views: list[str]) -> None:
    """What Feast does by itself, with none of our guards."""
    with opened(workspace) as store, redirect_stdout(io.StringIO()):
        store.materialize(as_of - TICK, as_of, feature_views=views)


def member_views(workspace: Workspace) -> list[str]:
    return views_by_service(BuildRecord.load(workspace))[MEMBER_SERVICE]


def same(one: MemberRows, other: MemberRows) -> None:
    np.testing.assert_array_equal(one.values, other.values)
    assert one.known.tolist() == other.known.tolist()
    assert one.at == other.at


@pytest.mark.slow
def test_both_readers_give_the_same_of_everybody(
    ready: Workspace, snapshots: dict[datetime, Snapshot]
) -> None:
    snapshot = snapshots[AS_OF]
    everybody = [*ASKED, *(name.decode() for name in snapshot.member_ids)]
    packed = SnapshotReader(snapshot)
    with member_reader(ready, snapshot.encoding) as feast:
        assert feast.encoding == packed.encoding
        for now in (NOW, AS_OF - SKEW, AS_OF - SKEW - TICK, AS_OF + OLDEST + TICK):
            same(feast.read(everybody, now), packed.read(everybody, now))
        found = feast.read(ASKED, NOW)
        same(feast.read([], NOW), packed.read([], NOW))
    assert found.known.tolist() == [True, True, False, True, True]
    assert found.at == (AS_OF, AS_OF, None, AS_OF, AS_OF)


@pytest.mark.slow
def test_features_are_chosen_and_coded_by_the_release(
    ready: Workspace, snapshots: dict[datetime, Snapshot]
) -> None:
    full = snapshots[AS_OF].encoding
    names = ("lifecycle", "recency_days", "income")
    stages = tuple(reversed(full.categories["lifecycle"]))[:2]
    with member_reader(ready, Encoding(names, {"lifecycle": stages})) as few:
        found = few.read(ASKED, NOW).values
    rows = snapshots[AS_OF].rows(ASKED)
    wanted = snapshots[AS_OF].take(rows)[:, full.columns(names)]
    np.testing.assert_array_equal(found[:, 1:], wanted[:, 1:])
    assert set(found[~np.isnan(found[:, 0]), 0].tolist()) <= {0.0, 1.0}
    with (
        pytest.raises(StoreError, match="has no feature 'shoe_size'"),
        member_reader(ready, Encoding(("shoe_size",), {})),
    ):
        pass


@pytest.mark.slow
def test_an_older_build_does_not_replace_a_newer_one(
    older: Workspace, snapshots: dict[datetime, Snapshot]
) -> None:
    encoding = snapshots[AS_OF].encoding
    materialize(older, AS_OF)
    with pytest.raises(StoreError, match=r"holds the features of 2026-\S+, newer than"):
        materialize(older, BEFORE)
    bring(older, BEFORE, member_views(older))  # SQLite takes it, Redis does not
    with member_reader(older, encoding, Limits(not_before=AS_OF)) as feast:
        found = feast.read(["m01"], NOW)
    if older.redis_url is None:
        assert found.at == (None,)
        assert np.isnan(found.values).all()
    else:
        same(found, SnapshotReader(snapshots[AS_OF]).read(["m01"], NOW))


@pytest.mark.slow
def test_half_a_build_is_not_believed(
    older: Workspace, snapshots: dict[datetime, Snapshot]
) -> None:
    encoding, views = snapshots[AS_OF].encoding, member_views(older)
    with member_reader(older, encoding) as feast:
        same(feast.read(ASKED, NOW), SnapshotReader(snapshots[BEFORE]).read(ASKED, NOW))
        bring(older, AS_OF, views[:1])
        assert not feast.read(ASKED, NOW).known.any()
        bring(older, AS_OF, views[1:])
        same(feast.read(ASKED, NOW), SnapshotReader(snapshots[AS_OF]).read(ASKED, NOW))


@pytest.mark.slow
def test_no_row_is_torn_while_a_build_is_brought_online(
    older: Workspace, snapshots: dict[datetime, Snapshot]
) -> None:
    members = [name.decode() for name in snapshots[AS_OF].member_ids]
    of_build = {as_of: SnapshotReader(one).read(members, NOW) for as_of, one in snapshots.items()}
    thread = threading.Thread(target=materialize, args=(older, AS_OF))
    seen: set[datetime | None] = set()
    with member_reader(older, snapshots[AS_OF].encoding) as feast:
        thread.start()
        while AS_OF not in seen:
            found = feast.read(members, NOW)
            for row, at in enumerate(found.at):
                if at is not None:
                    np.testing.assert_array_equal(found.values[row], of_build[at].values[row])
            seen |= set(found.at)
        thread.join()
        same(feast.read(members, NOW), of_build[AS_OF])
    assert {BEFORE, AS_OF} <= seen


@pytest.mark.slow
def test_the_registry_is_read_once(ready: Workspace, snapshots: dict[datetime, Snapshot]) -> None:
    snapshot = snapshots[AS_OF]
    with opened_for_reading(ready) as store:
        service = store.get_feature_service(MEMBER_SERVICE)
        feast = FeastReader(store, service, snapshot.encoding, Limits())
        with broken_registry(ready, store) as statements:
            found = feast.read(ASKED, NOW)
            assert statements == []
            with pytest.raises(DatabaseError):
                store.registry.get_feature_service(MEMBER_SERVICE, store.project)
    assert statements, "what asks the registry is heard"
    same(found, SnapshotReader(snapshot).read(ASKED, NOW))


def test_without_a_store_the_way_to_one_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match="no feature store is in"),
        member_reader(Workspace(tmp_path), Encoding((), {})),
    ):
        pass
