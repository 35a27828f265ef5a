"""Commands run beside the scorer whenever something waits for them: a process each time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import structlog

from serving.errors import LogUnavailable

_LOOK_SECONDS = 1.0
_STOP_SECONDS = 5.0
_LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class Chore:
    """name: of what waits, such as ``erasures``. waits: whether something does; may raise
    ``LogUnavailable``. command: the command line that carries it out."""

    name: str
    waits: Callable[[], bool]
    command: Sequence[str]


def pushwise_command(*words: str) -> list[str]:
    """The command line of ``pushwise`` with these words.

    Nothing is imported from the current folder, whose files may have the name of a library's.
    """
    return [sys.executable, "-P", "-c", "from console.main import main; main()", *words]


def erase_command(workspace: str) -> list[str]:
    """The command line of ``pushwise members erase --pending``."""
    return pushwise_command("members", "erase", "--pending", "--workspace", workspace)


def evaluate_command(workspace: str) -> list[str]:
    """The command line of ``pushwise evaluate pending``."""
    return pushwise_command("evaluate", "pending", "--workspace", workspace)


class CommandWorker:
    """A thread that starts the command while something waits; after a failure later and later.

    The commands take the workspace's locks in turn, so scorers beside each other may all have a
    worker.
    """

    def __init__(self, chore: Chore, environment: Mapping[str, str]) -> None:
        self._chore = chore
        self._environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._environment.pop("OMP_NUM_THREADS", None)  # the scorer's: one thread a call
        self._stopped = threading.Event()
        self._log = structlog.get_logger(f"pushwise.{chore.name}")
        name = f"worker of {chore.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End a process under way; what it had not done waits for the next one."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        pause, not_before = _LOOK_SECONDS, 0.0
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                waits = monotonic() >= not_before and self._chore.waits()
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
                self._log.error(f"{self._chore.name} wait", status=status, again_in_seconds=pause)

    def _carry_out(self) -> int:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                list(self._chore.command), env=self._environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            self._log.error(f"no process for {self._chore.name}", why=error.strerror)
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
