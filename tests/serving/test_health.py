"""What operators see."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from starlette.testclient import TestClient
from starlette.types import Message

from serving import tables
from serving.app import create_app
from serving.errors import LogUnavailable
from serving.server import _Server
from serving.telemetry import PROCESSORS, log_to_stderr

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


def test_is_not_ready_when_the_list_of_suppressions_itself_cannot_be_read(scored: Scored) -> None:
    scored.log.write(tables.suppressions.drop)
    assert scored.client.get("/readyz").json()["failing"] == ["suppression_unreadable"]


def test_probes_in_a_row_write_once(scored: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    monkeypatch.setattr(scored.log, "check_writable", lambda: writes.append(1))
    assert {scored.client.get("/readyz").status_code for _ in range(50)} == {200}
    assert len(writes) <= 3


def test_a_database_that_hangs_makes_no_probe_wait(
    scored: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(scored.log, "check_writable", lambda: answers.wait(30))
    monkeypatch.setattr(scored.log, "suppressed", lambda _: answers.wait(30))
    started = monotonic()
    ready = scored.client.get("/readyz")
    assert monotonic() - started < 3
    assert ready.json()["failing"] == ["log_stuck", "suppression_stale"]
    assert "pushwise_ready 0.0" in scored.client.get("/metrics").text
    answers.set()


@pytest.mark.slow
def test_a_log_that_somebody_else_keeps_locked_is_noticed_and_comes_back(
    scored: Scored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.readiness.FRESH_SECONDS", 1.0)
    assert scored.client.get("/readyz").status_code == 200
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        failing = until(lambda: scored.client.get("/readyz").json()["failing"])
        assert failing[0] in ("log_stuck", "log_unwritable")
        other.execute("ROLLBACK")
    assert until(lambda: scored.client.get("/readyz").json()["ready"])


def until(told: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What ``told`` says once it says something; no answer takes longer than two seconds."""
    give_up = monotonic() + seconds
    while True:
        asked = monotonic()
        if found := told():
            return found
        assert monotonic() - asked < 2
        assert monotonic() < give_up
        sleep(0.2)


def test_a_list_read_too_long_ago_is_not_fresh(
    scored: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert scored.client.get("/readyz").status_code == 200
    stuck = threading.Event()
    monkeypatch.setattr(scored.log, "suppressed", lambda _: stuck.wait(30))
    monkeypatch.setattr("serving.readiness.FRESH_SECONDS", 1.2)
    sleep(1.3)
    assert scored.client.get("/readyz").json()["failing"] == ["suppression_stale"]
    stuck.set()


def test_who_is_about_to_stop_is_not_ready(scored: Scored) -> None:
    app = create_app(scored.parts)
    server = _Server(app, app, lambda: None)
    with TestClient(app) as client:
        assert client.get("/readyz").status_code == 200
        server.handle_exit(signal.SIGTERM, None)
        assert client.get("/readyz").json()["failing"] == ["draining"]
        assert client.get("/livez").json() == {"alive": True}


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


def test_a_sane_request_id_is_kept_and_the_trace_and_the_key_are_named(caller: Scored) -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    key = caller.key("decide")
    given = {
        "X-Request-Id": "engine-1.run_7", "traceparent": f"00-{trace}-{span}-01",
        "Authorization": f"Bearer {key}",
    }  # fmt: skip
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as lines:
        response = caller.client.post("/v1/decisions", json=BODY, headers=given)
    assert response.headers["x-request-id"] == "engine-1.run_7"
    _, _, key_id, secret = key.split("_")
    for line in lines:
        assert line["request_id"] == "engine-1.run_7"
        assert (line["key"], line["trace_id"], line["span_id"]) == (key_id, trace, span)
    assert secret not in json.dumps(lines)


@pytest.mark.parametrize(
    "given", ["short", "x" * 65, "line\tfeed-and-more", "-leading-dash", "a b c d e f"]
)
def test_a_request_id_that_is_no_token_is_replaced(scored: Scored, given: str) -> None:
    response = scored.client.get("/livez", headers={"X-Request-Id": given})
    answered = response.headers["x-request-id"]
    assert answered != given
    assert len(answered) == 32


def test_lines_of_libraries_are_json_too(capfd: pytest.CaptureFixture[str]) -> None:
    before = logging.root.handlers[:]
    logging.root.handlers.clear()
    try:
        log_to_stderr()
        logging.getLogger("uvicorn.error").warning('Invalid "HTTP" request\nreceived.')
    finally:
        logging.root.handlers[:] = before
        logging.getLogger("uvicorn").setLevel(logging.NOTSET)
        structlog.reset_defaults()
    line = json.loads(capfd.readouterr().err)
    assert line["event"] == 'Invalid "HTTP" request\nreceived.'
    assert (line["level"], line["logger"]) == ("warning", "uvicorn.error")


def test_a_logged_fault_shows_its_place_and_no_values() -> None:
    def failing(member_id: str) -> None:
        raise KeyError(member_id)

    written = io.StringIO()
    logger = structlog.wrap_logger(structlog.PrintLogger(written), processors=PROCESSORS)
    try:
        failing("secret-member")
    except KeyError:
        logger.exception("fault")
    line = json.loads(written.getvalue())
    (told,) = line["exception"]
    assert (told["exc_type"], told["frames"][-1]["name"]) == ("KeyError", "failing")
    assert "secret-member" not in written.getvalue().replace('failing("secret-member")', "")
