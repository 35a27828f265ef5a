"""What operators see: Prometheus metrics and structured logs. Member ids are in neither."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict

from serving.breaker import State
from serving.schemas import Versions

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LONG = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_NUMBERS = (1, 2, 4, 8, 16, 32, 64, 128)
_MEMBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

_BREAKER_STATES: tuple[State, ...] = ("closed", "half_open", "open")


@dataclass(frozen=True, slots=True)
class Described:
    """A metric, for the reference. ``kind``: counter, gauge or histogram."""

    name: str
    kind: str
    means: str
    labels: tuple[str, ...]


class _Made:
    """Makes metrics in a registry of their own, and remembers what each means."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described: list[Described] = []

    def counter(self, name: str, means: str, *labels: str) -> Counter:
        self.described.append(Described(name, "counter", means, labels))
        return Counter(name, means, labels, registry=self.registry)

    def gauge(self, name: str, means: str, *labels: str) -> Gauge:
        self.described.append(Described(name, "gauge", means, labels))
        return Gauge(name, means, labels, registry=self.registry)

    def histogram(self, name: str, means: str, buckets: Sequence[float], *labels: str) -> Histogram:
        self.described.append(Described(name, "histogram", means, labels))
        return Histogram(name, means, labels, buckets=buckets, registry=self.registry)


class Telemetry:
    """The metrics of one scorer, in a registry of their own.

    Labels take few values: routes, reasons, states, and ids of the catalogue (pushes, releases);
    never an id of a member, a decision or a call.
    """

    def __init__(self) -> None:
        made = _Made()
        self._calls(made)
        self._load(made)
        self._log(made)
        self._releases(made)
        self._state(made)
        self._monitors(made)
        self._registry = made.registry
        self.described = tuple(made.described)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def _calls(self, made: _Made) -> None:
        self._requests = made.counter(
            "pushwise_http_requests_total",
            "Calls answered; status 499 for callers who hung up first.",
            "route", "method", "status",
        )  # fmt: skip
        self._request_seconds = made.histogram(
            "pushwise_http_request_duration_seconds", "Time from call to answer.", _SECONDS, "route"
        )
        self._answers = made.counter(
            "pushwise_decisions_total", "Decisions answered; reason is send or why not.", "reason"
        )
        self._degraded = made.counter(
            "pushwise_degraded_answers_total",
            "Calls for decisions answered with less than everything, by what was missing.",
            "reason",
        )
        self._refused = made.counter(
            "pushwise_refused_calls_total",
            "Calls turned away before any work: overload or rate_limit.",
            "why",
        )
        self._replays = made.counter(
            "pushwise_idempotent_replays_total",
            "Calls answered with the bytes of an earlier one under the same Idempotency-Key.",
        )
        self._misses = made.counter(
            "pushwise_deadline_misses_total", "Calls for decisions answered after their deadline."
        )

    def _load(self, made: _Made) -> None:
        self._queue = made.gauge(
            "pushwise_queue_length", "Calls for decisions that wait for their turn."
        )
        self._queue_seconds = made.histogram(
            "pushwise_queue_wait_seconds", "Time a call for decisions waited for its turn.",
            _SECONDS,
        )  # fmt: skip
        self._batch = made.histogram(
            "pushwise_batch_members", "Members decided together in one batch.", _MEMBERS
        )
        self._breakers = made.gauge(
            "pushwise_breaker_state",
            "1 for the state that the breaker is in, 0 for the others.",
            "breaker", "state",
        )  # fmt: skip
        self._fresh = made.gauge(
            "pushwise_fresh_features_behind_seconds",
            "How long ago the follower had brought in everything, as the scorer's last read of the "
            "online store found.",
        )

    def _log(self, made: _Made) -> None:
        self._rows = made.counter(
            "pushwise_rows_total", "Rows of events and outcomes taken in.", "table", "result"
        )
        self._commit_seconds = made.histogram(
            "pushwise_log_commit_duration_seconds", "Time of a commit to the log.", _SECONDS
        )
        self._commit_writes = made.histogram(
            "pushwise_log_commit_writes", "Writes that shared a commit.", _NUMBERS
        )
        self._written = made.gauge(
            "pushwise_log_written_timestamp_seconds",
            "When the readiness check last wrote to the log.",
        )
        self._listed = made.gauge(
            "pushwise_suppression_read_timestamp_seconds",
            "When the readiness check last read the list of suppressions.",
        )
        self._readable = made.gauge(
            "pushwise_suppression_readable",
            "1 when the last read of the list of suppressions succeeded, else 0.",
        )

    def _releases(self, made: _Made) -> None:
        self._as_of = made.gauge(
            "pushwise_release_as_of_timestamp_seconds", "As-of of the release in use.", "release"
        )
        self._loads = made.counter(
            "pushwise_release_loads_total", "Releases loaded or refused.", "result"
        )
        self._load_seconds = made.histogram(
            "pushwise_release_load_duration_seconds",
            "Time to verify, rehearse, parse and compare a release that is then in use.",
            _LONG,
        )

    def _state(self, made: _Made) -> None:
        self._ready = made.gauge(
            "pushwise_ready", "1 when the last readiness check found nothing amiss, else 0."
        )
        self._used = made.gauge(
            "pushwise_push_limit_used_ratio",
            "Share of a push's limit that is reserved or spent; pushes of the release in use.",
            "push_id", "limit",
        )  # fmt: skip
        self._jobs = made.gauge(
            "pushwise_audience_jobs", "Audiences asked for, by how far they are.", "state"
        )
        self._erasures = made.gauge(
            "pushwise_erasures_pending_jobs", "Erasures recorded and not done everywhere."
        )
        self._erasure_asked = made.gauge(
            "pushwise_erasures_pending_since_timestamp_seconds",
            "When the oldest of them was asked for; 0 where none is pending.",
        )

    def _monitors(self, made: _Made) -> None:
        self._monitor = made.gauge(
            "pushwise_monitor_state",
            "What `pushwise monitor` last found, the worst of a monitor's subjects: 0 as it should "
            "be, 1 a warning, 2 an alert, -1 it cannot say.",
            "monitor",
        )
        self._alerting = made.gauge(
            "pushwise_monitor_alert_state", "1 for subjects that alert; at most 20 of a monitor.",
            "monitor", "subject",
        )  # fmt: skip
        self._monitored = made.gauge(
            "pushwise_monitor_run_timestamp_seconds",
            "When `pushwise monitor` last ran; 0 where it never did.",
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def answered(self, reason: str | None) -> None:
        self._answers.labels(reason or "send").inc()

    def degraded(self, reason: str) -> None:
        """One call got a lesser answer; ``reason`` is an entry of its ``degraded``."""
        self._degraded.labels(reason).inc()

    def refused(self, why: Literal["overload", "rate_limit"]) -> None:
        self._refused.labels(why).inc()

    def replayed(self) -> None:
        self._replays.inc()

    def missed_deadline(self) -> None:
        self._misses.inc()

    def queued(self, length: int) -> None:
        """How many calls wait now."""
        self._queue.set(length)

    def waited(self, seconds: float) -> None:
        self._queue_seconds.observe(seconds)

    def batched(self, size: int) -> None:
        """``size``: members decided together."""
        self._batch.observe(size)

    def breaker(self, name: str, state: State) -> None:
        for one in _BREAKER_STATES:
            self._breakers.labels(name, one).set(one == state)

    def fresh_behind(self, seconds: float) -> None:
        self._fresh.set(seconds)

    def rows(self, table: str, accepted: int, duplicates: int, rejected: int) -> None:
        for result, count in (
            ("accepted", accepted), ("duplicate", duplicates), ("rejected", rejected),
        ):  # fmt: skip
            self._rows.labels(table, result).inc(count)

    def committed(self, writes: int, seconds: float) -> None:
        self._commit_writes.observe(writes)
        self._commit_seconds.observe(seconds)

    def log_written(self, at: float) -> None:
        """``at``: Unix time, like that of ``suppressions_read``."""
        self._written.set(at)

    def suppressions_read(self, at: float | None) -> None:
        """None: they could not be read."""
        self._readable.set(at is not None)
        if at is not None:
            self._listed.set(at)

    def serving(self, versions: Versions) -> None:
        self._loads.labels("loaded").inc()
        self._as_of.clear()
        self._as_of.labels(versions.release).set(versions.as_of.timestamp())

    def loaded_in(self, seconds: float) -> None:
        self._load_seconds.observe(seconds)

    def refused_release(self) -> None:
        self._loads.labels("refused").inc()

    def ready(self, is_ready: bool) -> None:
        self._ready.set(is_ready)

    def standing(self, used: Mapping[tuple[str, str], float], jobs: Mapping[str, int]) -> None:
        """used: share of the limit, by push and limit. jobs: audience jobs by state."""
        self._used.clear()
        for labels, share in used.items():
            self._used.labels(*labels).set(share)
        for state, count in jobs.items():
            self._jobs.labels(state).set(count)

    def erasures(self, pending: int, since: float) -> None:
        """since: Unix time when the oldest was asked for, 0 where none is pending."""
        self._erasures.set(pending)
        self._erasure_asked.set(since)

    def monitored(
        self, at: float, states: Mapping[str, int], alerting: Sequence[tuple[str, str]]
    ) -> None:
        """at: Unix time of the run. states: by monitor. alerting: monitor and subject of each."""
        self._monitored.set(at)
        self._monitor.clear()
        self._alerting.clear()
        for monitor, state in states.items():
            self._monitor.labels(monitor).set(state)
        for labels in alerting:
            self._alerting.labels(*labels).set(1)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


_SHARED = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def _without_messages(_: object, __: str, line: EventDict) -> EventDict:
    """A message may repeat a value that was met, such as a KeyError's: its type and place stay."""
    for part in line.get("exception") or ():
        if isinstance(part, dict):
            part |= {"exc_value": "", "exc_notes": []}
    return line


_SHOWN = (
    # Local variables hold member ids: tracebacks do without them.
    structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    _without_messages,
    structlog.processors.JSONRenderer(),
)
PROCESSORS = (*_SHARED, *_SHOWN)


def log_to_stderr(*, quiet: bool = False) -> None:
    """JSON lines on stderr, ours and those of the libraries; ``quiet`` leaves only warnings."""
    least = logging.WARNING if quiet else logging.INFO
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(least),
        processors=PROCESSORS,
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SHARED],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_SHOWN],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    # When it began, what it could not read, when it stopped; of calls it is told to say nothing.
    logging.getLogger("uvicorn").setLevel(least)
