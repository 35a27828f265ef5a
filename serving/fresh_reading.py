"""Reads of the online store in a thread of their own: gathered, never more than one at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from features.errors import FeatureError
from features.fresh_reader import Fresh, FreshReader
from serving.breaker import Breaker

AT_ONCE = 64
"""Members of one read, 0.2 ms of Python each; what is asked beyond that finds no answer."""
PATIENCE = 0.005
"""Seconds that a read may take before a call that gives it up makes it a failure: a call may have
had less time left than a sound store needs."""

Answer = Future[dict[str, Fresh]]


class UnreadError(Exception):
    """The store did not tell; why, the breaker and the log have heard."""


def _promise() -> Answer:
    answer: Answer = Future()
    # From now on nobody can cancel it: several calls wait for the same answer.
    answer.set_running_or_notify_cancel()
    return answer


@dataclass(eq=False, slots=True)
class Batch:
    """The members of the calls that came while the read before was under way.

    at: when the first of them asked. waiting: calls that still want the answer. began: when the
    read began, of the monotonic clock; None: not yet. late: a call gave it up. forgotten: members
    that must not be kept, whatever the read gives.
    """

    at: datetime
    members: dict[str, None] = field(default_factory=dict)
    answer: Answer = field(default_factory=_promise)
    waiting: int = 0
    began: float | None = None
    late: bool = False
    forgotten: set[str] = field(default_factory=set)


class Reading:
    """One thread that reads for all calls.

    Feast spends its time in Python, so that a second thread would win nothing; and a store that
    hangs holds this one thread and no more. While it hangs, nothing else is read.

    Args:
        kept: gets what was read and the moment when it was asked for, also when nobody waits any
            more: a late answer is true all the same.
        breaker: hears of every read whether it came in time.
    """

    def __init__(
        self,
        reader: FreshReader,
        breaker: Breaker,
        kept: Callable[[dict[str, Fresh], datetime], None],
    ) -> None:
        self._reader = reader
        self._breaker = breaker
        self._kept = kept
        self._changed = threading.Condition()
        self._running: Batch | None = None
        self._next: Batch | None = None
        self._stopped = False
        self._down = False
        self._log = structlog.get_logger("pushwise.fresh")
        # A daemon: a read that hangs for ever must not keep the process from ending.
        threading.Thread(target=self._run, name="fresh-reader", daemon=True).start()

    def ask(self, members: Sequence[str], at: datetime) -> Batch | None:
        """The batch that will tell of ``members``; None where none can be read now.

        That is while a read is late, or where so much is asked for already.
        """
        with self._changed:
            if self._stopped or (self._running is not None and self._running.late):
                return None
            batch = self._next or Batch(at)
            if batch.members and len(batch.members) + len(members) > AT_ONCE:
                return None
            batch.members.update(dict.fromkeys(members))
            batch.waiting += 1
            self._next = batch
            self._changed.notify()
            return batch

    def give_up(self, batch: Batch) -> None:
        """One call waits for ``batch`` no longer. A read that is under way for long is a failure,
        once, however many calls give it up."""
        with self._changed:
            batch.waiting -= 1
            slow = self._running
            if slow is None or slow.late or slow.began is None:
                return
            slow.late = time.monotonic() - slow.began >= PATIENCE
            if slow.late:
                self._failed("the online store is slow")

    def forget(self, member: str) -> None:
        """What is being read of the member now is not kept."""
        with self._changed:
            for batch in (self._running, self._next):
                if batch is not None:
                    batch.forgotten.add(member)

    def stop(self) -> None:
        """Read no more. Does not wait for a read that hangs."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._next is None and not self._stopped:
                    self._changed.wait()
                if self._stopped or self._next is None:
                    return
                batch, self._next = self._next, None
                if not batch.waiting:
                    continue
                batch.began = time.monotonic()
                self._running = batch
            self._read(batch)

    def _read(self, batch: Batch) -> None:
        try:
            found = self._reader.read(list(batch.members), batch.at)
        except Exception as error:  # the outermost handler of this thread, which must not end
            with self._changed:
                self._running = None
                if not batch.late:
                    mine = isinstance(error, FeatureError)
                    self._failed(str(error) if mine else type(error).__name__)
            batch.answer.set_exception(UnreadError())
            return
        with self._changed:
            self._running = None
            kept = {one: fresh for one, fresh in found.items() if one not in batch.forgotten}
            self._kept(kept, batch.at)
            if not batch.late:
                self._succeeded()
        batch.answer.set_result(found)

    def _failed(self, why: str) -> None:
        self._breaker.failed()
        if not self._down:
            self._log.error("no fresh features", why=why)
        self._down = True

    def _succeeded(self) -> None:
        self._breaker.succeeded()
        if self._down:
            self._log.info("fresh features are read again")
        self._down = False
