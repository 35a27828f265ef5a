"""Group commit: many callers wait for one transaction, so that a sync to disk serves them all."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

MOST_TOGETHER = 128

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    work: Callable[[Connection], Any]
    done: Future[Any] = field(default_factory=Future)


class GroupCommit:
    """One thread that writes. Its callers get their result after the commit, never before.

    Args:
        engine: whose transactions take the write lock at once (``BEGIN IMMEDIATE``).
        observe: told after each commit how many writes it held and how many seconds it took.
    """

    def __init__(self, engine: Engine, observe: Callable[[int, float], None]) -> None:
        self._engine = engine
        self._observe = observe
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Connection], T], within: float) -> T:
        """What ``work`` returned, once it is on disk.

        Raises:
            TimeoutError: not committed ``within`` seconds; it may still be, later.
            SQLAlchemyError: the database refused.
        """
        job = _Job(work)
        self._jobs.put(job)
        try:
            result: T = job.done.result(timeout=within)
        except TimeoutError:
            job.done.cancel()
            raise
        return result

    def close(self) -> None:
        """Finish what was handed in, then stop."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_for_work = True
        while open_for_work:
            taken = [self._jobs.get()]
            while len(taken) < MOST_TOGETHER:
                try:
                    taken.append(self._jobs.get_nowait())
                except queue.Empty:
                    break
            open_for_work = None not in taken
            jobs = [job for job in taken if job and job.done.set_running_or_notify_cancel()]
            if jobs:
                self._commit(jobs)

    def _commit(self, jobs: list[_Job]) -> None:
        started, begun = perf_counter(), False
        try:
            with self._engine.begin() as connection:
                begun = True
                results = [job.work(connection) for job in jobs]
        # Every failure must reach the callers who wait for it, and must not end the thread.
        except Exception as error:
            if len(jobs) == 1 or not begun or _lost(error):
                # No job's fault, and trying each would only make the last ones wait the longest.
                for job in jobs:
                    job.done.set_exception(error)
                return
            for job in jobs:  # one that cannot be written must not take the others with it
                self._commit([job])
            return
        self._observe(len(jobs), perf_counter() - started)
        for job, result in zip(jobs, results, strict=True):
            job.done.set_result(result)


def _lost(error: Exception) -> bool:
    """Whether the database went away meanwhile: nobody knows whether it committed."""
    return isinstance(error, DBAPIError) and error.connection_invalidated
