"""A decision is made again, to the byte, by the release that made it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from serving import tables
from serving.archive import Archive
from serving.errors import ReleaseGone
from serving.log import Log
from serving.making import Subject
from serving.release import Release
from serving.scorer import Answers, Asked
from tests.serving.conftest import AS_OF, MEMBERS, Bench
from tests.serving.real_scorer import RealScorer, real_scorer


@pytest.fixture
def scorer(loaded: Release, bench: Bench, log: Log) -> Iterator[RealScorer]:
    bench.release("r1")  # the same in this test's own workspace
    with real_scorer(loaded, bench, log) as scorer:
        yield scorer


def test_every_kind_of_answer_comes_out_the_same_alone_as_it_did_among_others(
    scorer: RealScorer,
) -> None:
    decided = scorer.decide(*MEMBERS, "stranger")
    kinds = {(one["send"], one["explored"], one["reason"]) for one in decided}
    assert len(kinds) >= 4
    for one in decided:
        found = scorer.get(one, "replay")
        assert (found["equal"], found["differs"], found["withheld"]) == (True, [], None)
        assert found["recomputed"] == found["stored"]
        assert found["stored"]["decision_id"] == one["decision_id"]
        assert found["release"] == "r1"


def test_what_was_fresh_and_sent_meanwhile_is_part_of_it(scorer: RealScorer) -> None:
    newer = {"recency_days": 0.1 + 0.2, "contacts_7d": float("nan")}
    subjects = {member: Subject(fresh=newer, degraded=("slow",)) for member in MEMBERS[:20]}
    at = AS_OF + timedelta(hours=1)
    for push, who in (("autumn", MEMBERS[:20]), ("spring", MEMBERS[:20])):
        asked = Asked(
            scorer.parts.decider.release, push, {member: subjects[member] for member in who}
        )
        (answers,) = scorer.parts.scorer.decide_together([asked], at)
        assert isinstance(answers, Answers)
        for one in answers.decisions.values():
            assert scorer.get(one.model_dump(), "replay")["equal"]
    stored = scorer.log.decided("spring", MEMBERS[:20]).values()
    assert any(json.loads(one.inputs or "")["since"] for one in stored)


def test_a_release_that_is_no_longer_in_use_is_loaded_from_the_workspace(
    scorer: RealScorer,
) -> None:
    decided = scorer.decide(*MEMBERS[:5])
    policy = replace(scorer.holder.release.policy, salt="another")
    versions = scorer.holder.release.versions.model_copy(update={"release": "r2"})
    scorer.holder.release = replace(scorer.holder.release, policy=policy, versions=versions)
    assert all(scorer.get(one, "replay")["equal"] for one in decided)


def test_without_its_release_a_decision_cannot_be_replayed(scorer: RealScorer) -> None:
    (one,) = scorer.decide("m01")
    versions = scorer.holder.release.versions.model_copy(update={"release": "r2"})
    scorer.holder.release = replace(scorer.holder.release, versions=versions)
    folder = scorer.bench.workspace.releases / "r1"
    (folder / "prices.json").write_text("{}")
    for _ in range(2):
        response = scorer.client.get(f"/v1/decisions/{one['decision_id']}/replay")
        assert (response.status_code, response.json()["title"]) == (410, "release gone")
        shutil.rmtree(folder, ignore_errors=True)


def test_what_came_out_otherwise_is_named(scorer: RealScorer) -> None:
    (one,) = scorer.decide("m01")
    written = scorer.get(one, "replay")["stored"]
    answer = {**written, "probability": 0.123, "reason": "explored"}
    changed = update(tables.decisions).values(answer=json.dumps(answer))
    scorer.log.write(lambda connection: connection.execute(changed))
    found = scorer.get(one, "replay")
    assert not found["equal"]
    assert found["differs"] == ["probability", "reason"]
    assert found["recomputed"] == written


def test_nothing_is_shown_as_sent_to_who_unsubscribed_since(scorer: RealScorer) -> None:
    sent = next(one for one in scorer.decide(*MEMBERS) if one["send"])
    outcome = {"event_id": "o1", "decision_id": sent["decision_id"], "type": "unsubscribed",
               "occurred_at": "2026-05-02T00:00:00Z"}  # fmt: skip
    assert scorer.client.post("/v1/outcomes", json={"outcomes": [outcome]}).is_success
    found = scorer.get(sent, "replay")
    assert (found["equal"], found["withheld"]) == (True, "suppressed")
    for shown in (found["stored"], found["recomputed"]):
        assert (shown["send"], shown["offer_id"], shown["reason"]) == (False, None, "suppressed")


def test_a_decision_of_an_older_scorer_says_that_it_cannot_be_replayed(
    scorer: RealScorer,
) -> None:
    (one,) = scorer.decide("m01")
    changed = update(tables.decisions).values(inputs=None)
    scorer.log.write(lambda connection: connection.execute(changed))
    response = scorer.client.get(f"/v1/decisions/{one['decision_id']}/replay")
    assert (response.status_code, response.json()["title"]) == (409, "not replayable")
    assert scorer.client.get("/v1/decisions/nosuch/replay").status_code == 404


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
