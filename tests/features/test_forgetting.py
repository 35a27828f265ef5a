"""Members leave tables, built features, online store and fresh state; the others stay."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.build import build_features
from features.contract import TABLES
from features.forgetting.tables import forget_rows, member_rows
from features.fresh import FreshRow, MemberState
from features.fresh_state import FreshState, forget_states
from features.ingest.load import ingest_rows
from features.inputs import Inputs
from features.record import BuildRecord
from features.store import apply, materialize, online_row
from features.store.forget import forget_online
from features.store.fresh import online_fresh
from features.tables import table_files
from features.workspace import Workspace
from tests.features.given import AS_OF
from tests.features.rich_shop import rich_shop
from tests.online_stores import STORES, redis_url

GONE = ("m03", "m17", "zoë", "o'neill")


def rows(workspace: Workspace, table: str) -> pd.DataFrame:
    parts = [pq.read_table(path).to_pandas() for path in table_files(workspace, table)]
    whole: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return whole


def built(workspace: Workspace) -> dict[str, pd.DataFrame]:
    files = sorted(workspace.features.glob("*/*.parquet"))
    return {path.parent.name: pq.read_table(path).to_pandas() for path in files}


def without(frame: pd.DataFrame) -> pd.DataFrame:
    if "member_id" not in frame:
        return frame
    kept: pd.DataFrame = frame[~frame["member_id"].isin(GONE)].reset_index(drop=True)
    return kept


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Built, with rows in quarantine; to be copied."""
    made = rich_shop(Workspace(tmp_path_factory.mktemp("shop")))
    bad = [{"event_id": f"bad {who}", "member_id": who, "type": "x"} for who in (*GONE, "m04")]
    ingest_rows(made, "events", bad, "bad rows")
    build_features(made, [AS_OF])
    return made


@pytest.fixture
def workspace(shop: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(shop.root, tmp_path / "workspace")  # with the times of the files
    return replace(shop, root=tmp_path / "workspace")


@pytest.mark.slow
def test_members_leave_every_file_and_the_others_stay_as_they_were(workspace: Workspace) -> None:
    tables = {name: rows(workspace, name) for name in ("members", "events", "decisions")}
    views = built(workspace)

    removed = forget_rows(workspace, GONE)

    assert removed["quarantine"] == len(GONE)
    for name, before in tables.items():
        pd.testing.assert_frame_equal(rows(workspace, name), without(before))
        assert removed[f"tables/{name}"] == before["member_id"].isin(GONE).sum() > 0
    for view, before in views.items():
        pd.testing.assert_frame_equal(built(workspace)[view], without(before))
    assert set(build_features(workspace, [AS_OF]).unchanged) == {AS_OF}
    decided = tables["decisions"]
    theirs = set(decided["decision_id"][decided["member_id"].isin(GONE)])
    assert theirs.isdisjoint(rows(workspace, "outcomes")["decision_id"].dropna())
    assert not any(dict(member_rows(workspace, who)) for who in GONE)
    assert sum(forget_rows(workspace, GONE).values()) == 0


@pytest.mark.slow
def test_a_build_that_was_stale_stays_stale(workspace: Workspace) -> None:
    late = {"event_id": "late", "member_id": "m05", "type": "view", "item_id": "i1"}
    ingest_rows(workspace, "events", [{**late, "occurred_at": "2026-04-30T10:00:00Z"}], "late")
    forget_rows(workspace, GONE)
    record = BuildRecord.load(workspace)
    assert record.moments[AS_OF].inputs != Inputs.of(workspace).digest(AS_OF)
    assert record.moments[AS_OF].rows["purchases"] == len(built(workspace)["purchases"])


def test_everything_about_a_member_is_shown_as_json_has_it(shop: Workspace) -> None:
    found = dict(member_rows(shop, "m03"))
    assert set(found) >= {"tables/members", "tables/events", "tables/decisions"}
    assert all(row["member_id"] == "m03" for row in found["tables/events"])
    assert any(place.startswith("features/purchases/") for place in found)
    json.dumps(found, allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("store", STORES)
def test_members_leave_the_online_store(store: str, workspace: Workspace, tmp_path: Path) -> None:
    with redis_url(store, tmp_path) as url:
        workspace = replace(workspace, redis_url=url)
        apply(workspace)
        materialize(workspace, AS_OF)
        people = [*GONE, "m04"]
        with online_fresh(workspace) as fresh:
            fresh.push({one: FreshRow(last_seen_at=AS_OF) for one in people}, AS_OF)
            fresh.alive(AS_OF)
        before = online_row(workspace, "member", "m04")
        assert forget_online(workspace, GONE) > 0
        after = online_row(workspace, "member", "m04")
        pd.testing.assert_series_equal(pd.Series(after), pd.Series(before))
        for one in GONE:
            gone = pd.Series(online_row(workspace, "member", one))
            assert gone.isna().all()
        with online_fresh(workspace) as fresh:
            found = fresh.read(people, AS_OF)
        assert [one for one in people if any(found[one].values.values())] == ["m04"]
        assert forget_online(workspace, GONE) == 0


def test_fresh_states_go_with_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "fresh.db"
    people = [f"member-{number:04d}" for number in range(2_000)]
    with closing(FreshState(path)) as state:
        state.keep({one: MemberState(seen=AS_OF) for one in people}, {"events": 7}, AS_OF)
        assert forget_states(path, people[::3]) == len(people[::3])
        assert set(state.members(people)) == set(people) - set(people[::3])
        assert state.mark("events") == 7
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert [one for one in people[::3] if one.encode() in content] == []


def test_tables_are_all_thought_of() -> None:
    named = {name for name, table in TABLES.items() if "member_id" in table.names}
    assert named == {"members", "events", "decisions", "outcomes"}
