"""An erased member is sent nothing, taken in nowhere, and held by no table of the log."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from features.sqlite_scrub import scrub
from features.tombstones import known_key, mark
from serving import log_erasure, tables
from serving.database import Database
from serving.erasures import Erasures
from serving.errors import LogUnavailable
from serving.forgotten import Forgotten
from serving.guard import barred
from serving.log import Log
from serving.scorer import Scorer
from tests.log_databases import ENGINES

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

GONE, STAYS = "gone-7f3a9c", "stays-1b2d"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def decide(caller: Scored, *members: str) -> dict[str, dict[str, Any]]:
    body = {"push_id": "spring", "members": [{"member_id": one} for one in members]}
    answer = caller.client.post("/v1/decisions", json=body).json()
    return {one["member_id"]: one for one in answer["decisions"]}


def event(event_id: str, member: str) -> dict[str, str]:
    return {
        "event_id": event_id, "member_id": member, "type": "view",
        "occurred_at": "2026-05-01T10:00:00Z",
    }  # fmt: skip


def outcome(event_id: str, kind: str, **named: str) -> dict[str, str]:
    return {"event_id": event_id, "type": kind, "occurred_at": "2026-05-01T10:00:00Z", **named}


def fill(caller: Scored) -> None:
    """Decisions, events, outcomes and a suppression of both members."""
    made = decide(caller, GONE, STAYS)
    rows = [event(f"e-{one}", one) for one in (GONE, STAYS)]
    caller.client.post("/v1/events", json={"events": rows})
    told = [
        outcome(f"o-{one}", "sent", decision_id=made[one]["decision_id"]) for one in (GONE, STAYS)
    ]
    stop = outcome("stop", "unsubscribed", push_id="spring", member_id=GONE)
    caller.client.post("/v1/outcomes", json={"outcomes": [*told, stop]})
    seen = [shadow(made[one]["decision_id"], one) for one in (GONE, STAYS)]
    caller.log.write(lambda connection: connection.execute(tables.shadows.insert(), seen).rowcount)


def shadow(decision_id: str, member: str) -> dict[str, Any]:
    """What an arm that did not answer would have decided."""
    return {
        "decision_id": decision_id, "experiment_id": "x", "member_id": member, "arm": "challenger",
        "release": "r2", "offer_id": "ten", "probability": 0.9, "expected_gain": 1.5,
        "answer": json.dumps({"member_id": member}),
    }  # fmt: skip


def test_every_table_of_the_log_is_thought_of() -> None:
    known = {
        *log_erasure.OF_MEMBERS, *log_erasure.OF_DECISIONS,
        *log_erasure.OF_NOBODY,
    }  # fmt: skip
    assert known == set(tables.metadata.tables)
    for name in log_erasure.OF_NOBODY:
        if name != "erasing":
            assert "member_id" not in tables.metadata.tables[name].c


def test_an_erased_member_leaves_the_log_at_once_and_the_others_stay(
    caller: Scored, tmp_path: Path
) -> None:
    fill(caller)
    kept = decide(caller, STAYS)
    answer = caller.client.delete(f"/v1/members/{GONE}")
    assert answer.status_code == 202
    assert answer.json()["state"] == "recorded"
    assert GONE not in answer.text
    assert answer.json()["removed"] == {
        "log/decisions": 1, "log/events": 1, "log/outcomes": 2, "log/suppressions": 1,
        "log/vectors": 0, "log/reservations": 1, "log/shadows": 1,
    }  # fmt: skip
    shown = caller.client.get(answer.headers["location"])
    assert shown.json() == answer.json()
    for name in log_erasure.OF_MEMBERS:
        table = tables.metadata.tables[name]
        with caller.log.reading() as connection:
            rows = [str(dict(row)) for row in connection.execute(select(table)).mappings()]
        assert not any(GONE in row for row in rows), name
        assert name in ("suppressions", "vectors") or any(STAYS in row for row in rows)
    assert decide(caller, STAYS) == kept
    erasures = Erasures(caller.log)
    [pending] = erasures.pending()
    assert erasures.members(pending.erasure_id) == [GONE]
    erasures.let_go(pending.erasure_id)
    scrub(tmp_path / "log.db", [GONE.encode()])
    done = erasures.finish(pending.erasure_id, {"left": ["r1"], "tables/events": 3}, NOW)
    assert (done.state, erasures.pending()) == ("done", [])
    shown = caller.client.get(answer.headers["location"])
    assert (shown.json()["left"], shown.json()["removed"]) == (["r1"], {"tables/events": 3})
    content = b"".join(path.read_bytes() for path in tmp_path.glob("log.db*"))
    assert GONE.encode() not in content
    assert STAYS.encode() in content


def test_an_erased_member_is_suppressed_and_never_written_down(caller: Scored) -> None:
    caller.client.delete(f"/v1/members/{GONE}")
    made = decide(caller, GONE, STAYS)
    assert (made[GONE]["send"], made[GONE]["reason"]) == (False, "suppressed")
    assert made[GONE]["decision_id"] is None
    assert made[STAYS]["send"]
    flat = caller.client.get("/v1/decide", params={"push_id": "spring", "member_id": GONE}).json()
    assert (flat["send"], flat["reason"], flat["decision_id"]) == (False, "suppressed", None)
    assert caller.log.decided("spring", [GONE]) == {}
    assert GONE not in caller.decider.release.asked


def test_nothing_about_an_erased_member_is_taken_in(caller: Scored) -> None:
    caller.client.delete(f"/v1/members/{GONE}")
    events = {"events": [event("e1", GONE), event("e2", STAYS)]}
    told = caller.client.post("/v1/events", json=events).json()
    assert (told["accepted"], told["rejected"]) == (
        1, [{"index": 0, "code": "erased_member", "field": "member_id"}]
    )  # fmt: skip
    outcomes = {"outcomes": [outcome("o1", "clicked", push_id="spring", member_id=GONE)]}
    told = caller.client.post("/v1/outcomes", json=outcomes).json()
    assert [one["code"] for one in told["rejected"]] == ["erased_member"]


def test_what_was_planned_for_an_erased_member_is_barred(caller: Scored) -> None:
    caller.client.delete(f"/v1/members/{GONE}")
    found = barred(caller.log, caller.decider.release, {"push": [GONE, STAYS]})
    assert found.reasons == {GONE: "suppressed"}


def test_asked_again_the_erasure_under_way_is_the_answer(caller: Scored) -> None:
    first, again = (caller.client.delete(f"/v1/members/{GONE}").json() for _ in range(2))
    assert first == again
    ids = {"member_ids": [GONE, "with/slash", "日本", GONE]}
    many = caller.client.post("/v1/erasures", json=ids).json()
    assert (many["members"], many["state"]) == (3, "recorded")
    assert caller.log.erased(["with/slash", "日本", STAYS]) == {"with/slash", "日本"}


def test_only_the_scope_erase_erases_and_exports(scored: Scored) -> None:
    headers = scored.headers("decide", "events:write", "audience:export", "publish")
    calls = (
        ("DELETE", f"/v1/members/{GONE}"), ("POST", "/v1/erasures"),
        ("GET", "/v1/erasures/er_1"), ("GET", f"/v1/members/{GONE}/export"),
    )  # fmt: skip
    for method, path in calls:
        assert scored.client.request(method, path, headers=headers).status_code == 403
    found = scored.client.get("/v1/erasures/er_1", headers=scored.headers("erase"))
    assert found.json()["type"] == "urn:pushwise:problem:unknown_erasure"


def test_an_export_holds_everything_and_after_an_erasure_nothing(caller: Scored) -> None:
    fill(caller)
    found = caller.client.get(f"/v1/members/{GONE}/export").json()
    assert {name: len(rows) for name, rows in found["log"].items()} == {
        "decisions": 1, "events": 1, "outcomes": 2, "suppressions": 1, "vectors": 0,
        "shadows": 1,
    }  # fmt: skip
    assert found["log"]["events"][0]["row"]["member_id"] == GONE
    caller.client.delete(f"/v1/members/{GONE}")
    found = caller.client.get(f"/v1/members/{GONE}/export").json()
    assert not any(found["log"].values())
    known = caller.client.get("/v1/members/m01/export").json()
    assert known["features"] == {"recency_days": 3.0}
    caller.client.delete("/v1/members/m01")
    assert caller.client.get("/v1/members/m01/export").json()["features"] == {}


def test_without_the_key_nobody_is_told_apart_and_nothing_sent(
    caller: Scored, tmp_path: Path
) -> None:
    caller.client.delete(f"/v1/members/{GONE}")
    (tmp_path / "keys" / "erasure.key").unlink()
    with Log(tmp_path / "log.db", keys=tmp_path / "keys") as other:
        with pytest.raises(LogUnavailable):
            other.erased([STAYS])
        (tmp_path / "keys" / "erasure.key").write_text("ab" * 32)  # another workspace's
        with pytest.raises(LogUnavailable):
            other.suppressed([STAYS])


def test_an_erasure_is_not_recorded_without_a_key_to_know_the_member_by(
    caller: Scored, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("a file where the folder of keys should be")
    refused = caller.client.delete(f"/v1/members/{GONE}")
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:pushwise:problem:no_erasure_key"
    assert Erasures(caller.log).pending() == []


def test_another_worker_knows_of_an_erasure_within_a_second(caller: Scored, tmp_path: Path) -> None:
    with Log(tmp_path / "log.db", keys=tmp_path / "keys") as other:
        now = 0.0
        other.forgotten = Forgotten(lambda: known_key(tmp_path / "keys"), lambda: now)
        assert other.erased([GONE]) == frozenset()
        for member in (GONE, STAYS):
            caller.client.delete(f"/v1/members/{member}")
            taken = other.keep_events([event(f"e-{member}", member)], NOW)  # what is kept: at once
            assert [one.code for one in taken.refused] == ["erased_member"]
            now += 1.0
            assert other.erased([member]) == {member}


def test_a_member_erased_while_their_decision_is_made_is_not_written_down(
    caller: Scored, tmp_path: Path
) -> None:
    with Log(tmp_path / "log.db", keys=tmp_path / "keys") as other:
        other.forgotten = Forgotten(lambda: known_key(tmp_path / "keys"), lambda: 0.0)
        assert other.erased([GONE]) == frozenset(), "this worker has just looked"
        caller.client.delete(f"/v1/members/{GONE}")
        scorer = Scorer(caller.decider, other, vector_sample=1.0)
        made = scorer.decide("spring", {GONE: None, STAYS: None}, NOW).decisions
        assert caller.decider.release.asked[:2] == [GONE, STAYS], "it was decided about"
    assert (made[GONE].send, made[GONE].reason, made[GONE].decision_id) == (
        False, "suppressed", None
    )  # fmt: skip
    assert made[STAYS].send
    assert list(caller.log.decided("spring", [GONE, STAYS])) == [STAYS]
    assert not any(Erasures(caller.log).held(GONE).values())


def test_the_log_tells_erased_members_by_their_marks_alone(caller: Scored, tmp_path: Path) -> None:
    caller.client.delete(f"/v1/members/{GONE}")
    key = bytes.fromhex((tmp_path / "keys" / "erasure.key").read_text())
    with sqlite3.connect(tmp_path / "log.db") as stored:
        marks = {row[0] for row in stored.execute("SELECT mark FROM tombstones")}
    assert marks == {mark(key, ""), mark(key, GONE)}


@pytest.mark.parametrize("database", ENGINES, indirect=True)
def test_an_erasure_is_known_to_every_scorer_of_a_log_on_either_engine(
    database: Database, tmp_path: Path
) -> None:
    with (
        Log(database, keys=tmp_path / "keys") as log,
        Log(database, keys=tmp_path / "keys") as other,
    ):
        log.keep_events([event("e1", GONE), event("e2", STAYS)], NOW)
        asked = Erasures(log).ask([GONE, "一人"], NOW)
        assert asked.removed["log/events"] == 1
        assert Erasures(other).members(asked.erasure_id) == [GONE, "一人"]
        assert other.suppressed([GONE, STAYS, "一人"]) == {GONE, "一人"}
        taken = other.keep_events([event("e3", GONE), event("e4", STAYS)], NOW)
        assert (taken.accepted, [one.code for one in taken.refused]) == (1, ["erased_member"])
        assert other.erased(f"m{n}" for n in range(5_000)) == frozenset()
        Erasures(other).let_go(asked.erasure_id)
        assert Erasures(log).finish(asked.erasure_id, {}, NOW).state == "done"
        assert Erasures(log).held(GONE)["events"] == []
