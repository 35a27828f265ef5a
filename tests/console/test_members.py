"""A hundred of a thousand members are erased: no file holds one, and the others stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from console import erasure
from console.main import application
from console.release import build_release, publish_release
from decisions.frontier import frontier
from features.build import build_features
from features.fresh import FreshRow, MemberState
from features.fresh_state import FreshState
from features.ingest.load import ingest, ingest_rows
from features.progress import silent
from features.snapshot import Snapshot
from features.sqlite_scrub import ScrubError
from features.store import export_snapshot, materialize
from features.store.fresh import online_fresh
from features.tables import table_files
from features.workspace import Workspace
from models.calibration import Platt
from models.forget import named_models
from models.histories import Histories
from models.keys import PUBLIC, trusted_keys
from models.plain import PersonalFrequency
from models.propensity import Propensity
from models.recommender import AlsRecommender
from models.trees import Trees
from serving import tables
from serving.app import create_app
from serving.audience_folder import write_folder
from serving.audiences import Audiences, Wanted
from serving.auth import Access, Keys, NewKey
from serving.erasures import Erasures
from serving.log import Log
from serving.parts import Parts
from serving.planning import plan_for_all
from serving.pointer import current, history
from serving.redaction import successor
from serving.release import Release, load_release
from serving.telemetry import Telemetry
from tests.console.byte_scan import found_in
from training.forget import TAG
from training.market.config import Market, MarketConfig
from training.market.make import make_market
from training.tracking import promote, register, tracked, versions

MEMBERS = tuple(f"m{number:07d}" for number in range(1_000))
GONE = frozenset(MEMBERS[6::10])
STAY = tuple(one for one in MEMBERS if one not in GONE)
HEADER = "event_id,member_id,type,occurred_at\n"


@dataclass(frozen=True)
class Served:
    release: Release


@dataclass(frozen=True)
class Full:
    """A workspace with everything that can hold a member."""

    workspace: Workspace
    market: Market
    decisions: dict[str, Any]

    def command(self, *arguments: str) -> Result:
        options = ["--workspace", str(self.workspace.root)]
        return CliRunner().invoke(application(), [*arguments, *options])

    @property
    def release(self) -> Release:
        name = current(self.workspace.releases)
        assert name is not None
        trusted = trusted_keys(self.workspace.keys / PUBLIC)
        return load_release(self.workspace.releases / name, trusted)


def kept(workspace: Workspace, name: str, model: Any, folder: Path) -> None:
    with tracked(workspace, name, "made for a test") as run:
        model.save(folder / name)
        version = register(workspace, name, run, run.folder(folder / name))
    promote(workspace, name, version)


def train(workspace: Workspace, snapshot: Snapshot, folder: Path) -> None:
    """Models that know members as trained ones do, without the minutes of training."""
    names = ("recency_days", "orders_life")
    values = snapshot.values[:, list(snapshot.encoding.columns(names))]
    booster = lightgbm.train(
        {"objective": "binary", "num_threads": 1, "verbose": -1},
        lightgbm.Dataset(values, np.nan_to_num(values[:, 0], nan=1e9) < 60),
        num_boost_round=3,
    )
    kept(workspace, "propensity", Propensity(Trees(booster, names), 30, Platt(1.0, 0.0)), folder)
    rng, items = np.random.default_rng(1), np.array(sorted(b"i%d" % n for n in range(9)))
    ids = snapshot.member_ids
    factors = rng.normal(size=(len(ids) + 9, 4)).astype(np.float32)
    popular = rng.random(9).astype(np.float32)
    als = AlsRecommender(ids, items, factors[: len(ids)], factors[len(ids) :], popular)
    kept(workspace, "recommender", als, folder)
    pairs = np.unique(rng.integers(0, [len(ids), 9], size=(2_000, 2)), axis=0)
    counts = Histories.of(len(ids), pairs[:, 0], pairs[:, 1], rng.random(len(pairs)) + 1)
    kept(workspace, "frequency", PersonalFrequency(ids, items, counts, popular), folder)


def serve(workspace: Workspace, release: Release, push_id: str) -> dict[str, Any]:
    """Decide, take events and outcomes in, and plan an audience; what was decided, by member."""
    with Log.of(workspace) as log:
        key = Keys(log).create(NewKey("live", ("admin",)), datetime.now(UTC))
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "once"}
        parts = Parts(
            Served(release), log, Access(log, "live"), Telemetry(), workspace.audiences,
            vector_sample=1.0, deadline=60.0,
        )  # fmt: skip
        with TestClient(create_app(parts), headers=headers) as client:
            asked = {"push_id": push_id, "members": [{"member_id": one} for one in MEMBERS]}
            made = client.post("/v1/decisions", json=asked).json()["decisions"]
            del client.headers["Idempotency-Key"]
            at = "2026-05-18T10:00:00Z"
            events = [
                {"event_id": f"new-{n}", "member_id": one, "type": "view", "occurred_at": at}
                for n, one in enumerate(MEMBERS[:600])
            ]
            assert client.post("/v1/events", json={"events": events}).json()["accepted"] == 600
            outcomes = [
                {"event_id": f"out-{n}", "decision_id": one["decision_id"], "type": "sent",
                 "occurred_at": at}
                for n, one in enumerate(made[:300])
            ]  # fmt: skip
            client.post("/v1/outcomes", json={"outcomes": outcomes})
        keep_shadows(log, made)
        audience(workspace, log, release, push_id)
    return {one["member_id"]: one for one in made}


def keep_shadows(log: Log, made: list[dict[str, Any]]) -> None:
    """What a shadow arm would have decided of everybody."""
    rows = [
        {
            "decision_id": one["decision_id"], "experiment_id": "x", "member_id": one["member_id"],
            "arm": "new", "release": "r2", "offer_id": None, "probability": 1.0,
            "expected_gain": None, "answer": json.dumps(one),
        }
        for one in made
    ]  # fmt: skip
    log.write(lambda connection: connection.execute(tables.shadows.insert(), rows).rowcount)


def audience(workspace: Workspace, log: Log, release: Release, push_id: str) -> None:
    audiences, now = Audiences(log), datetime.now(UTC)
    job = audiences.ask(Wanted(push_id), release.versions.release, now)
    audiences.claim(None, "w", now)
    planned = plan_for_all(release, release.pushes[push_id], log)
    traced = frontier(planned.problem, release.estimator.reliability, points=3)
    folder = workspace.audiences / job.audience_id
    write_folder(folder, planned.problem.ask, planned.plan, traced)
    audiences.finish("w", {}, lambda: None, now)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Full:
    root = tmp_path_factory.mktemp("erasure")
    market = make_market(root / "market", MarketConfig(members=1_000, seed=5))
    workspace, as_of = Workspace(root / "workspace"), market.config.history_end
    for table, files in market.tables.items():
        ingest(workspace, table, list(files))
    bad = root / "bad.csv"
    bad.write_text(HEADER + "".join(f"bad-{one},{one},sold,yesterday\n" for one in MEMBERS[::2]))
    ingest(workspace, "events", [bad])
    conflict = {"event_id": "e0000000000", "member_id": MEMBERS[6], "type": "view"}
    ingest_rows(workspace, "events", [{**conflict, "occurred_at": "2020-01-01T00:00:00Z"}], "again")
    build_features(workspace, [as_of])
    materialize(workspace, as_of)
    train(workspace, export_snapshot(workspace, as_of), root)
    publish_release(workspace, build_release(workspace, as_of, [], silent).release_id)
    release = Full(workspace, market, {}).release
    decisions = serve(workspace, release, market.push_id)
    workspace.serving_log.with_name("log.db.0002-20260101T000000Z").write_bytes(
        workspace.serving_log.read_bytes()
    )
    state = FreshState(workspace.fresh_state)
    state.keep({one: MemberState(seen=as_of) for one in MEMBERS}, {}, as_of)
    state.close()
    with online_fresh(workspace) as fresh:
        fresh.push({one: FreshRow(last_seen_at=as_of) for one in MEMBERS[:300]}, as_of)
    return Full(workspace, market, decisions)


def rows_of(workspace: Workspace, table: str) -> pd.DataFrame:
    parts = [pq.read_table(path).to_pandas() for path in table_files(workspace, table)]
    whole: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return whole


def of_those_who_stay(frame: pd.DataFrame) -> pd.DataFrame:
    if "member_id" not in frame:
        return frame
    chosen: pd.DataFrame = frame[~frame["member_id"].isin(GONE)].reset_index(drop=True)
    return chosen


def tables_and_views(workspace: Workspace) -> Iterator[tuple[str, pd.DataFrame]]:
    for table in ("members", "items", "events", "offers", "pushes", "decisions", "outcomes"):
        yield table, rows_of(workspace, table)
    for path in sorted(workspace.features.glob("*/*.parquet")):
        yield f"{path.parent.name}/{path.stem}", pq.read_table(path).to_pandas()


def choices(release: Release, push_id: str) -> list[Any]:
    """What a release decides for those who stay."""
    asked = {"push_id": push_id, "at": "", "member_ids": list(STAY)}
    from serving.golden import answered

    return answered(release, [asked])


@pytest.mark.slow
def test_a_hundred_of_a_thousand_leave_every_file_and_the_rest_stay(
    full: Full, tmp_path: Path
) -> None:
    workspace, push_id = full.workspace, full.market.push_id
    held = found_in(workspace.root, GONE)
    for place in (
        "tables/members", "tables/events", "tables/decisions", "tables/outcomes", "quarantine/",
        "features/", "feast/online.db", "feast/fresh.db", "mlflow/artifacts/", "audiences/",
        "serving/log.db", "serving/log.db.0002", "releases/2026-05-18.1/snapshot/members.npy",
        "releases/2026-05-18.1/recommender/", "releases/2026-05-18.1/golden.json",
    ):  # fmt: skip
        assert any(name.startswith(place) for name in held), place
    before = dict(tables_and_views(workspace))
    decided = choices(full.release, push_id)
    ids = tmp_path / "ids.txt"
    ids.write_text("".join(f"{one}\n" for one in sorted(GONE)))

    result = full.command("members", "erase", "--file", str(ids), "--json")

    assert result.exit_code == 0, result.output
    [done] = json.loads(result.stdout)
    assert (done["state"], done["members"]) == ("done", 100)
    assert found_in(workspace.root, GONE) == {}
    after = dict(tables_and_views(workspace))
    assert after.keys() == before.keys()
    for name, frame in before.items():
        pd.testing.assert_frame_equal(after[name], of_those_who_stay(frame))
    assert build_features(workspace, [full.market.config.history_end]).written == {}
    assert history(workspace.releases) == ["2026-05-18.1-e1"]
    assert successor(workspace.releases, "2026-05-18.1") == "2026-05-18.1-e1"
    assert choices(full.release, push_id) == decided
    assert set(found_in(workspace.root, frozenset(STAY)).keys()) >= {"feast/online.db"}
    still_decided(full)
    assert all(TAG in run_tags(workspace, name) for name in ("recommender", "frequency"))
    assert not named_gone(workspace)

    for table, files in full.market.tables.items():
        report = ingest(workspace, table, list(files))
        assert report.accepted == 0
        assert report.rows == report.duplicate + sum(report.quarantined.values())
    assert report.table == "outcomes"
    assert report.quarantined["erased_member"] > 0
    assert found_in(workspace.root, GONE) == {}
    again = json.loads(full.command("members", "export", min(GONE)).stdout)
    assert again["held"] == {}
    stays = json.loads(full.command("members", "export", STAY[0]).stdout)["held"]
    assert {"log/decisions", "log/events", "tables/members"} <= stays.keys()


def still_decided(full: Full) -> None:
    """The scorer's answers to the others are what they were, and the erased get none."""
    with Log.of(full.workspace) as log:
        found = log.decided(full.market.push_id, list(STAY))
        assert log.decided(full.market.push_id, sorted(GONE)) == {}
        assert log.erased(MEMBERS) == GONE
    assert found.keys() == set(STAY)
    for member, row in found.items():
        assert json.loads(row.answer)["decision_id"] == full.decisions[member]["decision_id"]


def named_gone(workspace: Workspace) -> set[str]:
    known: set[str] = set()
    for folder in named_models(workspace.mlflow / "artifacts"):
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            known |= {one.decode() for one in arrays["member_ids"].tolist()}
    return known & GONE


def run_tags(workspace: Workspace, name: str) -> dict[str, str]:
    from mlflow.tracking import MlflowClient

    [version] = versions(workspace, name)
    client = MlflowClient(f"sqlite:///{workspace.mlflow.absolute() / 'mlflow.db'}")
    tags: dict[str, str] = client.get_run(version.tracked.run_id).data.tags
    return tags


@pytest.mark.parametrize("stage", ["_online", "_scrub_log"])
def test_an_interrupted_erasure_goes_on_and_ends_clean(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "w")
    at = "2026-05-18T10:00:00Z"
    rows = [
        {"event_id": f"e{one}", "member_id": one, "type": "view", "occurred_at": at}
        for one in MEMBERS[:200]
    ]
    ingest_rows(workspace, "events", rows, "events")
    monkeypatch.setattr(erasure, "_SETTLED_SECONDS", 0.0)
    gone = sorted(GONE & set(MEMBERS[:200]))

    def cut_off(*_: object) -> None:
        raise ScrubError("cut off")

    with Log.of(workspace) as log, monkeypatch.context() as broken:
        log.keep_events(rows, datetime.now(UTC))
        asked = Erasures(log).ask(gone, datetime.now(UTC))
        broken.setattr(erasure, stage, cut_off)
        with pytest.raises(ScrubError):
            erasure.carry_out(workspace, log, asked, silent)
        assert [one.erasure_id for one in Erasures(log).pending()] == [asked.erasure_id]
    options = ["members", "erase", "--pending", "--json", "--workspace", str(workspace.root)]
    [done] = json.loads(CliRunner().invoke(application(), options).stdout)
    assert (done["state"], done["removed"]["log/events"]) == ("done", len(gone))
    assert found_in(workspace.root, GONE) == {}
    assert len(rows_of(workspace, "events")) == 200 - len(gone)


@pytest.mark.parametrize("arguments", [(), ("m1", "--pending")])
def test_an_erasure_wants_members_or_those_that_wait(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    result = CliRunner().invoke(
        application(), ["members", "erase", *arguments, "--workspace", str(tmp_path / "w")]
    )
    assert result.exit_code == 1
    assert result.stderr == "error: wanted member ids, a --file of them, or --pending\n"


@pytest.mark.parametrize("command", [("erase", "m1"), ("export", "m1")])
def test_a_misspelt_workspace_is_refused_and_not_made(
    tmp_path: Path, command: tuple[str, str]
) -> None:
    missing = tmp_path / "misspelt"
    done = CliRunner().invoke(
        application(), ["members", *command, "--workspace", str(missing)], catch_exceptions=True
    )
    assert done.exit_code == 1
    assert "no workspace there; name it with --workspace" in done.output
    assert not missing.exists()
