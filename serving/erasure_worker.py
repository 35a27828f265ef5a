"""Carries recorded erasures out beside the scorer: a process, whenever one waits."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from time import monotonic

import structlog

from serving.erasures import Erasures
from serving.errors import LogUnavailable

_LOOK_SECONDS = 1.0
_STOP_SECONDS = 5.0
_LONGEST_PAUSE = 300.0


def erase_command(workspace: str) -> list[str]:
    """The command line of ``pushwise members erase --pending``."""
    code = "from console.main import main; main()"
    return [sys.executable, "-c", code, "members", "erase", "--pending", "--workspace", workspace]


class ErasureWorker:
    """A thread that starts the command while erasures wait; after a failure later and later.

    The command takes ingest's and builds' locks in turn, so scorers beside each other may all have
    a worker.
    """

    def __init__(
        self, erasures: Erasures, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._erasures = erasures
        self._command = list(command)
        self._environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._environment.pop("OMP_NUM_THREADS", None)  # the scorer's: one thread a call
        self._stopped = threading.Event()
        self._log = structlog.get_logger("pushwise.erasures")
        self._thread = threading.Thread(target=self._run, name="erasure-worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End a process under way; what it had not done waits for the next one."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        pause, not_before = _LOOK_SECONDS, 0.0
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                waits = monotonic() >= not_before and bool(self._erasures.pending())
            except LogUnavailable:
                continue
            if not waits:
                continue
            status = self._carry_out()
            if self._stopped.is_set():
                return
            pause = _LOOK_SECONDS if status == 0 else min(2 * pause, _LONGEST_PAUSE)
            not_before = monotonic() + pause
            if status:
                self._log.error("erasures wait", status=status, again_in_seconds=pause)

    def _carry_out(self) -> int:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                self._command, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            self._log.error("no process for erasures", why=error.strerror)
            return 1
        while not self._stopped.is_set():
            try:
                return process.wait(0.3)
            except subprocess.TimeoutExpired:
                pass
        process.terminate()
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
