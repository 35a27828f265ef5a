"""The process beside the scorer: started again when it dies, gone when the scorer is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from serving.follower_process import FollowerProcess


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_is_killed_is_started_again(tmp_path: Path) -> None:
    process = FollowerProcess(python("import time; time.sleep(60)"), first_pause=0.05)
    process.start()
    try:
        until(lambda: process.pid is not None)
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: process.pid not in (None, first))
    finally:
        last = process.pid
        process.stop()
    assert last is not None
    assert gone(last)


def test_what_ends_at_once_is_started_later_each_time(tmp_path: Path) -> None:
    notes = tmp_path / "starts"
    code = f"import time; open({str(notes)!r}, 'a').write(f'{{time.monotonic()}}\\n')"
    process = FollowerProcess(python(code), first_pause=0.3)
    process.start()
    until(lambda: notes.exists() and len(notes.read_text().splitlines()) >= 3)
    process.stop()
    first, second, third = (float(line) for line in notes.read_text().splitlines()[:3])
    assert second - first >= 0.3
    assert third - second >= 0.6


def test_stopping_ends_it_in_good_order(tmp_path: Path) -> None:
    ended, ready = tmp_path / "ended", tmp_path / "ready"
    code = (
        "import pathlib, signal, sys, time\n"
        f"def end(*_): pathlib.Path({str(ended)!r}).touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)\n"
    )
    process = FollowerProcess(python(code))
    process.start()
    until(ready.exists)
    process.stop()
    assert ended.exists()
    assert process.pid is None


def test_one_that_was_never_started_stops_too() -> None:
    process = FollowerProcess(python("pass"))
    process.stop()
    assert process.pid is None


def test_a_scorer_never_imports_feast() -> None:
    modules = "console.serve, serving.app, serving.server, serving.follower_process, serving.follow"
    code = (
        f"import sys, {modules}\n"
        "from serving.follower_process import can_follow\n"
        "assert can_follow()\n"
        "print([name for name in ('feast', 'pandas', 'duckdb', 'redis') if name in sys.modules])"
    )
    done = subprocess.run(python(code), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
