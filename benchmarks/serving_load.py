"""Load on a scorer, from a process of its own that reads a ``Load`` as JSON and prints what came.

Keep-alive connections with requests that are encoded beforehand. In an open loop calls start by a
Poisson process whatever the answers do, and a latency counts from the moment at which the call was
to start: a scorer that stalls is not measured less often for it (no coordinated omission). In a
closed loop every connection asks again as soon as it was answered.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import numpy as np


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask.

    port: of the scorer on this machine. path: of the call. key: its API key, or empty.
    seconds: how long calls start; those before ``warm`` seconds are not counted.
    connections: kept alive. rate: calls a second of an open loop; None for a closed one.
    pushes, members: names; call k asks about the k-th of all pairs, counted from ``first`` on in
        steps of ``each`` members a call, so that no pair is asked about twice.
    core: that the generator runs on; None for any.
    deadline_ms: that a call names; None for none.
    answers: file for the bodies of all answers with status 200, one a line; empty for none.
    """

    port: int
    path: str = "/v1/decisions"
    key: str = ""
    seconds: float = 5.0
    warm: float = 1.0
    connections: int = 32
    rate: float | None = None
    pushes: tuple[str, ...] = ("push00",)
    members: int = 20_000
    each: int = 1
    first: int = 0
    core: int | None = None
    deadline_ms: int | None = None
    answers: str = ""


@dataclass(slots=True)
class Told:
    """What came back of the counted calls; times in seconds.

    statuses: answers by status, and ``lost`` for calls whose connection ended. accepted, refused:
    latencies of the answers 200 and 503. retry_after: answers 503 that carry it. per_second:
    answers 200 by the second in which they came. asked: pairs that were used up. answered: all
    answers 200, also those that came before anything was counted.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    retry_after: int = 0
    per_second: list[int] = field(default_factory=list)
    seconds: float = 0.0
    asked: int = 0
    answered: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """rate: calls answered 200 a second. Percentiles in milliseconds, NaN where there was none."""

    rate: float
    statuses: dict[str, int]
    p50: float
    p99: float
    refused_p99: float
    retry_after: int
    per_second: list[int]
    asked: int
    answered: int


def summary(told: Told) -> Result:
    def percentile(values: list[float], share: float) -> float:
        return float(np.percentile(values, share) * 1000) if values else float("nan")

    return Result(
        len(told.accepted) / told.seconds if told.seconds else 0.0,
        told.statuses,
        percentile(told.accepted, 50),
        percentile(told.accepted, 99),
        percentile(told.refused, 99),
        told.retry_after,
        told.per_second,
        told.asked,
        told.answered,
    )


def requests(load: Load) -> Iterator[bytes]:
    """Encoded calls; pairs go through all members of a push in a fixed random order."""
    order = list(range(load.members))
    random.Random(7).shuffle(order)
    told = f"Authorization: Bearer {load.key}\r\n" if load.key else ""
    if load.deadline_ms is not None:
        told += f"Pushwise-Deadline-Ms: {load.deadline_ms}\r\n"
    head = (
        f"POST {load.path} HTTP/1.1\r\nHost: localhost\r\n{told}"
        "Content-Type: application/json\r\nContent-Length: "
    )
    pair = load.first
    while True:
        push, start = divmod(pair, load.members)
        asked = order[start : start + load.each]
        pair += load.each
        members = ",".join(f'{{"member_id":"m{number:07d}"}}' for number in asked)
        body = f'{{"push_id":"{load.pushes[push % len(load.pushes)]}","members":[{members}]}}'
        yield f"{head}{len(body)}\r\n\r\n{body}".encode()


class _Connection(asyncio.Protocol):
    """One keep-alive connection; one call at a time."""

    def __init__(self, done: Callable[[_Connection, int, bytes, bytes], None]) -> None:
        self._done = done
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.started = 0.0  # when the call was to start
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, started: float) -> None:
        assert self._transport is not None
        self.started, self.busy = started, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = buffer
            return
        head = buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(buffer) < end + 4 + length:
            self._buffer = buffer
            return
        self._buffer = b""
        self.busy = False
        self._done(self, int(buffer[9:12]), head, buffer[end + 4 : end + 4 + length])

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        if self.busy:
            self.busy = False
            self._done(self, 0, b"", b"")

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Run:
    """One load while it runs."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._calls = requests(load)
        self._told = Told()
        self._idle: deque[_Connection] = deque()
        self._all: list[_Connection] = []
        self._late: deque[float] = deque()  # calls that wait for a connection, by their start
        self._answers: list[bytes] = []
        self._sent = 0
        self._begin = self._count_from = self._until = 0.0

    async def run(self) -> Told:
        loop = asyncio.get_running_loop()
        for _ in range(self._load.connections):
            await self._connect(loop)
        self._begin = perf_counter()
        self._count_from = self._begin + self._load.warm
        self._until = self._begin + self._load.seconds
        if self._load.rate is None:
            for connection in list(self._idle):
                self._ask(connection, perf_counter())
            self._idle.clear()
            await asyncio.sleep(self._load.seconds)
        else:
            await self._open_loop(self._load.rate)
        await self._wind_up()
        self._told.seconds = self._load.seconds - self._load.warm
        self._told.asked = self._sent * self._load.each
        if self._load.answers:
            Path(self._load.answers).write_bytes(b"\n".join(self._answers))
        return self._told

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        _, connection = await loop.create_connection(
            lambda: _Connection(self._done), "127.0.0.1", self._load.port
        )
        self._all.append(connection)
        self._idle.append(connection)

    async def _open_loop(self, rate: float) -> None:
        draw = random.Random(11)
        due = perf_counter() + draw.expovariate(rate)
        while due < self._until:
            now = perf_counter()
            while due <= now and due < self._until:
                self._start(due)
                due += draw.expovariate(rate)
            await asyncio.sleep(max(min(due - perf_counter(), 0.001), 0))

    async def _wind_up(self) -> None:
        give_up = perf_counter() + 10
        while perf_counter() < give_up and any(one.busy for one in self._all):
            await asyncio.sleep(0.01)
        for one in self._all:
            one.busy = False
            one.close()

    def _start(self, due: float) -> None:
        while self._idle:
            connection = self._idle.popleft()
            if connection.open:
                self._ask(connection, due)
                return
        self._late.append(due)

    def _ask(self, connection: _Connection, started: float) -> None:
        self._sent += 1
        connection.ask(next(self._calls), started)

    def _done(self, connection: _Connection, status: int, head: bytes, body: bytes) -> None:
        now = perf_counter()
        if self._count_from <= connection.started < self._until:
            self._count(now, now - connection.started, status, head)
        if status == 200:
            self._told.answered += 1
            if self._load.answers:
                self._answers.append(body)
        if not connection.open or b"connection: close" in head:
            connection.close()
            if now < self._until:
                task = asyncio.ensure_future(self._again())
                task.add_done_callback(lambda _: None)
            return
        if self._load.rate is None:
            if now < self._until:
                self._ask(connection, now)
        elif self._late:
            self._ask(connection, self._late.popleft())
        else:
            self._idle.append(connection)

    async def _again(self) -> None:
        """A connection in place of one that ended."""
        try:
            await self._connect(asyncio.get_running_loop())
        except OSError:
            return
        if self._load.rate is None:
            self._ask(self._idle.pop(), perf_counter())
        elif self._late:
            self._ask(self._idle.pop(), self._late.popleft())

    def _count(self, now: float, seconds: float, status: int, head: bytes) -> None:
        told = self._told
        name = str(status) if status else "lost"
        told.statuses[name] = told.statuses.get(name, 0) + 1
        if status == 200:
            told.accepted.append(seconds)
            second = int(now - self._count_from)
            told.per_second.extend([0] * (second + 1 - len(told.per_second)))
            told.per_second[second] += 1
        elif status == 503:
            told.refused.append(seconds)
            told.retry_after += b"retry-after:" in head


def main(given: dict[str, Any]) -> None:
    load = Load(**{**given, "pushes": tuple(given["pushes"])})
    if load.core is not None:
        os.sched_setaffinity(0, {load.core})
    import uvloop

    told = uvloop.run(_Run(load).run())
    print(json.dumps(asdict(summary(told))))


if __name__ == "__main__":
    main(json.load(sys.stdin))
