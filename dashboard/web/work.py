"""Long work that a page started: a command of ``pushwise``, with its progress, to be cancelled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from uuid import uuid4

import structlog

from dashboard.web.errors import TooMuchWork, UnknownWork
from serving.command_worker import pushwise_command

State: TypeAlias = Literal["running", "done", "failed", "cancelled"]
PROGRESS = "PUSHWISE_PROGRESS"  # tells a command to write its progress as JSON lines
_KEPT = 50
_MOST = 2  # at once: each takes a core
_STOP_SECONDS = 5.0
_log = structlog.get_logger("pushwise.dashboard")


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a command.

    name: what it does, in English words that have a translation. by: who started it. then: path
    of the page that shows what came of it.
    done of total in the stage; total is 0 where nothing is counted. said: last line of the
    command, which tells why where it failed. answer: the JSON that it printed, if any.
    """

    job_id: str
    name: str
    by: str
    started_at: datetime
    then: str = "/"
    state: State = "running"
    stage: str = ""
    done: int = 0
    total: int = 0
    said: str = ""
    answer: object = None
    ended_at: datetime | None = None


class Work:
    """The commands that pages start, each in a process of its own.

    One of a name runs at a time: whoever starts it again gets the one under way.

    Args:
        workspace: its folder. environment: of the processes, beyond our own.
    """

    def __init__(self, workspace: str, environment: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._environment = {
            **os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path), PROGRESS: "json",
        }  # fmt: skip
        self._environment.pop("OMP_NUM_THREADS", None)  # the scorer's: one thread a call
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._threads: dict[str, threading.Thread] = {}

    def start(self, name: str, words: Sequence[str], by: str, then: str = "/") -> Job:
        """Start ``pushwise`` with ``words``, to which the workspace is added.

        Raises:
            TooMuchWork: enough is under way.
        """
        with self._lock:
            running = [one for one in self._jobs.values() if one.state == "running"]
            for one in running:
                if one.name == name:
                    return one
            if len(running) >= _MOST:
                raise TooMuchWork(
                    f"{' and '.join(one.name for one in running)} are under way; "
                    "wait until one is done, or cancel it"
                )
            job = Job(f"w_{uuid4().hex}", name, by, datetime.now(UTC), then)
            self._processes[job.job_id] = self._process(words)
            self._jobs[job.job_id] = job
            for old in list(self._jobs)[:-_KEPT]:
                if self._jobs[old].state != "running":
                    del self._jobs[old]
            thread = threading.Thread(target=self._follow, args=(job.job_id,), daemon=True)
            self._threads[job.job_id] = thread
            thread.start()
        _log.info("work started", name=name, by=by)
        return job

    def find(self, job_id: str) -> Job:
        """Raises ``UnknownWork``."""
        with self._lock:
            if job_id not in self._jobs:
                raise UnknownWork
            return self._jobs[job_id]

    def newest(self, name: str) -> Job | None:
        """The last one of a name."""
        with self._lock:
            found = [one for one in self._jobs.values() if one.name == name]
        return found[-1] if found else None

    def cancel(self, job_id: str) -> Job:
        """End it; what it had finished stays. Raises ``UnknownWork``."""
        job = self.find(job_id)
        with self._lock:
            process = self._processes.get(job_id)
            if process is None or job.state != "running":
                return job
            self._jobs[job_id] = replace(self._jobs[job_id], state="cancelled")
        _end(process)
        return self.find(job_id)

    def stop(self) -> None:
        """End everything under way, and wait for it."""
        with self._lock:
            going = list(self._processes)
            threads = list(self._threads.values())
        for job_id in going:
            self.cancel(job_id)
        for thread in threads:
            thread.join()

    def _process(self, words: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own command line, no shell
            [*pushwise_command(*words), "--workspace", self._workspace],
            env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip

    def _follow(self, job_id: str) -> None:
        process = self._processes[job_id]
        printed: list[str] = []
        reader = threading.Thread(target=lambda: printed.append(_all(process)), daemon=True)
        reader.start()
        assert process.stderr is not None  # noqa: S101 - we asked for the pipe
        with process:
            for line in process.stderr:
                self._heard(job_id, line.strip())
            reader.join()
        status = process.returncode
        with self._lock:
            job = self._jobs[job_id]
            state: State = "done" if status == 0 else "failed"
            if job.state == "cancelled":
                state = "cancelled"
            answer = _answer("".join(printed))
            self._jobs[job_id] = replace(
                job, state=state, answer=answer, ended_at=datetime.now(UTC)
            )
            del self._processes[job_id], self._threads[job_id]
        _log.info("work ended", name=job.name, state=state, status=status)

    def _heard(self, job_id: str, line: str) -> None:
        told = progress_of(line)
        with self._lock:
            job = self._jobs[job_id]
            if told is not None:
                stage, done, total = told
                self._jobs[job_id] = replace(job, stage=stage, done=done, total=total)
            elif line:
                self._jobs[job_id] = replace(job, said=line.removeprefix("error: ")[:500])


def progress_of(line: str) -> tuple[str, int, int] | None:
    """Stage, done and total of a line of progress; None for any other line."""
    if not line.startswith('{"stage"'):
        return None
    try:
        told = json.loads(line)
        return str(told["stage"]), int(told["done"]), int(told["total"] or 0)
    except (ValueError, KeyError, TypeError):
        return None


def _all(process: subprocess.Popen[str]) -> str:
    return process.stdout.read() if process.stdout is not None else ""


def _answer(printed: str) -> object:
    try:
        return json.loads(printed)
    except ValueError:
        return None


def _end(process: subprocess.Popen[str]) -> None:
    """End a command, and what it started itself: they are a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
