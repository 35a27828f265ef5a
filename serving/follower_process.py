"""The follower beside a scorer: a process of its own, so that no request ever meets Feast."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from time import monotonic
from types import MappingProxyType

import structlog

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_STOP_SECONDS = 10.0


def can_follow() -> bool:
    """Whether the features extra is installed. Imports nothing of it."""
    return all(find_spec(name) is not None for name in ("feast", "pandas", "duckdb"))


def follow_command(workspace: str, parent: int) -> list[str]:
    """The command line of a follower that ends when its parent process does."""
    code = "from console.main import main; main()"
    options = ["--workspace", workspace, "--parent", str(parent)]
    return [sys.executable, "-P", "-c", code, "features", "follow", *options]


class FollowerProcess:
    """Keeps a command running: starts it again when it ends, later each time it ends soon.

    Args:
        first_pause: seconds before the first new start; doubled up to a minute, and back to the
            first once a run has lasted a minute.
        environment: of the command, beyond our own.
    """

    def __init__(
        self,
        command: Sequence[str],
        first_pause: float = _FIRST_PAUSE,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._command = list(command)
        self._environment = {**os.environ, **environment}
        self._first_pause = first_pause
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._log = structlog.get_logger("pushwise.fresh")

    def start(self) -> None:
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        with self._lock:
            return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """End the process in good order, within ten seconds; nothing starts again."""
        with self._lock:
            self._stopped.set()
            if self._process is not None:
                self._process.terminate()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = self._first_pause
        while True:
            began = monotonic()
            with self._lock:
                if self._stopped.is_set():
                    return
                # Its results are the online store; its log goes where ours does.
                process = subprocess.Popen(  # noqa: S603 - our own command line
                    self._command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
                self._process = process
            status = self._wait(process)
            with self._lock:
                self._process = None
            if self._stopped.is_set():
                return
            if monotonic() - began >= _LONGEST_PAUSE:
                pause = self._first_pause
            self._log.error("follower ended", status=status, again_in_seconds=pause)
            if self._stopped.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        while not self._stopped.is_set():
            try:
                return process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
