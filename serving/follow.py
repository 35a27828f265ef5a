"""Follows the scorer's log and brings what it says of members into the online store."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from features.errors import FeatureError
from features.fresh import FreshRow, MemberState, fold, forget, fresh_row
from features.fresh_state import FreshState
from features.workspace import Workspace
from serving.errors import LogUnavailable
from serving.fresh_rows import SOURCES, Items, Page, next_page
from serving.log import Log

POLL_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_PAGE = 2_000  # rows of each source
_AT_ONCE = 500  # members a push
# Behind a long log, members of many rows are pushed once in a while instead of after each page.
_CATCH_UP = timedelta(seconds=2)
_SAY = timedelta(seconds=5)


class FreshStore(Protocol):
    """Where fresh rows go: ``features.store.fresh.OnlineFresh``."""

    def push(self, rows: Mapping[str, FreshRow], now: datetime) -> None: ...

    def alive(self, now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Step:
    """What one look at the log did.

    lag: from the acknowledgement of the oldest row taken since the last push until its member's
        features were in the store, seconds; 0 where nothing was pushed. full: there may be more.
    """

    read: int
    pushed: int
    lag: float
    full: bool


class Follower:
    """Reads the log from where it stopped, folds, pushes; each row at least once.

    States and marks are on disk before anything is pushed, and a member stays unsent until the
    push has succeeded: a crash anywhere repeats work and changes no result.
    """

    def __init__(
        self,
        log: Log,
        state: FreshState,
        store: FreshStore,
        items: Items,
        clock: Callable[[], datetime],
    ) -> None:
        self._log = log
        self._state = state
        self._store = store
        self._items = items
        self._clock = clock
        self._said = self._pushed = datetime.min.replace(tzinfo=UTC)
        self._oldest: datetime | None = None  # acknowledged and not pushed yet

    def step(self) -> Step:
        """Take what is new, a page at most, and push what changed.

        Raises:
            LogUnavailable: the log cannot be read.
            FeatureError: the online store does not answer; what is unsent stays so.
        """
        marks = {source: self._state.mark(source) for source in SOURCES}
        with self._log.reading() as connection:
            page = next_page(connection, marks, self._items, _PAGE)
        if page.marks != marks:
            self._state.keep(self._folded(page), page.marks, self._clock())
            self._oldest = min(filter(None, (self._oldest, page.oldest)), default=None)
        if page.full and self._clock() - self._pushed < _CATCH_UP:
            return Step(page.read, 0, 0.0, page.full)
        pushed = self._push_unsent()
        now = self._pushed = self._clock()
        if not page.full and now - self._said >= _SAY:
            self._store.alive(now)
            self._said = now
        lag = 0.0 if self._oldest is None else (now - self._oldest).total_seconds()
        self._oldest = None
        return Step(page.read, pushed, lag, page.full)

    def _folded(self, page: Page) -> dict[str, MemberState]:
        states = self._state.members({member for member, _ in page.rows})
        for member, row in page.rows:
            states[member] = fold(states.get(member, MemberState()), row)
        now = self._clock()
        return {member: forget(state, now) for member, state in states.items()}

    def _push_unsent(self) -> int:
        pushed = 0
        while True:
            now = self._clock()
            changed = self._state.unsent(now, _AT_ONCE)
            if not changed:
                return pushed
            rows = {member: fresh_row(state, now) for member, state in changed.items()}
            self._store.push(rows, now)
            self._state.sent(changed, now)
            pushed += len(changed)


class Waits(Protocol):
    """``threading.Event.wait``: True once it is time to stop."""

    def __call__(self, seconds: float) -> bool: ...


def follow(follower: Follower, wait: Waits, refresh: Callable[[], None]) -> None:
    """Take steps until ``wait`` says to stop; a store or a log that does not answer is asked again.

    Args:
        refresh: called before each look at the log, cheap unless the items have changed.
    """
    log = structlog.get_logger("pushwise.fresh")
    down = False
    while True:
        pause = POLL_SECONDS
        try:
            refresh()
            step = follower.step()
            if down:
                log.info("fresh features flow again")
            down = False
            if step.read:
                log.info("followed", rows=step.read, members=step.pushed, lag_seconds=step.lag)
            if step.full:
                pause = 0.0
        except (FeatureError, LogUnavailable) as error:
            if not down:
                log.error("fresh features wait", why=str(error))
            down, pause = True, _RETRY_SECONDS
        if wait(pause):
            return


def follow_workspace(workspace: Workspace, wait: Waits, announce: Callable[[], None]) -> None:
    """Follow the log of a workspace until ``wait`` says to stop. ``announce``: it has begun.

    One follower works at a time: another one waits for its end, and then goes on where it was.

    Raises:
        FeatureError: the state or the store cannot be opened.
        LogError: the log cannot be opened.
    """
    # Feast takes seconds to import, and only here: never in a scorer.
    from features.item_catalogue import ItemCatalogue
    from features.store.fresh import online_fresh

    with _alone(workspace.feast / "follower.lock", wait) as mine:
        if not mine:
            return
        items = ItemCatalogue(workspace)
        with (
            Log.of(workspace) as log,
            closing(FreshState(workspace.fresh_state)) as state,
            online_fresh(workspace) as store,
        ):
            announce()
            follower = Follower(log, state, store, items, _now)
            follow(follower, wait, lambda: items.refresh(_now()))


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _alone(lock: Path, wait: Waits) -> Iterator[bool]:
    """Whether nobody else is inside; False where it was time to stop first."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    structlog.get_logger("pushwise.fresh").info("another follower is at work")
                waiting = True
            if wait(_RETRY_SECONDS):
                yield False
                return
        yield True
