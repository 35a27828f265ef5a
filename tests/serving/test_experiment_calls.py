"""Experiments over HTTP: who may what, what does not fit, and what repeated calls answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from experiments.declaration import to_json
from experiments.design import Analysis, Arm, Experiment, Guardrail
from serving.experiment_schemas import ExperimentGiven

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

ARMS = [
    {"name": "champion", "share": 0.5, "kind": "champion"},
    {"name": "thirty", "share": 0.4, "kind": "rule", "rule": "recency_days < 30", "offer": "ten"},
    {"name": "nothing", "share": 0.1, "kind": "holdout"},
]
SPRING = {"experiment_id": "spring", "arms": ARMS, "control": "champion"}
SHARES = {"champion": 0.4, "thirty": 0.5, "nothing": 0.1}


def call(
    caller: Scored, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    content = {} if body is None else {"content": json.dumps(body)}
    given = {"Content-Type": "application/json", **headers} if content else headers
    answer = caller.client.request(method, f"/v1/experiments{path}", headers=given, **content)  # type: ignore[arg-type]  # content
    return answer.status_code, answer.json()


def code(problem: dict[str, Any]) -> str:
    return str(problem["type"]).rpartition(":")[2]


def test_an_experiment_goes_its_way_and_repeated_calls_change_nothing(caller: Scored) -> None:
    status, draft = call(caller, "POST", "", SPRING)
    assert (status, draft["state"], draft["version"]) == (201, "draft", 1)
    assert draft["experiment"]["analysis"]["guardrails"] == [
        {"metric": "unsubscribed", "most": 0.005}
    ]
    assert call(caller, "POST", "", SPRING) == (200, draft)
    steps: list[tuple[str, str, Any, str]] = [
        ("POST", "/spring:start", None, "running"),
        ("PUT", "/spring/shares", {"shares": SHARES}, "running"),
        ("POST", "/spring:stop", {"why": "four weeks are over"}, "stopped"),
        ("POST", "/spring:promote", {"arm": "champion"}, "decided"),
    ]
    for number, (method, path, body, state) in enumerate(steps, start=2):
        first = call(caller, method, path, body)
        assert (first[0], first[1]["state"], first[1]["version"]) == (200, state, number)
        assert call(caller, method, path, body) == first
        assert call(caller, "GET", "/spring") == first
    shown = call(caller, "GET", "/spring")[1]
    assert [one["shares"]["thirty"] for one in shown["shares"]] == [0.4, 0.5]
    assert shown["experiment"]["arms"][1]["share"] == 0.5
    assert (shown["decision"]["arm"], shown["decision"]["published"]) == ("champion", None)
    trail = call(caller, "GET", "/spring/audit")[1]
    assert [(one["action"], one["why"]) for one in trail["changes"]] == [
        ("created", ""), ("started", ""), ("shares_changed", ""),
        ("stopped", "four weeks are over"), ("decided", ""),
    ]  # fmt: skip
    assert {one["by"] for one in trail["changes"]} == {caller.keys.all()[0].key_id}
    page = call(caller, "GET", "/spring/audit?after=1&limit=2")[1]
    assert ([one["seq"] for one in page["changes"]], page["next"]) == ([2, 3], 3)


def test_of_two_editors_the_second_is_told(caller: Scored) -> None:
    call(caller, "POST", "", SPRING)
    seen = caller.client.get("/v1/experiments/spring").headers["etag"]
    tag = {"If-Match": seen}
    assert call(caller, "PUT", "/spring", {**SPRING, "owner": "ann"}, **tag)[0] == 200
    status, problem = call(caller, "PUT", "/spring", {**SPRING, "owner": "bob"}, **tag)
    assert (status, code(problem)) == (412, "precondition_failed")
    assert call(caller, "POST", "/spring:start", None, **tag)[0] == 412
    assert call(caller, "POST", "/spring:start", None, **{"If-Match": '"2"'})[0] == 200
    assert code(call(caller, "PUT", "/spring", SPRING)[1]) == "wrong_state"
    assert call(caller, "POST", "", SPRING, **{"If-None-Match": "*"})[0] == 412


def arm(**changed: Any) -> list[dict[str, Any]]:
    return [ARMS[0], {**ARMS[1], **changed}, ARMS[2]]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"arms": arm(offer="")}, ("/arms/1", "other_fields")),
        ({"arms": arm(release="h0stile")}, ("/arms/1", "other_fields")),
        ({"arms": arm(name="champion")}, ("/arms", "same_names")),
        ({"arms": arm(share=0.5)}, ("/arms", "shares")),
        ({"arms": arm(rule="h0stile <")}, ("/arms/1/rule", "invalid_rule")),
        ({"arms": arm(offer="h0stile")}, ("/arms/1/offer", "unknown_offer")),
        ({"control": "h0stile"}, ("/control", "unknown_arm")),
        ({"mode": "shadow"}, ("/mode", "shadow_holdout")),
    ],
)
def test_what_does_not_fit_is_pointed_at(
    caller: Scored, change: dict[str, Any], where: tuple[str, str]
) -> None:
    status, problem = call(caller, "POST", "", {**SPRING, **change})
    assert (status, code(problem)) == (422, "invalid_experiment")
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["code"]) == where
    assert "h0stile" not in json.dumps(problem)


def test_a_field_that_there_is_not_is_refused(caller: Scored) -> None:
    for body in (
        {**SPRING, "h0stile": 1},
        {**SPRING, "experiment_id": "h0stile name"},
        {**SPRING, "analysis": {"metric": "h0stile"}},
        {**SPRING, "traffic": 0},
    ):
        status, problem = call(caller, "POST", "", body)
        assert (status, code(problem)) == (422, "invalid_request")
        assert "h0stile" not in json.dumps(problem)
    status, problem = call(caller, "POST", "", {**SPRING, "analysis": {"looks": 0}})
    assert problem["errors"][0]["pointer"] == "/analysis/looks"


def test_a_rule_arm_may_give_an_offer_that_was_just_put(caller: Scored) -> None:
    twenty = {**SPRING, "arms": arm(offer="twenty")}
    assert call(caller, "POST", "", twenty)[0] == 422
    caller.client.put("/v1/offers/twenty", json={"kind": "percent_off", "value": 20})
    assert call(caller, "POST", "", twenty)[0] == 201


def test_one_step_out_of_order_and_what_is_not_there_are_told(caller: Scored) -> None:
    call(caller, "POST", "", SPRING)
    other = call(caller, "POST", "", {**SPRING, "owner": "bob"})
    assert (other[0], code(other[1])) == (409, "experiment_exists")
    assert code(call(caller, "POST", "/spring:stop")[1]) == "wrong_state"
    assert code(call(caller, "GET", "/summer")[1]) == "unknown_experiment"
    assert code(call(caller, "GET", "/summer/audit")[1]) == "unknown_experiment"
    call(caller, "POST", "/spring:start")
    wrong = call(caller, "PUT", "/spring/shares", {"shares": {"champion": 0.5, "nothing": 0.5}})
    assert (wrong[0], wrong[1]["errors"][0]["pointer"]) == (422, "/shares")
    another = call(caller, "PUT", "/spring", {**SPRING, "experiment_id": "summer"})
    assert another[1]["errors"][0]["code"] == "another_id"
    call(caller, "POST", "", {**SPRING, "experiment_id": "summer"})
    assert code(call(caller, "POST", "/summer:start")[1]) == "layer_full"
    call(caller, "POST", "", {**SPRING, "experiment_id": "apart", "layer": "two"})
    status, problem = call(caller, "POST", "/apart:start")
    assert (status, code(problem)) == (409, "push_taken")
    assert "experiment spring is running" in problem["detail"]


def test_without_a_verdict_an_arm_is_promoted_only_anyway_and_with_a_reason(caller: Scored) -> None:
    call(caller, "POST", "", SPRING)
    for step in ("start", "stop"):
        call(caller, "POST", f"/spring:{step}")
    asked: dict[str, Any] = {"arm": "thirty"}
    assert code(call(caller, "POST", "/spring:promote", asked)[1]) == "verdict_forbids"
    asked["anyway"] = True
    assert code(call(caller, "POST", "/spring:promote", asked)[1]) == "why_wanted"
    wrong = call(caller, "POST", "/spring:promote", {"arm": "h0stile"})
    assert (wrong[0], wrong[1]["errors"][0]["pointer"]) == (422, "/arm")
    asked["why"] = "the season is over"
    decision = call(caller, "POST", "/spring:promote", asked)[1]["decision"]
    assert (decision["arm"], decision["anyway"]) == ("thirty", True)
    otherwise = call(caller, "POST", "/spring:promote", {"arm": "champion"})
    assert (otherwise[0], code(otherwise[1])) == (409, "decided_otherwise")


def test_a_draft_can_be_deleted_and_nothing_that_was_started(caller: Scored) -> None:
    call(caller, "POST", "", SPRING)
    assert caller.client.delete("/v1/experiments/spring").status_code == 204
    assert call(caller, "GET", "/spring")[0] == 404
    trail = call(caller, "GET", "/spring/audit")[1]["changes"]
    assert [one["action"] for one in trail] == ["created", "discarded"]
    assert trail[1]["changed"]["experiment"]["after"] is None
    assert call(caller, "POST", "", SPRING)[0] == 201, "nobody was ever in it"
    call(caller, "POST", "/spring:start")
    status, problem = call(caller, "DELETE", "/spring")
    assert (status, code(problem)) == (409, "wrong_state")
    assert call(caller, "DELETE", "/nowhere")[0] == 404


def test_the_list_comes_in_pages_and_by_state(caller: Scored) -> None:
    for name in ("c", "a", "b"):
        call(caller, "POST", "", {**SPRING, "experiment_id": name, "traffic": 0.2})
    call(caller, "POST", "/b:start")
    page = call(caller, "GET", "?limit=2")[1]
    assert [one["experiment"]["experiment_id"] for one in page["experiments"]] == ["a", "b"]
    rest = call(caller, "GET", f"?limit=2&after={page['next']}")[1]
    assert [one["experiment"]["experiment_id"] for one in rest["experiments"]] == ["c"]
    assert rest["next"] is None
    [running] = call(caller, "GET", "?state=running")[1]["experiments"]
    assert running["experiment"]["experiment_id"] == "b"
    assert call(caller, "GET", "?state=h0stile")[0] == 422


def test_writing_promoting_and_reading_need_their_scopes(scored: Scored) -> None:
    wanted = {
        "experiments": (201, 200, 200, 403),
        "experiments:read": (403, 200, 403, 403),
        "audience:export": (403, 200, 403, 403),
        "publish": (403, 403, 403, 409),
        "decide": (403, 403, 403, 403),
    }
    for scope, statuses in wanted.items():
        scored.client.headers.update(scored.headers(scope))
        answered = [
            call(scored, "POST", "", SPRING)[0],
            call(scored, "GET", "")[0],
            call(scored, "POST", "/spring:start")[0],
            call(scored, "POST", "/spring:promote", {"arm": "champion"})[0],
        ]
        assert tuple(answered) == statuses, scope


def test_every_experiment_that_can_be_declared_can_be_shown() -> None:
    declared = Experiment(
        "x",
        (Arm("a", 0.5, "champion"), Arm("b", 0.5, "release", release="r" * 64)),
        "a",
        layer="other",
        traffic=0.25,
        push_ids=("spring",),
        mode="shadow",
        analysis=Analysis(
            "converted", cap=10, sequential="always", guardrails=(Guardrail("complained", 1),)
        ),
        owner="ann",
        hypothesis="it is better",
    )
    given = ExperimentGiven.model_validate(to_json(declared))
    assert given.model_dump() == to_json(declared)
    least = ExperimentGiven.model_validate(
        {name: to_json(declared)[name] for name in ("experiment_id", "arms", "control")}
    )
    defaults = Experiment("x", declared.arms, "a")
    assert least.model_dump() == to_json(defaults), "the same defaults as in the design"
