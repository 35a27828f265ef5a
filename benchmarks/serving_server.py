"""A real scorer on a core of its own, and what loads it from another core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from benchmarks.serving_load import Load, Result
from benchmarks.serving_release import PUSHES, Shop
from serving.auth import Keys, NewKey
from serving.log import Log

_START_SECONDS = 60
SCOPES = ("decide", "events:write", "outcomes:write")
# Pinned before the first thread starts: threads keep what their process had then.
_PINNED = (
    "import os, runpy, sys; os.sched_setaffinity(0, {int(sys.argv.pop(1))}); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)
SCORER = "benchmarks.serving_constant"


@dataclass(frozen=True, slots=True)
class Server:
    """A scorer that answers. workspace: its own; gone with the block that started it."""

    process: subprocess.Popen[str]
    port: int
    key: str
    workspace: Path


def cores() -> tuple[int, int]:
    """The core of the server and that of the load; the same one where there is only one."""
    found = sorted(os.sched_getaffinity(0))
    return found[0], found[-1]


def api_key(workspace: Path) -> str:
    with Log(workspace / "serving" / "log.db") as log:
        return Keys(log).create(NewKey("live", SCOPES, "benchmark"), datetime.now(UTC))


@contextmanager
def serving(shop: Shop, workspace: Path, *options: str) -> Iterator[Server]:
    """`pushwise serve` over the release of ``shop``, ready."""
    workspace.mkdir(parents=True, exist_ok=True)
    key = api_key(workspace)
    given = [
        "serve", "--workspace", str(workspace), "--port", "0", "--no-fresh",
        "--release", str(shop.folder), "--trust", str(shop.trust), *options,
    ]  # fmt: skip
    with started(SCORER, given, workspace) as (process, port):
        yield Server(process, port, key, workspace)


@contextmanager
def started(
    module: str, arguments: Sequence[str], folder: Path
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``module`` on the server's core, which says where it listens; ends with the block."""
    with (folder / "stderr.txt").open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _PINNED, str(cores()[0]), module, *arguments],
            stdout=subprocess.PIPE, stderr=errors, text=True, env=_environment(),
        )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise RuntimeError((folder / "stderr.txt").read_text()[-2000:])
        port = urlsplit(json.loads(said)["listening"]).port
        assert port is not None
        yield process, port
    finally:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PUSHWISE_")}


def asked(load: Load) -> Result:
    """What ``load`` gets, by a generator in a process of its own on the other core."""
    given = json.dumps(asdict(replace(load, core=cores()[1])))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving_load"],
        input=given, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return Result(**json.loads(done.stdout))


def core_seconds(pid: int) -> float:
    """Processor time that the process has taken so far, in seconds."""
    told = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def rated(load: Load, pid: int) -> tuple[Result, float]:
    """The same, and the answers for each second of its core that the server took: what else runs
    on the machine does not count."""
    before = core_seconds(pid)
    found = asked(load)
    return found, found.answered * load.each / (core_seconds(pid) - before)


def load_of(server: Server, shop: Shop) -> Load:
    """A load of single calls on ``server``; change what is to be different."""
    return Load(port=server.port, key=server.key, pushes=PUSHES, members=shop.members)


def ready_again(port: int, seconds: float = 30.0) -> float:
    """Seconds until ``/readyz`` says so."""
    started_at = time.monotonic()
    while time.monotonic() < started_at + seconds:
        try:
            with urlopen(Request(f"http://127.0.0.1:{port}/readyz"), timeout=5) as response:
                if json.load(response)["ready"]:
                    return time.monotonic() - started_at
        except (HTTPError, URLError, OSError):
            time.sleep(0.02)
    raise TimeoutError(f"not ready within {seconds} s")
