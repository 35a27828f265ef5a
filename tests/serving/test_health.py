"""What operators see."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

import pytest
import structlog
from starlette.types import Message

from serving.errors import LogUnavailable
from serving.telemetry import PROCESSORS

if TYPE_CHECKING:
    from tests.serving.conftest import Scored

BODY = {"push_id": "spring", "members": [{"member_id": "secret-member"}]}


def test_lives_and_is_ready_without_a_key(scored: Scored) -> None:
    assert scored.client.get("/livez").json() == {"alive": True}
    ready = scored.client.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"ready": True, "release": "r1", "failing": []},
    )


def test_is_not_ready_when_the_log_cannot_be_used(
    scored: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LogUnavailable

    monkeypatch.setattr(scored.log, "check_writable", fail)
    monkeypatch.setattr(scored.log, "suppressed", fail)
    ready = scored.client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["failing"] == ["log_unwritable", "suppression_unreadable"]


def test_metrics_count_by_route_and_reason_never_by_member(caller: Scored) -> None:
    caller.client.post("/v1/decisions", json=BODY)
    caller.client.get("/v1/decide", params={"push_id": "spring", "member_id": "secret-member"})
    caller.client.get("/v1/decisions/secret-decision")
    caller.client.get("/secret-path")
    metrics = caller.client.get("/metrics").text
    assert 'pushwise_decisions_total{reason="send"} 2.0' in metrics
    assert (
        'pushwise_http_requests_total{method="GET",route="/v1/decisions/{decision_id}",'
        'status="404"} 1.0'
    ) in metrics
    assert 'route="none"' in metrics
    assert "secret" not in metrics


def test_a_caller_that_hangs_up_is_no_fault(caller: Scored) -> None:
    scope = {
        "type": "http", "method": "POST", "path": "/v1/decisions", "query_string": b"",
        "headers": [(b"content-length", b"9")],
    }  # fmt: skip

    async def hung_up() -> Message:
        return {"type": "http.disconnect"}

    async def nobody_hears(message: Message) -> None:
        raise AssertionError(message)

    async def call() -> None:
        await caller.client.app(scope, hung_up, nobody_hears)

    asyncio.run(call())
    metrics = caller.client.get("/metrics").text
    assert 'method="POST",route="none",status="499"} 1.0' in metrics


def test_logs_carry_request_and_decision_ids_and_no_member(caller: Scored) -> None:
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as lines:
        response = caller.client.post("/v1/decisions", json=BODY)
    decided, call = lines
    assert decided["decision_ids"] == [response.json()["decisions"][0]["decision_id"]]
    assert decided["request_id"] == call["request_id"] == response.headers["x-request-id"]
    assert (call["route"], call["status"]) == ("/v1/decisions", 200)
    assert "secret" not in json.dumps(lines)


def test_a_logged_fault_shows_no_variables() -> None:
    def failing(member_id: str) -> None:
        raise ZeroDivisionError(f"length {len(member_id)}")

    written = io.StringIO()
    logger = structlog.wrap_logger(structlog.PrintLogger(written), processors=PROCESSORS)
    try:
        failing("secret-member")
    except ZeroDivisionError:
        logger.exception("fault")
    line = json.loads(written.getvalue())
    assert line["exception"][0]["exc_value"] == "length 13"
    assert "secret-member" not in written.getvalue().replace('failing("secret-member")', "")
