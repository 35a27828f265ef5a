"""``python -m benchmarks.serving_stores [--quick]``: the scorer over a broken online store.

A real ``pushwise serve`` with its follower, over a Redis behind a proxy that answers five seconds
late, resets every connection, or is gone; over an SQLite file that another process has locked; and
while it opens that file, after a new start.
1,000 single calls each (``--quick``: 200), one after another, each of a member not asked about
before: how many are answered within the deadline and 10 ms, and say what is missing. Between two
of them the scorer must be seen to recover.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks.broken_stores import locked, proxied
from benchmarks.figure import Figure
from benchmarks.redis_server import running_redis
from benchmarks.serving_release import PUSHES, QUICK, Shop, build
from benchmarks.serving_server import api_key, ready_again
from features.workspace import Workspace
from serving.deadline import DEFAULT_SECONDS

_SPARE_MS = 10
_MARKS = {"features_late", "features_unavailable"}
_RECOVERS_WITHIN = 90.0  # seconds: the longest pause of the breaker, and Feast's import at first


class Caller:
    """One kept-alive connection to a scorer; asks about one member after another."""

    def __init__(self, port: int, key: str, members: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._key = key
        self._members = members
        self.asked = 0

    def ask(self) -> tuple[float, set[str]]:
        """Milliseconds until one call was answered, and what was marked in the answer."""
        push, number = divmod(self.asked, self._members)
        self.asked += 1
        body = json.dumps(
            {"push_id": PUSHES[push], "members": [{"member_id": f"m{number:07d}"}]}
        ).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        began = time.perf_counter()
        self._connection.request("POST", "/v1/decisions", body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {content[:300]!r}")
        return took, set(json.loads(content)["degraded"])

    def until_sound(self) -> None:
        """Ask until an answer misses nothing fresh."""
        until = time.monotonic() + _RECOVERS_WITHIN
        while self.ask()[1] & _MARKS:
            if time.monotonic() > until:
                raise TimeoutError(f"still marked after {_RECOVERS_WITHIN:g} s")
            time.sleep(0.1)


def broken(caller: Caller, name: str, calls: int) -> Iterator[Figure]:
    """Two figures of ``calls`` calls on a store that is broken by now."""
    most = DEFAULT_SECONDS * 1000 + _SPARE_MS
    answers = [caller.ask() for _ in range(calls)]
    good = sum(took <= most and bool(marked & _MARKS) for took, marked in answers)
    times = [took for took, _ in answers]
    slowest = max(times)
    usual, slow = np.percentile(times, [50, 99])
    print(f"{name}: p50 {usual:.1f} ms, p99 {slow:.1f} ms, most {slowest:.1f} ms", file=sys.stderr)
    yield Figure(
        f"store_{name}_answered_in_time_and_marked", good, calls, "calls", good / calls, "all",
        good == calls,
    )  # fmt: skip
    yield Figure(
        f"store_{name}_slowest_answer", slowest, most, "ms", slowest / most,
        f"at most the deadline and {_SPARE_MS} ms", slowest <= most,
    )  # fmt: skip


def over_redis(shop: Shop, folder: Path, calls: int) -> Iterator[Figure]:
    with ExitStack() as stack:
        url = stack.enter_context(running_redis(folder))
        if url is None:
            print("no redis-server here, so no figures for Redis", file=sys.stderr)
            return
        proxy = stack.enter_context(proxied(url))
        environment = {"PUSHWISE_ONLINE_STORE": "redis", "PUSHWISE_REDIS_URL": proxy.url}
        caller = stack.enter_context(serving(shop, folder / "workspace", environment))
        proxy.mode = "delayed"
        yield from broken(caller, "delayed", calls)
        proxy.mode = "through"
        caller.until_sound()
        proxy.mode = "reset"
        yield from broken(caller, "reset", calls)
        proxy.mode = "through"
        caller.until_sound()
        proxy.close()
        yield from broken(caller, "gone", calls)


def over_sqlite(shop: Shop, folder: Path, calls: int) -> Iterator[Figure]:
    workspace = Workspace(folder / "workspace")
    with serving(shop, workspace.root, {}) as caller:
        with locked(workspace.feast / "online.db"):
            yield from broken(caller, "locked", calls)
        caller.until_sound()
        asked = caller.asked
    with serving(shop, workspace.root, {}, opened=False) as caller:
        caller.asked = asked
        yield from broken(caller, "opening", calls // 10)
        caller.until_sound()


@contextmanager
def serving(
    shop: Shop, workspace: Path, environment: Mapping[str, str], *, opened: bool = True
) -> Iterator[Caller]:
    """`pushwise serve` with its follower, ready; ``opened``: and reading what is fresh."""
    workspace.mkdir(parents=True, exist_ok=True)
    key = api_key(workspace)
    command = [
        sys.executable, "-c", "from console.main import main; main()", "serve",
        "--workspace", str(workspace), "--port", "0",
        "--release", str(shop.folder), "--trust", str(shop.trust),
    ]  # fmt: skip
    inherited = {name: one for name, one in os.environ.items() if not name.startswith("PUSHWISE_")}
    with (workspace / "stderr.txt").open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**inherited, **environment},
        )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise RuntimeError((workspace / "stderr.txt").read_text()[-2000:])
        port = urlsplit(json.loads(said)["listening"]).port
        assert port is not None
        ready_again(port)
        caller = Caller(port, key, shop.members)
        if opened:
            _until_read(workspace / "stderr.txt")
            caller.until_sound()
        yield caller
    finally:
        process.terminate()  # not killed: the follower ends with it
        process.wait(30)


def _until_read(said: Path) -> None:
    """Until the scorer has opened the store: before the follower's first act nothing is marked."""
    until = time.monotonic() + _RECOVERS_WITHIN
    while "fresh features are read" not in said.read_text():
        if time.monotonic() > until:
            raise TimeoutError("no store was opened; is the features extra installed?")
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description="The scorer over a broken online store.")
    parser.add_argument("--quick", action="store_true", help="fewer calls")
    options = parser.parse_args()
    calls = 200 if options.quick else 1_000
    with tempfile.TemporaryDirectory() as scratch:
        shop = build(Path(scratch) / "shop", QUICK)
        for name, measured in (("redis", over_redis), ("sqlite", over_sqlite)):
            folder = Path(scratch) / name
            folder.mkdir()
            for figure in measured(shop, folder, calls):
                print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
