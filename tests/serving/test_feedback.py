"""Events and outcomes: on disk before they are acknowledged, each row by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from features.contract import EVENTS, OUTCOMES
from features.rows import parse_row
from serving.drain import mark_exported, newest, waiting
from serving.log import Log

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

ON_BOTH_ENGINES = True
VIEW = {
    "event_id": "e1", "member_id": "a", "type": "view", "occurred_at": "2026-05-01T09:30:00+08:00",
    "item_id": "i1", "unit_price": 12.5,
}  # fmt: skip
CLICK = {
    "event_id": "o1", "push_id": "spring", "member_id": "a", "type": "clicked",
    "occurred_at": "2026-05-02T00:00:00Z",
}  # fmt: skip


def send(caller: Scored, table: str, *rows: Any) -> dict[str, Any]:
    response = caller.client.post(f"/v1/{table}", json={table: rows})
    assert response.status_code == 200, response.text
    receipt: dict[str, Any] = response.json()
    return receipt


def test_a_repeated_event_is_a_duplicate_and_a_changed_one_a_conflict(caller: Scored) -> None:
    assert send(caller, "events", VIEW) == {"accepted": 1, "duplicates": 0, "rejected": []}
    same = {**VIEW, "unit_price": "12.50", "occurred_at": "2026-05-01T01:30:00Z"}
    assert send(caller, "events", same, {**VIEW, "item_id": "i2"}) == {
        "accepted": 0,
        "duplicates": 1,
        "rejected": [{"index": 1, "code": "conflict", "field": "event_id"}],
    }


def test_duplicates_and_conflicts_are_found_within_a_batch(caller: Scored) -> None:
    receipt = send(caller, "events", VIEW, VIEW, {**VIEW, "type": "wishlist"})
    assert (receipt["accepted"], receipt["duplicates"]) == (1, 1)
    assert receipt["rejected"] == [{"index": 2, "code": "conflict", "field": "event_id"}]


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ("not a row", "not_an_object", None),
        ({**VIEW, "colour": "red"}, "unknown_column", None),
        ({"event_id": "e2"}, "missing_value", "member_id"),
        ({**VIEW, "type": "glance"}, "unknown_enum", "type"),
        ({**VIEW, "occurred_at": "2026-05-01T09:30:00"}, "naive_time", "occurred_at"),
        ({**VIEW, "quantity": -1}, "negative_quantity", "quantity"),
        ({**VIEW, "member_id": "\x00"}, "bad_id", "member_id"),
        ({**VIEW, "event_id": "é" * 513}, "bad_id", "event_id"),
    ],
)
def test_a_bad_row_is_rejected_by_its_code_and_costs_no_other(
    caller: Scored, row: Any, code: str, field: str | None
) -> None:
    receipt = send(caller, "events", row, {**VIEW, "event_id": "good"})
    assert receipt["rejected"] == [{"index": 0, "code": code, "field": field}]
    assert receipt["accepted"] == 1


def test_an_outcome_must_fit_the_decision_that_it_names(caller: Scored) -> None:
    body = {"push_id": "spring", "members": [{"member_id": "a"}]}
    made = caller.client.post("/v1/decisions", json=body).json()["decisions"][0]["decision_id"]
    of_made = {**CLICK, "decision_id": made}
    nobody = {
        "event_id": "o3", "decision_id": "elsewhere", "type": "unsubscribed",
        "occurred_at": "2026-05-02T00:00:00Z",
    }  # fmt: skip
    receipt = send(
        caller, "outcomes", of_made, {**of_made, "event_id": "o2", "member_id": "b"}, nobody
    )
    assert receipt["accepted"] == 1
    assert receipt["rejected"] == [
        {"index": 1, "code": "decision_mismatch", "field": "decision_id"},
        {"index": 2, "code": "unknown_decision", "field": "decision_id"},
    ]


def test_what_came_in_leaves_as_contract_rows_once(caller: Scored) -> None:
    send(caller, "events", VIEW, {**VIEW, "event_id": "e2", "received_at": "2026-05-03T00:00:00Z"})
    up_to = newest(caller.log, "events")
    rows = list(waiting(caller.log, "events", up_to))
    assert [parse_row(EVENTS, row)["event_id"] for row in rows] == ["e1", "e2"]
    assert rows[0]["received_at"] > "2026-05-03", "the moment when it came in"
    assert rows[1]["received_at"] == "2026-05-03T00:00:00+00:00"
    assert list(waiting(caller.log, "events", up_to)) == rows, "until marked, offered again"
    send(caller, "events", {**VIEW, "event_id": "e3"})
    mark_exported(caller.log, "events", up_to)
    mark_exported(caller.log, "events", 0)
    left = waiting(caller.log, "events", newest(caller.log, "events"))
    assert [row["event_id"] for row in left] == ["e3"]


def test_a_late_outcome_becomes_known_when_it_comes_in(caller: Scored) -> None:
    complaint = {**CLICK, "event_id": "o9", "type": "complained"}
    told = "2026-05-09T00:00:00Z"
    assert send(caller, "outcomes", CLICK, {**complaint, "received_at": told})["accepted"] == 2
    rows = list(waiting(caller.log, "outcomes", newest(caller.log, "outcomes")))
    assert rows[0]["received_at"] > "2026-05-09", "the moment when it came in"
    assert parse_row(OUTCOMES, rows[1])["received_at"] == datetime(2026, 5, 9, tzinfo=UTC)


def test_decisions_leave_as_contract_rows(caller: Scored, log: Log) -> None:
    from features.contract import DECISIONS

    body = {"push_id": "spring", "members": [{"member_id": "a"}]}
    made = caller.client.post("/v1/decisions", json=body).json()["decisions"][0]
    (row,) = waiting(log, "decisions", newest(log, "decisions"))
    parsed = parse_row(DECISIONS, row)
    assert parsed["decision_id"] == made["decision_id"]
    assert parsed["offer_id"] == "ten"
    assert parsed["candidates"] == ["ten", "gift"]
    assert (parsed["arm"], parsed["release"], parsed["probability"]) == ("policy", "r1", 0.9)


def test_an_empty_log_has_nothing_to_export(log: Log) -> None:
    assert newest(log, "outcomes") == 0
    assert list(waiting(log, "outcomes", 0)) == []
