"""Template engines post a form or flat JSON, and get what `GET /v1/decide` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

FORM = "application/x-www-form-urlencoded"
IDS = {"push_id": "spring", "member_id": "a b&c=é"}


def post(caller: Scored, body: str | bytes, content_type: str = FORM) -> tuple[int, dict[str, Any]]:
    response = caller.client.post(
        "/v1/decide", content=body, headers={"Content-Type": content_type}
    )
    return response.status_code, response.json()


def test_a_form_flat_json_and_a_query_get_the_same_answer(caller: Scored) -> None:
    asked = caller.client.get("/v1/decide", params=IDS).json()
    assert asked["send"] is True
    assert post(caller, urlencode(IDS)) == (200, asked)
    assert post(caller, urlencode(IDS), f"{FORM}; charset=utf-8") == (200, asked)
    json_answer = caller.client.post("/v1/decide", json={**IDS, "page": "home"})
    assert (json_answer.status_code, json_answer.json()) == (200, asked)
    assert caller.decider.release.asked == [IDS["member_id"]]


def test_further_fields_are_context_and_kept_with_the_decision(caller: Scored) -> None:
    _, answer = post(caller, urlencode({**IDS, "page": "home", "slot": ""}))
    stored = caller.client.get(f"/v1/decisions/{answer['decision_id']}").json()
    assert stored["context"] == {"page": "home", "slot": ""}


def test_a_push_that_is_not_there_is_no_send_and_no_error(caller: Scored) -> None:
    status, answer = post(caller, urlencode({**IDS, "push_id": "h0stile"}))
    assert (status, answer["send"], answer["degraded"]) == (200, False, ["unknown_push"])


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"push_id=spring&member_id=a&member_id=b", FORM, "malformed_form"),
        (b"push_id=spring&member_id=%ff", FORM, "malformed_form"),
        (b"push_id=\xff&member_id=a", FORM, "malformed_form"),
        (b"push_id", FORM, "malformed_form"),
        ("&".join(f"k{number}=h0stile" for number in range(50)).encode(), FORM, "malformed_form"),
        (b'{"push_id": "spring", "member_id": "a", "h0stile": NaN}', "application/json",
         "malformed_json"),
        (b'{"push_id": "spring", "member_id": "\\ud800"}', "application/json", "malformed_json"),
        (b"[]", "application/json", "malformed_json"),
        (b"", "application/json", "malformed_json"),
        (b"push_id=spring&member_id=a", "text/plain", "unsupported_media_type"),
        (b"--x", "multipart/form-data; boundary=x", "unsupported_media_type"),
    ],
)  # fmt: skip
def test_a_body_that_does_not_read_is_a_problem(
    caller: Scored, body: bytes, content_type: str, code: str
) -> None:
    status, problem = post(caller, body, content_type)
    assert status in (400, 415)
    assert problem["type"] == f"urn:pushwise:problem:{code}"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"push_id": "spring"}', "/member_id"),
        ('{"push_id": 5, "member_id": "a"}', "/push_id"),
        ('{"push_id": "spring", "member_id": "a", "h0stile": {"x": 1}}', ""),
        ('{"push_id": "spring", "member_id": "a", "h0stile": 1e400}', ""),
        ('{"push_id": "spring", "member_id": ""}', "/member_id"),
    ],
)
def test_a_field_that_does_not_fit_is_pointed_at(caller: Scored, body: str, pointer: str) -> None:
    status, problem = post(caller, body, "application/json")
    assert status == 422
    assert problem["errors"][0]["pointer"] == pointer
    assert "h0stile" not in str(problem)


def test_a_header_that_does_not_fit_is_named(caller: Scored) -> None:
    response = caller.client.get(
        "/v1/decide",
        params={"push_id": "spring", "member_id": "a"},
        headers={**caller.headers("decide"), "Pushwise-Deadline-Ms": "h0stile"},
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].lower() == "/pushwise-deadline-ms"
    assert "h0stile" not in response.text
