"""Decisions over HTTP: one answer per push and member, always the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from serving.errors import LogUnavailable

if TYPE_CHECKING:
    from tests.serving.conftest import FakeRelease, Scored


def ask(caller: Scored, *members: str, **more: Any) -> dict[str, Any]:
    body = {"push_id": "spring", "members": [{"member_id": member} for member in members], **more}
    response = caller.client.post("/v1/decisions", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_answers_in_the_order_asked_with_the_fields_of_the_design(caller: Scored) -> None:
    answer = ask(caller, "b", "a", "b")
    assert [one["member_id"] for one in answer["decisions"]] == ["b", "a", "b"]
    assert answer["decisions"][0] == answer["decisions"][2]
    assert set(answer["decisions"][0]) == {
        "decision_id", "member_id", "send", "offer_id", "items", "estimates", "probability",
        "explored", "experiment", "reason", "expires_at", "release", "channel", "send_after",
    }  # fmt: skip
    assert answer["decisions"][0]["estimates"]["expected_gain"] is None
    assert answer["versions"]["release"] == "r1"
    assert answer["degraded"] == []


def test_the_same_push_and_member_get_the_same_answer_after_a_new_release(
    caller: Scored,
) -> None:
    first = ask(caller, "a")["decisions"]
    caller.decider.release = type(caller.decider.release)(offer_id=None, release="r2")
    again = ask(caller, "a", "b")
    assert again["decisions"][0] == first[0]
    assert again["decisions"][0]["release"] == "r1"
    assert again["decisions"][1]["send"] is False
    assert again["versions"]["release"] == "r2"


def test_a_large_call_keeps_the_release_that_it_began_with(
    caller: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = type(caller.decider.release)
    choose = fake.choose

    def swapping(self: FakeRelease, push_id: str, members: Any, situation: Any) -> Any:
        caller.decider.release = fake(release="r2")
        return choose(self, push_id, members, situation)

    monkeypatch.setattr(fake, "choose", swapping)
    answer = ask(caller, *(f"a{number}" for number in range(1_000)))
    assert {one["release"] for one in answer["decisions"]} == {"r1"}
    assert answer["versions"]["release"] == "r1"
    assert ask(caller, "next")["versions"]["release"] == "r2"


def test_answers_outlive_the_push_in_later_releases(caller: Scored) -> None:
    first = ask(caller, "a")["decisions"]
    caller.decider.release = type(caller.decider.release)(release="r2", known_pushes=())
    assert ask(caller, "a")["decisions"] == first
    body = {"push_id": "spring", "members": [{"member_id": "a"}, {"member_id": "b"}]}
    assert caller.client.post("/v1/decisions", json=body).status_code == 404


def test_concurrent_calls_for_one_member_get_one_answer(caller: Scored) -> None:
    started = threading.Barrier(8)

    def call(_: int) -> str:
        started.wait()
        decision_id: str = ask(caller, "a")["decisions"][0]["decision_id"]
        return decision_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(call, range(8)))) == 1


def test_decides_a_member_of_a_batch_once(caller: Scored) -> None:
    ask(caller, "a", "b")
    ask(caller, "b", "c")
    assert sorted(caller.decider.release.asked) == ["a", "b", "c"]


def test_the_flat_answer_is_the_same_decision_without_nesting(caller: Scored) -> None:
    decision = ask(caller, "a")["decisions"][0]
    flat = caller.client.get("/v1/decide", params={"push_id": "spring", "member_id": "a"}).json()
    assert flat["decision_id"] == decision["decision_id"]
    assert flat["send"] is True
    assert flat["p_if_sent"] == decision["estimates"]["p_if_sent"]
    assert flat["arm"] == decision["experiment"]["arm"] == "policy"
    assert not any(isinstance(value, dict) for value in flat.values())


def test_k_and_include_choose_what_is_shown_not_what_is_decided(caller: Scored) -> None:
    shown = ask(caller, "a", k=2)["decisions"][0]
    assert shown["items"] == ["item0", "item1"]
    bare = ask(caller, "a", include=[])["decisions"][0]
    assert (bare["items"], bare["estimates"]) == ([], None)
    assert len(ask(caller, "a", k=10)["decisions"][0]["items"]) == 10


def test_a_decision_can_be_looked_up_with_what_it_was_chosen_from(caller: Scored) -> None:
    member = {"member_id": "a", "context": {"page": "home"}}
    body = {"push_id": "spring", "members": [member], "k": 10}
    decision = caller.client.post("/v1/decisions", json=body).json()["decisions"][0]
    stored = caller.client.get(f"/v1/decisions/{decision['decision_id']}").json()
    assert stored["decision"] == decision
    assert stored["candidates"] == ["ten", "gift"]
    assert stored["context"] == {"page": "home"}


def test_an_unknown_push_is_a_404_that_says_how_to_fix_it(caller: Scored) -> None:
    body = {"push_id": "no-such-push", "members": [{"member_id": "a"}]}
    response = caller.client.post("/v1/decisions", json=body)
    problem = response.json()
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:pushwise:problem:unknown_push"
    assert problem["detail"] == "release r1 has 1 pushes and none with this push_id"
    assert len(problem["fix"]) == 2
    assert "no-such-push" not in response.text


def test_a_template_gets_a_flat_no_send_for_an_unknown_push(caller: Scored) -> None:
    flat = caller.client.get("/v1/decide", params={"push_id": "x", "member_id": "a"})
    assert flat.status_code == 200
    assert flat.json()["send"] is False
    assert (flat.json()["decision_id"], flat.json()["degraded"]) == (None, ["unknown_push"])


def test_an_unknown_decision_is_a_404(caller: Scored) -> None:
    response = caller.client.get("/v1/decisions/nothing")
    assert (response.status_code, response.json()["title"]) == (404, "unknown decision")


def test_who_unsubscribes_gets_nothing_from_the_next_call_on(caller: Scored) -> None:
    decision = ask(caller, "a")["decisions"][0]
    assert decision["send"] is True
    outcome = {
        "event_id": "o1", "decision_id": decision["decision_id"], "type": "unsubscribed",
        "occurred_at": "2026-05-02T00:00:00Z",
    }  # fmt: skip
    taken = caller.client.post("/v1/outcomes", json={"outcomes": [outcome]}).json()
    assert taken["accepted"] == 1
    after = ask(caller, "a")["decisions"][0]
    assert (after["send"], after["offer_id"], after["items"]) == (False, None, [])
    assert after["reason"] == "suppressed"
    assert after["decision_id"] == decision["decision_id"]
    stored = caller.client.get(f"/v1/decisions/{decision['decision_id']}").json()
    assert stored["decision"] == after, "looked up, it stands behind the same guard"


def test_a_suppressed_member_is_decided_as_such(caller: Scored) -> None:
    outcome = {
        "event_id": "o1", "push_id": "spring", "member_id": "a", "type": "unsubscribed",
        "occurred_at": "2026-05-02T00:00:00Z",
    }  # fmt: skip
    caller.client.post("/v1/outcomes", json={"outcomes": [outcome]})
    assert [one["reason"] for one in ask(caller, "a", "b")["decisions"]] == ["suppressed", None]


def test_consent_withdrawn_in_a_new_release_stops_an_earlier_answer(caller: Scored) -> None:
    assert ask(caller, "a")["decisions"][0]["send"] is True
    release: FakeRelease = type(caller.decider.release)(release="r2", no_consent=frozenset({"a"}))
    caller.decider.release = release
    answer = ask(caller, "a")["decisions"][0]
    assert (answer["send"], answer["reason"]) == (False, "no_consent")


def test_each_earlier_answer_is_held_to_the_consent_of_its_own_channel(caller: Scored) -> None:
    make = type(caller.decider.release)
    ask(caller, "a")
    by_email = tuple(replace(push, channel="email") for push in caller.decider.release.known_pushes)
    caller.decider.release = make(release="r2", known_pushes=by_email)
    ask(caller, "b")
    nobody = frozenset({"a", "b"})
    caller.decider.release = make(release="r3", no_consent=nobody, no_consent_by="email")
    assert [one["send"] for one in ask(caller, "a", "b")["decisions"]] == [True, False]


def test_the_guard_sends_nothing_when_it_cannot_read_its_list(
    caller: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(caller, "a")

    def unreadable(members: object) -> frozenset[str]:
        raise LogUnavailable

    monkeypatch.setattr(caller.log, "suppressed", unreadable)
    answer = ask(caller, "a")
    assert (answer["decisions"][0]["send"], answer["decisions"][0]["reason"]) == (
        False,
        "suppressed",
    )
    assert answer["degraded"] == ["suppression_unreadable"]


def test_nothing_is_acknowledged_when_the_log_cannot_be_written(
    caller: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwritable(*_: object) -> dict[str, object]:
        raise LogUnavailable

    monkeypatch.setattr(caller.log, "keep_decisions", unwritable)
    body = {"push_id": "spring", "members": [{"member_id": "a"}]}
    refused = caller.client.post("/v1/decisions", json=body)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    flat = caller.client.get("/v1/decide", params={"push_id": "spring", "member_id": "a"})
    assert (flat.status_code, flat.json()["send"]) == (200, False)
    assert flat.json()["degraded"] == ["log_unavailable"]


def test_decided_at_is_now_in_utc(caller: Scored) -> None:
    before = datetime.now(UTC)
    decision_id = ask(caller, "a")["decisions"][0]["decision_id"]
    stored = caller.client.get(f"/v1/decisions/{decision_id}").json()
    assert before <= datetime.fromisoformat(stored["decided_at"]) <= datetime.now(UTC)


def test_a_large_call_names_the_release_of_its_newest_decision(caller: Scored) -> None:
    members = [f"m{number:03d}" for number in range(500)]
    ask(caller, *members[:250])
    caller.decider.release = type(caller.decider.release)(release="r2")
    found = ask(caller, *members)
    assert {one["release"] for one in found["decisions"][:250]} == {"r1"}
    assert {one["release"] for one in found["decisions"][250:]} == {"r2"}
    assert found["versions"]["release"] == "r2"
    assert ask(caller, *members) == found
