"""Calls that wait are decided together, within their deadlines, and never more than fit in time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic

from serving.errors import DeadlinePassed, Overloaded
from serving.scorer import Answers, Asked, Outcome

Decide = Callable[[Sequence[Asked]], Sequence[Outcome]]
MOST_TOGETHER = 256  # members decided at once: more would keep the calls behind them waiting
MOST_WAITING = 4_000  # members: four of the largest calls
_AT_ONCE = 2  # batches: one is decided while another waits for the disk
_SHARE = 0.5  # of a call's time that may go by before its turn comes
_SMOOTH = 0.1  # weight of the newest batch in the seconds that a member takes


@dataclass(eq=False, slots=True)
class _Waiting:
    asked: Asked
    answer: asyncio.Future[Answers]
    since: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True)
class Watched:
    """Told of what the engine does. queued: calls that wait. waited: seconds until a call's turn
    came. batched: members that are decided together. refused: a call that was not taken."""

    queued: Callable[[int], None] = field(default=lambda _: None)
    waited: Callable[[float], None] = field(default=lambda _: None)
    batched: Callable[[int], None] = field(default=lambda _: None)
    refused: Callable[[], None] = field(default=lambda: None)


class Engine:
    """Decides calls in batches, in threads, for the event loop that asks.

    While one batch is at work or waits for the disk, the calls that come in wait for the next:
    the busier the scorer, the more calls share a look at the log and a commit. Only the event
    loop touches the queue, so it needs no lock.

    Args:
        decide: answers several calls at once; see ``Scorer.decide_together``.
    """

    def __init__(self, decide: Decide, watched: Watched | None = None) -> None:
        self._decide = decide
        self._watched = watched or Watched()
        self._waiting: deque[_Waiting] = deque()
        self._members = 0
        self._at_work = 0
        self._called = False
        self._seconds = 0.0  # that one member takes, lately
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="deciding")

    async def answer(self, asked: Asked, until: float) -> Answers:
        """The answers to one call, by the moment ``until`` of the monotonic clock.

        Ask ``check`` first.

        Raises:
            DeadlinePassed: what was not begun by then is not decided at all.
            ServiceError: of ``Scorer.decide_together``.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(asked, loop.create_future())
        self._waiting.append(waiting)
        self._members += len(asked)
        self._call(loop)
        late = loop.call_later(max(until - monotonic(), 0.0), _pass, waiting)
        try:
            return await waiting.answer
        finally:
            late.cancel()

    def check(self, members: int, until: float) -> None:
        """Raises ``Overloaded`` when a call about so many members would have its turn too late."""
        if not self._waiting:
            return
        wait = self._members * self._seconds
        if self._members + members > MOST_WAITING or wait > _SHARE * (until - monotonic()):
            self._watched.refused()
            raise Overloaded

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin a batch at the end of this turn of the loop: what else comes in it joins."""
        if not self._called and self._at_work < _AT_ONCE and self._waiting:
            self._called = True
            loop.call_soon(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._called = False
        batch = self._next()
        self._watched.queued(len(self._waiting))
        if batch:
            now = monotonic()
            for one in batch:
                self._watched.waited(now - one.since)
            self._watched.batched(sum(len(one.asked) for one in batch))
            self._at_work += 1
            self._threads.submit(self._work, loop, batch)
            self._call(loop)

    def _next(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        members = 0
        while self._waiting and (
            not batch or members + len(self._waiting[0].asked) <= MOST_TOGETHER
        ):
            one = self._waiting.popleft()
            self._members -= len(one.asked)
            if not one.answer.done():  # nobody waits any more for one that is
                batch.append(one)
                members += len(one.asked)
        return batch

    def _work(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting]) -> None:
        began = monotonic()
        outcomes: Sequence[Outcome | BaseException]
        try:
            outcomes = self._decide([one.asked for one in batch])
        # Whatever it is, it belongs to the callers: they answer for it.
        except BaseException as error:
            outcomes = [error] * len(batch)
        try:
            loop.call_soon_threadsafe(self._end, loop, batch, outcomes, monotonic() - began)
        except RuntimeError:
            return  # the loop was closed: nobody is left to tell

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting],
        outcomes: Sequence[Outcome | BaseException],
        seconds: float,
    ) -> None:
        self._at_work -= 1
        members = sum(len(one.asked) for one in batch)
        self._seconds += _SMOOTH * (seconds / max(members, 1) - self._seconds)
        self._call(loop)
        for one, outcome in zip(batch, outcomes, strict=True):
            if one.answer.done():
                continue
            if isinstance(outcome, BaseException):
                one.answer.set_exception(outcome)
            else:
                one.answer.set_result(outcome)


def _pass(waiting: _Waiting) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(DeadlinePassed())
