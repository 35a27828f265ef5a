"""Opens the online store beside a running scorer: Feast takes seconds to import."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime

import structlog

from features.encoding import Encoding
from features.errors import FeatureError
from features.workspace import Workspace
from serving.fresh_source import (
    MOST_MEMBERS,
    NOTHING,
    UNAVAILABLE,
    Freshness,
    FreshSource,
    NoFresh,
    ReadFresh,
    StoreState,
)

_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0
_WARM_UP = "pushwise-warm-up"
_STEP_SECONDS = 0.0005


@contextmanager
def _in_small_steps() -> Iterator[None]:
    """Other threads wait as little as possible: an import is seconds of Python.

    Threads hand the interpreter on ten times as often, since a call changes threads several times
    and would wait 5 ms at each change; and nobody looks for garbage, which would stop them all for
    longer the more was imported.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_STEP_SECONDS)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setswitchinterval(before)


class NotYet(NoFresh):
    """There is a store, but it is not open: what is in it is missing."""

    async def fresh(
        self,
        members: Sequence[str],
        encoding: Encoding,
        at: datetime,
        within: float,
        since: datetime | None = None,
    ) -> Freshness:
        return Freshness({}, (UNAVAILABLE,)) if 0 < len(members) <= MOST_MEMBERS else NOTHING


class OpenedLater:
    """The fresh features of a workspace, opened in a thread once there are any.

    As long as no follower has ever worked in the workspace, nothing is fresh and nothing is
    missing: answers are not marked, and Feast is not imported. From then on answers are marked
    until the store is open.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._source: FreshSource = NoFresh()
        self._stopped = threading.Event()
        self._log = structlog.get_logger("pushwise.fresh")
        self._thread = threading.Thread(target=self._run, name="fresh-opener", daemon=True)

    def start(self) -> None:
        """Begin to look for the store. Called once the scorer answers: importing takes a core."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more. Waits for nothing that hangs."""
        self._stopped.set()

    async def fresh(
        self,
        members: Sequence[str],
        encoding: Encoding,
        at: datetime,
        within: float,
        since: datetime | None = None,
    ) -> Freshness:
        return await self._source.fresh(members, encoding, at, within, since)

    def forget(self, member: str) -> None:
        self._source.forget(member)

    def state(self) -> StoreState | None:
        return self._source.state()

    def _run(self) -> None:
        while not self._workspace.fresh_state.exists():
            if self._stopped.wait(_LOOK_SECONDS):
                return
        self._source = NotYet()
        while not self._stopped.is_set():
            try:
                self._read_until_stopped()
            except FeatureError as error:
                self._log.info("fresh features are not open yet", why=str(error))
            except Exception:  # the outermost handler of this thread, which must not end
                self._log.exception("fresh features do not open")
            self._stopped.wait(_RETRY_SECONDS)

    def _read_until_stopped(self) -> None:
        with ExitStack() as stack:
            with _in_small_steps():
                from features.store.fresh import fresh_for_reading  # imports Feast

                reader = stack.enter_context(fresh_for_reading(self._workspace))
                with suppress(FeatureError):  # a store that is down now may come back
                    reader.read([_WARM_UP], datetime.now(UTC))
            gc.freeze()  # what Feast brought stays, like all else: see serving.server
            source = ReadFresh(reader)
            self._source = source
            self._log.info("fresh features are read")
            self._stopped.wait()
            source.stop()
