"""A probe is answered in time, and truly, whatever becomes of the Postgres behind the scorer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.log_databases import Databases
from tests.serving.test_server import Caller

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Running


@pytest.mark.slow
def test_a_postgres_that_hangs_or_is_gone_is_noticed_and_comes_back(
    bench: Bench, start: Callable[..., Running], databases: Databases
) -> None:
    url = databases.migrated().url.render_as_string(hide_password=False)
    server = start("--release", str(bench.release("r1")), "--insecure-dev", "--database", url)
    with Caller(server.address, "") as caller:
        assert probed(caller) == []
        with hanging(databases):
            failing = until(lambda: probed(caller))
            assert set(failing) <= {
                "log_stuck", "log_unwritable", "suppression_stale", "suppression_unreadable",
            }  # fmt: skip
            started = time.monotonic()
            assert caller("GET", "/metrics")[0] == 200
            assert time.monotonic() - started < 3
        until(lambda: not probed(caller))
        databases.server.stop()
        try:
            until(lambda: probed(caller))
        finally:
            databases.server.start()
        until(lambda: not probed(caller))


def probed(caller: Caller) -> list[str]:
    """What fails; every answer is there within two seconds."""
    started = time.monotonic()
    status, answer = caller("GET", "/readyz")
    assert time.monotonic() - started < 2.5
    failing: list[str] = answer["failing"]
    assert status == (503 if failing else 200)
    return failing


def until(told: Callable[[], Any], seconds: float = 60.0) -> Any:
    give_up = time.monotonic() + seconds
    while not (found := told()):
        assert time.monotonic() < give_up
        time.sleep(0.2)
    return found


@contextmanager
def hanging(databases: Databases) -> Iterator[None]:
    """Every process of the server stands still: connections stay open and nobody answers."""
    process = databases.server.process
    assert process is not None
    stopped = [process.pid, *children(process.pid)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(after_name[1]) == parent:
            found.append(int(status.parent.name))
    return found
