"""A call that carries an ``Idempotency-Key`` gets its answer again, and does nothing twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from serving import idempotency
from serving.idempotency import Once

if TYPE_CHECKING:
    from serving.log import Log
    from tests.serving.conftest import Scored

EVENT = {
    "event_id": "e1", "member_id": "a", "type": "view", "occurred_at": "2026-05-01T00:00:00Z",
}  # fmt: skip
CALL = {"push_id": "spring", "members": [{"member_id": "a"}, {"member_id": "b"}]}
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def post(caller: Scored, path: str, body: Any, key: str) -> Any:
    return caller.client.post(path, json=body, headers={"Idempotency-Key": key})


@pytest.mark.parametrize("key", [None, "k1"])
def test_the_same_call_gets_the_same_bytes_after_a_new_release(
    caller: Scored, key: str | None
) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    first = caller.client.post("/v1/decisions", json=CALL, headers=headers)
    caller.decider.release = type(caller.decider.release)(offer_id=None, release="r2")
    again = caller.client.post("/v1/decisions", json=CALL, headers=headers)
    assert again.content == first.content
    assert again.json()["versions"]["release"] == "r1"


def test_a_batch_sent_again_gets_its_first_receipt(caller: Scored) -> None:
    body = {"events": [EVENT, {"event_id": "broken"}]}
    first = post(caller, "/v1/events", body, "k1")
    assert first.json()["accepted"] == 1
    assert post(caller, "/v1/events", body, "k1").content == first.content
    assert post(caller, "/v1/events", body, "k2").json()["duplicates"] == 1


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("/v1/events", {"events": [EVENT]}, {"events": [{**EVENT, "event_id": "e2"}]}),
        ("/v1/decisions", CALL, {**CALL, "k": 1}),
    ],
)
def test_another_body_under_the_same_key_is_refused_and_does_nothing(
    caller: Scored, path: str, body: Any, other: Any
) -> None:
    assert post(caller, path, body, "k1").status_code == 200
    refused = post(caller, path, other, "k1")
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:pushwise:problem:idempotency_key_reused"
    assert post(caller, "/v1/events", {"events": [{**EVENT, "event_id": "e2"}]}, "k3").json()[
        "accepted"
    ]


def test_a_key_costs_no_call_its_deadline(caller: Scored, tmp_path: Path) -> None:
    assert post(caller, "/v1/decisions", CALL, "k1").status_code == 200
    headers = {"Idempotency-Key": "k2", "Pushwise-Deadline-Ms": "200"}
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = monotonic()
        found = caller.client.post("/v1/decisions", json=CALL, headers=headers)
        taken = monotonic() - began
        other.execute("ROLLBACK")
    assert (found.status_code, found.json()["degraded"]) == (200, ["deadline"])
    assert not any(one["send"] for one in found.json()["decisions"])
    assert taken < 2.0, "the log waits five seconds for its lock"
    again = caller.client.post("/v1/decisions", json=CALL, headers={"Idempotency-Key": "k2"})
    assert again.json()["degraded"] == []


def test_keys_of_two_callers_do_not_meet(caller: Scored) -> None:
    assert post(caller, "/v1/decisions", CALL, "k1").status_code == 200
    headers = {**caller.headers("decide"), "Idempotency-Key": "k1"}
    other = {"push_id": "spring", "members": [{"member_id": "c"}]}
    assert caller.client.post("/v1/decisions", json=other, headers=headers).status_code == 200


def test_no_record_holds_a_key_that_names_a_member(caller: Scored, tmp_path: Path) -> None:
    key = "spring-member-7f3a9c"
    assert post(caller, "/v1/decisions", CALL, key).status_code == 200
    assert post(caller, "/v1/events", {"events": [EVENT]}, f"{key}-events").status_code == 200
    content = b"".join(path.read_bytes() for path in tmp_path.glob("log.db*"))
    assert b"POST /v1/events" in content, "the records are there"
    assert b"member-7f3a9c" not in content


@pytest.mark.parametrize("key", ["", "with space", "é", "x" * 256])
def test_a_key_that_is_none_is_refused(caller: Scored, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode())]
    response = caller.client.post("/v1/decisions", json=CALL, headers=headers)
    assert response.status_code == 422


def test_keys_are_forgotten_after_a_week(log: Log) -> None:
    once = Once.of("key", "k1", "POST /v1/decisions", b"body")

    def claim(at: datetime) -> bool:
        return log.write(lambda connection: idempotency.claim(connection, once, at))

    assert claim(NOW)
    assert not claim(NOW + timedelta(days=6))
    other = Once.of("key", "k2", "POST /v1/decisions", b"body")
    log.write(lambda connection: idempotency.claim(connection, other, NOW + timedelta(days=8)))
    assert claim(NOW + timedelta(days=8))
