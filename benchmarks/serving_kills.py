"""Kill -9 under load, at named points and at random moments: what was answered stands.

A scorer that follows the workspace's pointer is loaded with decisions, events and outcomes until
it kills itself, or is killed. Then the log is compared with what was answered: each decision and
each accepted row is there once, and what the push has used of its limits is what its rows say.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select

from benchmarks.paced_push import recount
from benchmarks.serving_ground import Kill, When
from serving import tables
from serving.log import Log

_GIVE_UP = 60.0  # seconds until a point must have been reached
_EACH = 2  # members of a call
_WRITER = "log-writer"


@dataclass(frozen=True, slots=True)
class Point:
    """Where the process ends; as of ``Kill``. publishes: another release is published under load.
    command: the ``pushwise`` command that is killed instead of a scorer."""

    target: str
    when: When
    nth: int = 1
    thread: str = ""
    publishes: bool = False
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        number = f" {self.nth}" if self.nth > 1 else ""
        return f"{self.when} {self.target.partition(':')[2]}{number}"


def _both(target: str, nth: int, thread: str = "", publishes: bool = False) -> tuple[Point, Point]:
    first = Point(target, "before", nth, thread, publishes)
    return first, Point(target, "after", nth, thread, publishes)


_PUBLISH = ("release", "publish")
POINTS: tuple[Point, ...] = (
    *_both("serving.scorer:look", 5),
    *_both("serving.release:Release.choose", 6),
    *_both("serving.scorer:logged", 4),
    *_both("serving.log:Log.keep_decisions", 7),
    *_both("serving.ledger:reserve", 8),
    *_both("serving.ledger:expire", 9),
    *_both("serving.ledger:_Counters.write", 6),
    *_both("serving.vectors:keep", 5),
    *_both("sqlalchemy.engine.base:Connection._commit_impl", 12, _WRITER),
    Point("sqlalchemy.engine.base:Connection._commit_impl", "after", 60, _WRITER),
    *_both("serving.telemetry:Telemetry.committed", 10),  # on disk, and nobody was told
    *_both("serving.engine:Engine._end", 9),
    *_both("serving.scorer:Scorer._guarded", 6),
    *_both("serving.routes.decisions:_report", 11),  # the last thing before the answer
    *_both("serving.ledger:settle", 3),
    *_both("serving.ledger:_enter", 3),
    *_both("serving.log:Batch.write", 4),
    *_both("serving.watch:check", 2, publishes=True),
    *_both("serving.release:check_golden", 2, publishes=True),
    *_both("serving.telemetry:Telemetry.serving", 2, publishes=True),
    *_both("serving.watch:Published._loaded", 2, publishes=True),
    Point("serving.pointer:check", "after", command=_PUBLISH),
    Point("serving.pointer:_write_history", "before", command=_PUBLISH),
    Point("serving.pointer:_write_history", "after", command=_PUBLISH),
    Point("serving.pointer:write_atomically", "before", 2, command=_PUBLISH),
    Point("serving.pointer:write_atomically", "after", 2, command=_PUBLISH),
)


@dataclass
class Answered:
    """What callers were told: decisions by member, and ids of accepted events and outcomes."""

    push: str
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    outcomes: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Found:
    """How the log differs from what was answered; all 0 and True as it should be."""

    lost: int
    doubled: int
    counters_right: bool


class Ground:
    """The process that forks scorers; see ``benchmarks.serving_ground``."""

    def __init__(self, errors: Path) -> None:
        with errors.open("a") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.serving_ground"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True,
                env={name: value for name, value in os.environ.items()
                     if not name.startswith("PUSHWISE_")},
            )  # fmt: skip
        self._heard: dict[str, Any] = {}

    def __enter__(self) -> Ground:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, kill: Kill) -> int:
        """The process id of the child."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(kill)) + "\n")
        self._process.stdin.flush()
        child: int = self.said("child")
        return child

    def said(self, what: str) -> Any:
        """What the next line about ``what`` says, of the child or of its end.

        Raises:
            RuntimeError: the child ended before.
        """
        assert self._process.stdout is not None
        while what not in self._heard:
            said = json.loads(self._process.stdout.readline() or '{"ended": "all"}')
            self._heard.update(said)
            if "ended" in said and what not in said:
                raise RuntimeError(f"the child ended ({said['ended']}) before it said {what}")
        return self._heard.pop(what)


@dataclass(frozen=True, slots=True)
class Field:
    """Where to kill. members: of the releases, named m0000000 and so on. releases: two that are
    published in turn. publish: publishes one of them."""

    workspace: Path
    push: str
    key: str
    members: int
    releases: tuple[str, str]
    publish: Callable[[str], object]

    def serve(self, *options: str) -> tuple[str, ...]:
        return ("serve", "--workspace", str(self.workspace), "--port", "0", "--no-fresh",
                "--vector-sample", "1", "--deadline-ms", "20000", *options)  # fmt: skip


def killed_at(point: Point, ground: Ground, where: Field, answered: Answered) -> None:
    """Load a scorer, or run a command, until it ended at ``point``.

    Raises:
        RuntimeError: the point was not reached, or it ended otherwise.
    """
    where.publish(where.releases[0])
    command = (*point.command, where.releases[1], "--workspace", str(where.workspace))
    arguments = command if point.command else where.serve()
    ground.begin(Kill(arguments, point.target, point.when, point.nth, point.thread))
    if not point.command:
        with loaded(ground.said("listening"), where, answered):
            if point.publishes:
                where.publish(where.releases[1])
            ended = ground.said("ended")
    else:
        ended = ground.said("ended")
    if ended != signal.SIGKILL:
        raise RuntimeError(f"{point.name}: {ended}, wanted an end by SIGKILL")


@contextmanager
def loaded(address: str, where: Field, answered: Answered) -> Iterator[None]:
    """Callers ask and report until the scorer is gone; then the block ends."""
    numbers = count(len(answered.decisions))
    stop = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        streams = [pool.submit(_ask, address, where, answered, numbers, stop) for _ in range(2)]
        streams.append(pool.submit(_report, address, where, answered, stop))
        timer = threading.Timer(_GIVE_UP, stop.set)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            stop.set()
        for one in streams:
            one.result()


class Connection:
    """One keep-alive connection; ``None`` where the scorer went away."""

    def __init__(self, address: str, key: str) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, path: str, body: Any) -> dict[str, Any] | None:
        try:
            self._connection.request("POST", path, json.dumps(body), self._headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            return None
        if response.status != 200:
            raise RuntimeError(f"{path} was answered {response.status}: {text.decode()}")
        found: dict[str, Any] = json.loads(text)
        return found


def _ask(
    address: str, where: Field, answered: Answered, numbers: Iterator[int], stop: threading.Event
) -> None:
    prefix = f"{time.time_ns():x}"
    with Connection(address, where.key) as connection:
        while not stop.is_set():
            first = next(numbers)
            members = [{"member_id": f"{prefix}-{first}-{row}"} for row in range(_EACH)]
            members += [{"member_id": f"m{first % where.members:07d}"}]
            found = connection.post("/v1/decisions", {"push_id": where.push, "members": members})
            if found is None:
                return
            answered.decisions.update({one["member_id"]: one for one in found["decisions"]})


def _report(address: str, where: Field, answered: Answered, stop: threading.Event) -> None:
    with Connection(address, where.key) as connection:
        for number in count():
            batches = _batches(list(answered.decisions.values())[-4:], number)
            for path, rows in batches.items() if not stop.is_set() else ():
                receipt = connection.post(f"/v1/{path}", {path: rows})
                if receipt is None:
                    return
                if receipt["accepted"] == len(rows):
                    kept = answered.events if path == "events" else answered.outcomes
                    kept.update(row["event_id"] for row in rows)
            if stop.is_set():
                return


def _batches(told: Sequence[Mapping[str, Any]], number: int) -> dict[str, list[dict[str, Any]]]:
    """Events of members, and outcomes of decisions of late."""
    at, prefix = "2026-05-02T10:00:00+00:00", f"{time.time_ns():x}-{number}"
    events = [
        {"event_id": f"e{prefix}-{row}", "member_id": f"m{row:02d}", "type": "app_open",
         "occurred_at": at}
        for row in range(3)
    ]  # fmt: skip
    outcomes = [
        {"event_id": f"o{prefix}-{row}", "decision_id": one["decision_id"],
         "type": "sent" if row % 3 else "failed", "occurred_at": at}
        for row, one in enumerate(told)
    ]  # fmt: skip
    return {"events": events, **({"outcomes": outcomes} if outcomes else {})}


def compared(log: Log, answered: Answered, at: Any) -> Found:
    """The log beside what was answered."""
    lost = 0
    members = list(answered.decisions)
    for first in range(0, len(members), 500):
        part = members[first : first + 500]
        rows = log.decided(answered.push, part)
        lost += sum(
            member not in rows
            or rows[member].decision_id != answered.decisions[member]["decision_id"]
            for member in part
        )
    with log.reading() as connection:
        for table, ids in ((tables.events, answered.events), (tables.outcomes, answered.outcomes)):
            kept = set(connection.scalars(select(table.c.event_id)))
            lost += len(ids - kept)
        made = tables.decisions.c
        pairs = select(made.push_id, made.member_id).group_by(made.push_id, made.member_id)
        again = pairs.having(func.count() > 1)
        doubled = len(connection.execute(again).all())
    return Found(lost, doubled, log.used(answered.push, at) == recount(log))
