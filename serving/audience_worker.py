"""Keeps one worker at the audiences that wait: a process for each job."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import structlog

from serving.audiences import Audiences
from serving.errors import LogUnavailable
from serving.settings import Settings

_LOOK_SECONDS = 0.3
_STOP_SECONDS = 5.0
_LEAVE_SECONDS = 2.0


def job_command(settings: Settings, release_id: str | None) -> list[str]:
    """The command line of a worker of this process, without its name.

    Args:
        release_id: take only jobs of this release, which ``settings`` name; None: of any.
    """
    workspace = settings.workspace
    options: dict[str, Any] = {
        "audiences": workspace.audiences,
        "releases": workspace.releases,
        "trust": settings.trusted_key,
        "keys": workspace.keys,
        "parent": os.getpid(),
    }
    if workspace.database_url is None:  # else the environment tells: others read command lines
        options["log"] = workspace.serving_log
    if settings.release is not None:
        options |= {"release": settings.release, "release-id": release_id}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-P", "-m", "serving.audience_job", *words]


class AudienceWorker:
    """A thread that starts a process whenever a job waits, one at a time.

    Args:
        command: of a worker, without its name.
        release: take only jobs of this release; None: of any.
        environment: of a worker, beyond our own.
    """

    def __init__(
        self,
        audiences: Audiences,
        command: Sequence[str],
        release: str | None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._audiences = audiences
        self._command = list(command)
        self._release = release
        self._environment = environment
        self._stopped = threading.Event()
        self._log = structlog.get_logger("pushwise.audiences")
        self._thread = threading.Thread(target=self._run, name="audience-worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End a worker in good order, within five seconds; its job waits for the next scorer."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                if self._audiences.due(self._release, datetime.now(UTC)):
                    self._work()
            except LogUnavailable as error:
                self._log.warning("audiences wait", why=str(error))
            except OSError as error:
                self._log.error("no process for an audience", why=error.strerror)

    def _work(self) -> None:
        worker = uuid4().hex
        path = os.pathsep.join(sys.path)
        environment = {**os.environ, **self._environment, "PYTHONPATH": path}
        environment.pop("OMP_NUM_THREADS", None)  # the scorer's: one thread a call
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            [*self._command, "--worker", worker],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        status = self._wait(process, worker)
        if self._audiences.give_back(worker, datetime.now(UTC), crashed=status != 0):
            self._log.error("audience job ended early", status=status)

    def _wait(self, process: subprocess.Popen[bytes], worker: str) -> int:
        held, lost_at = False, monotonic()
        while not self._stopped.is_set():
            try:
                return process.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            if self._holds(worker):
                held, lost_at = True, monotonic()
            elif held and monotonic() - lost_at > _LEAVE_SECONDS:
                break  # it ends by itself, unless it hangs where no thread of it gets its turn
        process.terminate()
        try:
            return process.wait(_STOP_SECONDS if self._stopped.is_set() else 0)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _holds(self, worker: str) -> bool:
        try:
            return self._audiences.has(worker)
        except LogUnavailable:
            return True  # nobody can have taken it from a log that nobody reads
