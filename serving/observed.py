"""Every call is seen: a request id on its answer, one log line, the metrics, and the 500s."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import fault_response
from serving.telemetry import Telemetry

_GONE = 499  # the caller hung up before there was an answer; no fault of ours
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_TRACE = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_KEY_ID = re.compile(rb"(?i:bearer) +pw_[a-z0-9]{1,16}_([0-9a-f]{12})_")


class Observed:
    """ASGI middleware: a request id on every answer, one log line, the metrics, and the 500s.

    Every line that a call logs carries ``request_id``: the caller's ``X-Request-Id`` where that is
    8 to 64 of letters, digits, ``.``, ``_`` and ``-``, else one of ours; ``key``, the id (not the
    secret) of the API key that the call claims to have; and ``trace_id`` and ``span_id`` of its
    ``traceparent`` (W3C Trace Context, level 1).

    Args:
        routes: path template by endpoint. Paths as called never show: they may hold ids.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry, routes: Mapping[Any, str]) -> None:
        self._app = app
        self._telemetry = telemetry
        self._routes = routes
        self._log = structlog.get_logger("pushwise.http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, answering = perf_counter(), _GONE, False
        told = _told(scope["headers"])
        request_id = told["request_id"].encode()

        async def named(message: Message) -> None:
            nonlocal status, answering
            if message["type"] == "http.response.start":
                status, answering = message["status"], True
                headers = [*message.get("headers", ()), (b"x-request-id", request_id)]
                message = {**message, "headers": headers}
            await send(message)

        structlog.contextvars.bind_contextvars(**told)
        try:
            await self._app(scope, receive, named)
        # The one place where faults end: logged with their traceback, answered without.
        except Exception:
            self._log.exception("fault")
            if answering:
                raise
            await fault_response()(scope, receive, named)
        finally:
            seconds = perf_counter() - started
            route = self._routes.get(scope.get("endpoint"), "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._telemetry.request(route, method, status, seconds)
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                self._telemetry.refused("rate_limit")
            self._log.info("call", route=route, method=method, status=status, seconds=seconds)
            structlog.contextvars.clear_contextvars()


def _told(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """What the headers say of the call that may stand in a log."""
    given = dict(headers)
    mine = _REQUEST_ID.fullmatch(given.get(b"x-request-id", b""))
    told = {"request_id": mine[0].decode() if mine else uuid4().hex}
    if key := _KEY_ID.match(given.get(b"authorization", b"")):
        told["key"] = key[1].decode()
    if trace := _TRACE.fullmatch(given.get(b"traceparent", b"")):
        told |= {"trace_id": trace[1].decode(), "span_id": trace[2].decode()}
    return told
