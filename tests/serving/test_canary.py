"""From an event over HTTP to the online store, through the real processes, killed and not."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from console.fresh import posted_until_seen
from console.main import application
from features.fresh_reader import FreshReader
from features.store.fresh import online_fresh
from features.workspace import Workspace
from serving.log import Log
from tests.online_stores import STORES, redis_url

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Running

pytestmark = pytest.mark.slow
LIMIT_SECONDS = 5.0
START_SECONDS = 90.0  # Feast takes some to import, more on a busy machine


def until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def followed(reader: FreshReader) -> bool:
    behind = reader.read(["anybody"], datetime.now(UTC))["anybody"].behind
    return behind is not None and behind < 10


def child_of(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(word) for path in children for word in path.read_text().split()]
    return found[0] if found else None


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@dataclass
class Route:
    """A scorer with its follower, and a reader of their online store."""

    server: Running
    reader: FreshReader
    workspace: Workspace

    def post(self, event_id: str, kind: str, item: str | None = None) -> None:
        from urllib.request import Request, urlopen

        event = {"event_id": event_id, "member_id": "m01", "type": kind, "item_id": item,
                 "category": "shoes", "unit_price": 10,
                 "occurred_at": datetime.now(UTC).isoformat()}  # fmt: skip
        body = json.dumps({"events": [event]}).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{self.server.address}/v1/events", body, headers)) as response:
            assert json.load(response)["accepted"] == 1


@pytest.fixture(params=STORES)
def route(
    request: pytest.FixtureRequest, bench: Bench, start: Callable[..., Running], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Route]:  # fmt: skip
    with redis_url(request.param, tmp_path) as url:
        if url is not None:
            setting = f'online_store = "redis"\nredis_url = "{url}"\n'
            (tmp_path / "pushwise.toml").write_text(setting)
        monkeypatch.chdir(tmp_path)  # where the scorer, its follower and the commands find it
        release = str(bench.release("r1"))
        workspace = Workspace(bench.workspace.root, redis_url=url)
        server = start("--release", release, "--insecure-dev", "--fresh")
        with online_fresh(workspace) as reader:
            until(lambda: followed(reader), START_SECONDS)
            yield Route(server, reader, workspace)


def test_an_event_is_in_the_online_store_within_five_seconds(
    route: Route, record_property: Callable[[str, object], None]
) -> None:
    delays: list[float] = []
    for _ in range(20):
        delay = posted_until_seen(route.server.address, "", "canary", LIMIT_SECONDS, route.reader)
        assert delay is not None, f"not within {LIMIT_SECONDS} s; before: {delays}"
        delays.append(delay)
    record_property("delay_seconds", delays)
    told = f"canary: median {sorted(delays)[10]:.3f} s, longest {max(delays):.3f} s"
    logging.getLogger(__name__).info(told)

    route.post("e1", "add_to_cart", "boots")
    route.post("e2", "add_to_cart", "cap")
    follower = child_of(route.server.process.pid)
    assert follower is not None
    os.kill(follower, signal.SIGKILL)
    route.post("e3", "remove_from_cart", "boots")
    until(lambda: child_of(route.server.process.pid) not in (None, follower), 10)

    def items() -> object:
        found = route.reader.read(["m01"], datetime.now(UTC))["m01"].values["open_cart_items"]
        return found and found.value

    until(lambda: items() == 1.0, START_SECONDS)
    _commands_agree(route)

    last = child_of(route.server.process.pid)
    assert last is not None
    if route.workspace.redis_url is None:
        route.server.process.send_signal(signal.SIGTERM)
        assert route.server.process.wait(20) == 0
        assert not runs(last)
    else:  # a scorer that is killed can stop nobody: its follower sees that by itself
        route.server.process.kill()
        until(lambda: not runs(last), 10)
    assert "follower ended" in route.server.log.read_text()
    assert '"m01"' not in route.server.log.read_text()


def _commands_agree(route: Route) -> None:
    def command(*words: str) -> Any:
        call = ["features", *words, "--json", "--workspace", str(route.workspace.root)]
        done = CliRunner().invoke(application(), call)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    told = command("fresh", "m01")["values"]
    assert told["open_cart_items"]["value"] == 1.0
    assert told["open_cart_value"]["value"] == 10.0
    assert told["last_category"]["value"] == "shoes"
    assert told["contacts_today"]["value"] == 0.0
    assert 0 <= told["last_seen"]["age_seconds"] < START_SECONDS
    assert command("canary", "--url", route.server.address)["delay_seconds"] < LIMIT_SECONDS


@contextmanager
def follower_of(workspace: Workspace) -> Iterator[subprocess.Popen[bytes]]:
    code = "from console.main import main; main()"
    call = [sys.executable, "-c", code, "features", "follow", "--workspace", str(workspace.root)]
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_killed_while_events_stream_in_it_loses_none_and_counts_none_twice(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    members = [f"m{number}" for number in range(20)]
    began, written, stop = datetime.now(UTC), 0, threading.Event()

    def stream(log: Log) -> None:
        nonlocal written
        while not stop.is_set():
            at = began + timedelta(microseconds=written)
            rows = [
                {"event_id": f"{member}-{written}", "member_id": member, "type": "add_to_cart",
                 "item_id": f"i{written}", "occurred_at": at.isoformat()}
                for member in members
            ]  # fmt: skip
            log.keep_events(rows, datetime.now(UTC))
            written += 1
            time.sleep(0.02)

    with Log(workspace.serving_log) as log, online_fresh(workspace) as reader:

        def items() -> list[float]:
            found = reader.read(members, datetime.now(UTC)).values()
            values = [one.values["open_cart_items"] for one in found]
            return [float(value.value) if value else 0.0 for value in values]  # type: ignore[arg-type]

        thread = threading.Thread(target=stream, args=(log,))
        thread.start()
        try:
            with follower_of(workspace):
                until(lambda: max(items()) > 5, START_SECONDS)
        finally:
            stop.set()
            thread.join()
        with follower_of(workspace):
            until(lambda: min(items()) >= written, START_SECONDS)
            assert items() == [float(written)] * len(members)
