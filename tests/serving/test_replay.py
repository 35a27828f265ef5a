"""A decision is made again, to the byte, by the release that made it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from features.workspace import Workspace
from serving import tables
from serving.app import create_app
from serving.archive import Archive
from serving.auth import Access, Keys, NewKey
from serving.errors import ReleaseGone
from serving.log import Log
from serving.making import Subject
from serving.parts import Parts
from serving.release import Release, load_release
from serving.scorer import Answers, Asked
from serving.telemetry import Telemetry
from tests.serving.conftest import AS_OF, MEMBERS, Bench


@dataclass
class Holder:
    release: Release


@dataclass
class Explained:
    """A scorer of a real release, and the archive of its workspace."""

    client: TestClient
    holder: Holder
    log: Log
    parts: Parts
    bench: Bench

    def decide(self, *members: str, push: str = "spring") -> list[dict[str, Any]]:
        body = {"push_id": push, "members": [{"member_id": member} for member in members]}
        found: list[dict[str, Any]] = self.client.post("/v1/decisions", json=body).json()[
            "decisions"
        ]
        return found

    def replay(self, decision: dict[str, Any]) -> dict[str, Any]:
        response = self.client.get(f"/v1/decisions/{decision['decision_id']}/replay")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found


@pytest.fixture(scope="module")
def loaded(candidate: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    bench = Bench(Workspace(tmp_path_factory.mktemp("bench")), candidate)
    return load_release(bench.release("r1"), bench.trusted)


@pytest.fixture
def explained(loaded: Release, bench: Bench, log: Log, tmp_path: Path) -> Iterator[Explained]:
    bench.release("r1")  # the same in this test's own workspace
    holder = Holder(loaded)
    archive = Archive(bench.workspace.releases, bench.trusted)
    parts = Parts(
        holder, log, Access(log, "live"), Telemetry(), tmp_path / "audiences",
        deadline=30.0, archive=archive,
    )  # fmt: skip
    with TestClient(create_app(parts), raise_server_exceptions=False) as client:
        key = Keys(log).create(NewKey("live", ("admin",), "test", None), AS_OF)
        client.headers["Authorization"] = f"Bearer {key}"
        yield Explained(client, holder, log, parts, bench)


def test_every_kind_of_answer_comes_out_the_same_alone_as_it_did_among_others(
    explained: Explained,
) -> None:
    decided = explained.decide(*MEMBERS, "stranger")
    kinds = {(one["send"], one["explored"], one["reason"]) for one in decided}
    assert len(kinds) >= 4
    for one in decided:
        found = explained.replay(one)
        assert (found["equal"], found["differs"], found["withheld"]) == (True, [], None)
        assert found["recomputed"] == found["stored"]
        assert found["stored"]["decision_id"] == one["decision_id"]
        assert found["release"] == "r1"


def test_what_was_fresh_and_sent_meanwhile_is_part_of_it(explained: Explained) -> None:
    newer = {"recency_days": 0.1 + 0.2, "contacts_7d": float("nan")}
    subjects = {member: Subject(fresh=newer, degraded=("slow",)) for member in MEMBERS[:20]}
    at = AS_OF + timedelta(hours=1)
    for push, who in (("autumn", MEMBERS[:20]), ("spring", MEMBERS[:20])):
        asked = Asked(push, {member: subjects[member] for member in who})
        (answers,) = explained.parts.scorer.decide_together([asked], at)
        assert isinstance(answers, Answers)
        for one in answers.decisions.values():
            assert explained.replay(one.model_dump())["equal"]
    stored = explained.log.decided("spring", MEMBERS[:20]).values()
    assert any(json.loads(one.inputs or "")["since"] for one in stored)


def test_a_release_that_is_no_longer_in_use_is_loaded_from_the_workspace(
    explained: Explained,
) -> None:
    decided = explained.decide(*MEMBERS[:5])
    policy = replace(explained.holder.release.policy, salt="another")
    versions = explained.holder.release.versions.model_copy(update={"release": "r2"})
    explained.holder.release = replace(explained.holder.release, policy=policy, versions=versions)
    assert all(explained.replay(one)["equal"] for one in decided)


def test_without_its_release_a_decision_cannot_be_replayed(explained: Explained) -> None:
    (one,) = explained.decide("m01")
    versions = explained.holder.release.versions.model_copy(update={"release": "r2"})
    explained.holder.release = replace(explained.holder.release, versions=versions)
    folder = explained.bench.workspace.releases / "r1"
    (folder / "prices.json").write_text("{}")
    for _ in range(2):
        response = explained.client.get(f"/v1/decisions/{one['decision_id']}/replay")
        assert (response.status_code, response.json()["title"]) == (410, "release gone")
        shutil.rmtree(folder, ignore_errors=True)


def test_what_came_out_otherwise_is_named(explained: Explained) -> None:
    (one,) = explained.decide("m01")
    written = explained.replay(one)["stored"]
    answer = {**written, "probability": 0.123, "reason": "explored"}
    changed = update(tables.decisions).values(answer=json.dumps(answer))
    explained.log.write(lambda connection: connection.execute(changed))
    found = explained.replay(one)
    assert not found["equal"]
    assert found["differs"] == ["probability", "reason"]
    assert found["recomputed"] == written


def test_nothing_is_shown_as_sent_to_who_unsubscribed_since(explained: Explained) -> None:
    sent = next(one for one in explained.decide(*MEMBERS) if one["send"])
    outcome = {"event_id": "o1", "decision_id": sent["decision_id"], "type": "unsubscribed",
               "occurred_at": "2026-05-02T00:00:00Z"}  # fmt: skip
    assert explained.client.post("/v1/outcomes", json={"outcomes": [outcome]}).is_success
    found = explained.replay(sent)
    assert (found["equal"], found["withheld"]) == (True, "suppressed")
    for shown in (found["stored"], found["recomputed"]):
        assert (shown["send"], shown["offer_id"], shown["reason"]) == (False, None, "suppressed")


def test_a_decision_of_an_older_scorer_says_that_it_cannot_be_replayed(
    explained: Explained,
) -> None:
    (one,) = explained.decide("m01")
    changed = update(tables.decisions).values(inputs=None)
    explained.log.write(lambda connection: connection.execute(changed))
    response = explained.client.get(f"/v1/decisions/{one['decision_id']}/replay")
    assert (response.status_code, response.json()["title"]) == (409, "not replayable")
    assert explained.client.get("/v1/decisions/nosuch/replay").status_code == 404


@pytest.mark.slow
def test_an_archive_keeps_the_last_releases_that_were_asked_for(bench: Bench) -> None:
    for name in ("r1", "r2", "r3"):
        bench.release(name)
    archive = Archive(bench.workspace.releases, bench.trusted)
    first = archive.get("r1", None)
    assert archive.get("r1", None) is first
    assert archive.get("r1", replace(first)) is not first, "the one in use answers for itself"
    archive.get("r2", None), archive.get("r3", None)
    assert archive.get("r1", None) is not first
    for name in ("../r1", "none"):
        with pytest.raises(ReleaseGone, match="no longer in the workspace"):
            archive.get(name, None)
