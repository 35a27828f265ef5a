"""What operators see: Prometheus metrics and structured logs. Member ids are in neither."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from time import perf_counter
from typing import Any
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.tracebacks import ExceptionDictTransformer

from serving.errors import fault_response
from serving.schemas import Versions

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_WRITES = (1, 2, 4, 8, 16, 32, 64, 128)


class Telemetry:
    """The metrics of one scorer, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "pushwise_http_requests_total", "Calls answered.", ("route", "method", "status"),
            registry=registry,
        )  # fmt: skip
        self._request_seconds = Histogram(
            "pushwise_http_request_duration_seconds", "Time from call to answer.", ("route",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._answers = Counter(
            "pushwise_decisions_total", "Decisions answered; reason is send or why not.",
            ("reason",), registry=registry,
        )  # fmt: skip
        self._rows = Counter(
            "pushwise_rows_total", "Rows of events and outcomes taken in.", ("table", "result"),
            registry=registry,
        )  # fmt: skip
        self._commit_seconds = Histogram(
            "pushwise_log_commit_duration_seconds", "Time of a commit to the log.",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._commit_writes = Histogram(
            "pushwise_log_commit_writes", "Writes that shared a commit.",
            buckets=_WRITES, registry=registry,
        )  # fmt: skip
        self._as_of = Gauge(
            "pushwise_release_as_of_timestamp_seconds", "As-of of the release in use.",
            ("release",), registry=registry,
        )  # fmt: skip
        self._loads = Counter(
            "pushwise_release_loads_total", "Releases loaded or refused.", ("result",),
            registry=registry,
        )  # fmt: skip

    def answered(self, reason: str | None) -> None:
        self._answers.labels(reason or "send").inc()

    def rows(self, table: str, accepted: int, duplicates: int, rejected: int) -> None:
        for result, count in (
            ("accepted", accepted), ("duplicate", duplicates), ("rejected", rejected),
        ):  # fmt: skip
            self._rows.labels(table, result).inc(count)

    def committed(self, writes: int, seconds: float) -> None:
        self._commit_writes.observe(writes)
        self._commit_seconds.observe(seconds)

    def serving(self, versions: Versions) -> None:
        self._loads.labels("loaded").inc()
        self._as_of.clear()
        self._as_of.labels(versions.release).set(versions.as_of.timestamp())

    def refused_release(self) -> None:
        self._loads.labels("refused").inc()

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class Observed:
    """ASGI middleware: a request id on every answer, one log line, the metrics, and the 500s.

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
        started, request_id, status, answering = perf_counter(), uuid4().hex, _GONE, False

        async def named(message: Message) -> None:
            nonlocal status, answering
            if message["type"] == "http.response.start":
                status, answering = message["status"], True
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
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
            self._log.info("call", route=route, method=method, status=status, seconds=seconds)
            structlog.contextvars.clear_contextvars()


_GONE = 499  # the caller hung up before there was an answer; no fault of ours
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


PROCESSORS = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # Local variables hold member ids: tracebacks do without them.
    structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    structlog.processors.JSONRenderer(),
)


def log_to_stderr(*, quiet: bool = False) -> None:
    """JSON lines on stderr, ours and those of the libraries; ``quiet`` leaves only warnings."""
    least = logging.WARNING if quiet else logging.INFO
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(least),
        processors=PROCESSORS,
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format='{"level": "%(levelname)s", "logger": "%(name)s", "event": "%(message)s"}',
    )
