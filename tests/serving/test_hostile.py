"""Bodies that break servers: each gets a 4xx problem, or rows refused, and no echo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.past_pushes import past_court

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

MARK = "h0stile"
GOOD = {"push_id": "spring", "members": [{"member_id": "a"}]}


def around(member: str) -> bytes:
    return b'{"push_id": "spring", "members": [' + member.encode() + b"]}"


DECISIONS = {
    "empty": b"",
    "no JSON": MARK.encode(),
    "cut off": b'{"push_id": "spring"',
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "text": f'"{MARK}"'.encode(),
    "bad UTF-8": b'{"push_id": "\xff\xfe", "members": []}',
    "a lone byte": b"\x80",
    "NUL bytes": b"\x00" * 100,
    "NaN for k": b'{"push_id": "spring", "members": [{"member_id": "a"}], "k": NaN}',
    "Infinity for k": b'{"push_id": "spring", "members": [{"member_id": "a"}], "k": Infinity}',
    "1e400 for k": b'{"push_id": "spring", "members": [{"member_id": "a"}], "k": 1e400}',
    "huge whole number": b'{"push_id": "spring", "k": ' + b"9" * 5000 + b"}",
    "k as text": json.dumps({**GOOD, "k": "3"}).encode(),
    "k as a boolean": json.dumps({**GOOD, "k": True}).encode(),
    "negative k": json.dumps({**GOOD, "k": -1}).encode(),
    "k too big": json.dumps({**GOOD, "k": 11}).encode(),
    "unknown field": json.dumps({**GOOD, MARK: 1}).encode(),
    "unknown part": json.dumps({**GOOD, "include": [MARK]}).encode(),
    "push as a number": json.dumps({**GOOD, "push_id": 5}).encode(),
    "push null": json.dumps({**GOOD, "push_id": None}).encode(),
    "push empty": json.dumps({**GOOD, "push_id": ""}).encode(),
    "push too long": json.dumps({**GOOD, "push_id": MARK * 100}).encode(),
    "push with NUL": json.dumps({**GOOD, "push_id": f"{MARK}\x00"}).encode(),
    "surrogate push": b'{"push_id": "\\ud800", "members": [{"member_id": "a"}]}',
    "no members": json.dumps({**GOOD, "members": []}).encode(),
    "too many members": json.dumps(
        {**GOOD, "members": [{"member_id": str(number)} for number in range(1001)]}
    ).encode(),
    "members an object": json.dumps({**GOOD, "members": {"member_id": MARK}}).encode(),
    "member as text": around(f'"{MARK}"'),
    "member as a number": around('{"member_id": 12}'),
    "member missing": around("{}"),
    "member extra": around(f'{{"member_id": "a", "{MARK}": 1}}'),
    "surrogate member": around('{"member_id": "\\udfff"}'),
    "reversed surrogates": around('{"member_id": "\\udc00\\ud800"}'),
    "surrogate field name": around('{"member_id": "a", "\\ud800": 1}'),
    "surrogate context name": around('{"member_id": "a", "context": {"\\ud800": 1}}'),
    "surrogate context value": around('{"member_id": "a", "context": {"page": "\\ud800"}}'),
    "NaN context": around('{"member_id": "a", "context": {"page": NaN}}'),
    "1e400 context": around('{"member_id": "a", "context": {"page": 1e400}}'),
    "-1e400 context": around('{"member_id": "a", "context": {"page": -1e400}}'),
    "huge context number": around(f'{{"member_id": "a", "context": {{"page": {"9" * 400}}}}}'),
    "deep context": around(f'{{"member_id": "a", "context": {{"page": {"[" * 90}{"]" * 90}}}}}'),
    "nested context": around(f'{{"member_id": "a", "context": {{"{MARK}": {{}}}}}}'),
    "wide context": around(
        json.dumps({"member_id": "a", "context": {str(number): 1 for number in range(33)}})
    ),
    "deep list": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "deep in place": b'{"push_id": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "too large": b'{"push_id": "' + b"a" * (2 * 1024 * 1024) + b'"}',
    "many commas": b'{"push_id": [' + b"," * 10_000 + b"]}",
    "single quotes": b"{'push_id': 'spring'}",
    "comment": b'{"push_id": "spring" /* */}',
    "two documents": json.dumps(GOOD).encode() * 2,
    "prototype": b'{"__proto__": {}, "push_id": "spring", "members": []}',
}


@pytest.mark.parametrize("body", DECISIONS.values(), ids=DECISIONS.keys())
def test_a_hostile_body_is_refused_without_echo(caller: Scored, body: bytes) -> None:
    response = caller.client.post(
        "/v1/decisions", content=body, headers={"Content-Type": "application/json"}
    )
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"].startswith("urn:pushwise:problem:")
    assert MARK not in response.text
    assert not caller.decider.release.asked


AUDIT = {"rule": "seen_days__hualien <= 30", "offer_id": "H-5"}
AUDITS = {
    "empty": b"",
    "no JSON": MARK.encode(),
    "a list": b"[]",
    "no rule": json.dumps({"offer_id": MARK}).encode(),
    "rule empty": json.dumps({**AUDIT, "rule": ""}).encode(),
    "rule with NUL": json.dumps({**AUDIT, "rule": f"{MARK}\x00"}).encode(),
    "rule too long": json.dumps({**AUDIT, "rule": MARK * 1000}).encode(),
    "rule a number": json.dumps({**AUDIT, "rule": 1}).encode(),
    "rule of an unknown feature": json.dumps({**AUDIT, "rule": f"{MARK} < 1"}).encode(),
    "rule that runs code": json.dumps({**AUDIT, "rule": f"__import__('{MARK}')"}).encode(),
    "deep rule": json.dumps({**AUDIT, "rule": "(" * 2_000 + MARK}).encode(),
    "deep not": json.dumps({**AUDIT, "rule": "not " * 900 + MARK}).encode(),
    "surrogate rule": b'{"rule": "\\ud800 < 1", "offer_id": "H-5"}',
    "no offer": json.dumps({"rule": AUDIT["rule"]}).encode(),
    "offer null": json.dumps({**AUDIT, "offer_id": None}).encode(),
    "offer with NUL": json.dumps({**AUDIT, "offer_id": f"{MARK}\x00"}).encode(),
    "unknown pool": json.dumps({**AUDIT, "pool": MARK}).encode(),
    "unknown objective": json.dumps({**AUDIT, "objective": MARK}).encode(),
    "in_scope as text": json.dumps({**AUDIT, "in_scope": "true"}).encode(),
    "unknown field": json.dumps({**AUDIT, MARK: 1}).encode(),
}


@pytest.mark.parametrize("body", AUDITS.values(), ids=AUDITS.keys())
def test_a_hostile_question_about_a_rule_is_refused_without_echo(
    caller: Scored, body: bytes
) -> None:
    caller.decider.release.court = past_court(600)
    response = caller.client.post(
        "/v1/rules:audit", content=body, headers={"Content-Type": "application/json"}
    )
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert MARK not in response.text


AUDIENCE = {"push_id": "spring"}
AUDIENCES = {
    "empty": b"",
    "no JSON": MARK.encode(),
    "a list": b"[]",
    "no push": json.dumps({"budget": 1}).encode(),
    "unknown push": json.dumps({"push_id": MARK}).encode(),
    "push with NUL": json.dumps({"push_id": f"{MARK}\x00"}).encode(),
    "NaN budget": b'{"push_id": "spring", "budget": NaN}',
    "1e400 budget": b'{"push_id": "spring", "budget": 1e400}',
    "negative budget": json.dumps({**AUDIENCE, "budget": -1}).encode(),
    "budget as text": json.dumps({**AUDIENCE, "budget": MARK}).encode(),
    "half a member": json.dumps({**AUDIENCE, "max_audience": 0.5}).encode(),
    "endless audience": b'{"push_id": "spring", "min_audience": ' + b"9" * 400 + b"}",
    "rule of an unknown feature": json.dumps({**AUDIENCE, "rule": f"{MARK} < 1"}).encode(),
    "rule that runs code": json.dumps({**AUDIENCE, "rule": f"__import__('{MARK}')"}).encode(),
    "deep rule": json.dumps({**AUDIENCE, "rule": "not " * 900 + MARK}).encode(),
    "unknown field": json.dumps({**AUDIENCE, MARK: 1}).encode(),
}


@pytest.mark.parametrize("body", AUDIENCES.values(), ids=AUDIENCES.keys())
def test_a_hostile_question_for_an_audience_is_refused_without_echo(
    caller: Scored, body: bytes
) -> None:
    response = caller.client.post(
        "/v1/audiences", content=body, headers={"Content-Type": "application/json"}
    )
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert MARK not in response.text


VIEW = '"event_id": "e1", "member_id": "a", "type": "view", "occurred_at": "2026-05-01T00:00:00Z"'
ROWS = {
    "NaN": f'{{{VIEW}, "unit_price": NaN}}',
    "1e400": f'{{{VIEW}, "unit_price": 1e400}}',
    "-Infinity": f'{{{VIEW}, "quantity": -Infinity}}',
    "surrogate": f'{{{VIEW}, "query": "\\ud800"}}',
    "surrogate name": f'{{{VIEW}, "\\ud800": 1}}',
    "NUL": f'{{{VIEW}, "query": "\\u0000"}}',
    "long text": f'{{{VIEW}, "query": "{"a" * 5000}"}}',
    "far time": '{"event_id": "e1", "member_id": "a", "type": "view", '
    '"occurred_at": "0001-01-01T00:00:00+14:00"}',
    "surrogate time": '{"event_id": "e1", "member_id": "a", "type": "view", '
    '"occurred_at": "2026-05-01T00:00:\\ud80000Z"}',
    "list for text": f'{{{VIEW}, "query": [[[]]]}}',
    "object for number": f'{{{VIEW}, "quantity": {{}}}}',
    "endless decimals": f'{{{VIEW}, "unit_price": "1e99999999999999999999"}}',
    "many digits": f'{{{VIEW}, "unit_price": "{"9" * 3000}"}}',
    "boolean id": '{"event_id": true}',
    "null": "null",
    "number": "7",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_hostile_row_is_rejected_alone(caller: Scored, row: str) -> None:
    good = '{"event_id": "good", "member_id": "a", "type": "view", ' + VIEW.split(", ", 3)[3] + "}"
    response = caller.client.post(
        "/v1/events",
        content=f'{{"events": [{row}, {good}]}}'.encode(),
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 200, response.text
    assert [one["index"] for one in response.json()["rejected"]] == [0]
    assert response.json()["accepted"] == 1


@pytest.mark.parametrize(
    "path", ["/v1/events", "/v1/outcomes", "/v1/decisions", "/v1/rules:audit", "/v1/audiences"]
)
def test_a_body_that_does_not_say_it_is_json_is_refused(caller: Scored, path: str) -> None:
    response = caller.client.post(
        path, content=b"a=b", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert response.status_code == 422


@pytest.mark.parametrize(
    "query",
    ["", "push_id=spring", "push_id=spring&member_id=", "push_id=spring&member_id=%00",
     "member_id=a&push_id=" + "x" * 300],
)  # fmt: skip
def test_a_hostile_query_is_refused(caller: Scored, query: str) -> None:
    assert 400 <= caller.client.get(f"/v1/decide?{query}").status_code < 500


ERASURES = {
    "nobody": b'{"member_ids": []}',
    "too many": json.dumps({"member_ids": [str(number) for number in range(1001)]}).encode(),
    "an empty id": b'{"member_ids": [""]}',
    "NUL": b'{"member_ids": ["\\u0000"]}',
    "a surrogate": b'{"member_ids": ["\\ud800"]}',
    "numbers": f'{{"member_ids": [5, "{MARK}", null]}}'.encode(),
    "text": f'{{"member_ids": "{MARK}"}}'.encode(),
    "unknown field": f'{{"member_ids": ["a"], "{MARK}": 1}}'.encode(),
    "too long": json.dumps({"member_ids": [MARK * 100]}).encode(),
    "deep": b'{"member_ids": ' + b"[" * 200 + b"]" * 200 + b"}",
}


@pytest.mark.parametrize("body", ERASURES.values(), ids=ERASURES)
def test_a_hostile_erasure_records_nothing(caller: Scored, body: bytes) -> None:
    response = caller.client.post(
        "/v1/erasures", content=body, headers={"Content-Type": "application/json"}
    )
    assert 400 <= response.status_code < 500, response.text
    assert MARK not in response.text
    assert caller.parts.erasures.pending() == []


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/decide/", "/v2/decisions", "/%00", "/docs"])
def test_other_paths_are_problems_too(caller: Scored, path: str) -> None:
    response = caller.client.get(path, follow_redirects=False)
    assert response.status_code in {404, 307}
    if response.status_code == 404:
        assert response.headers["content-type"] == "application/problem+json"


def test_another_method_is_a_problem(caller: Scored) -> None:
    response = caller.client.delete("/v1/decisions")
    assert response.status_code == 405
    assert response.json()["type"] == "urn:pushwise:problem:method_not_allowed"


def test_a_fault_of_ours_is_a_500_problem_without_detail(
    caller: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError(MARK)

    monkeypatch.setattr(type(caller.parts.telemetry), "answered", broken)
    with structlog.testing.capture_logs() as lines:
        response = caller.client.post("/v1/decisions", json=GOOD)
    assert [line["event"] for line in lines] == ["fault", "call"]
    assert response.status_code == 500
    assert response.headers["x-request-id"]
    assert response.json()["type"] == "urn:pushwise:problem:internal"
    assert MARK not in response.text


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.binary(max_size=200))
def test_no_bytes_make_the_scorer_fail(caller: Scored, body: bytes) -> None:
    for path in ("/v1/decisions", "/v1/events", "/v1/outcomes", "/v1/rules:audit"):
        response = caller.client.post(
            path, content=body, headers={"Content-Type": "application/json"}
        )
        assert 400 <= response.status_code < 500
