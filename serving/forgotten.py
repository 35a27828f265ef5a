"""Who was erased: told by the log's tombstones, with the key of the workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cache
from time import monotonic

from sqlalchemy import Connection, Select, bindparam, select

from features.tombstones import TombstoneError, mark
from serving.among import among
from serving.errors import LogUnavailable
from serving.tables import tombstones

_LOOK_SECONDS = 1.0  # so long an erasure that another worker recorded may go unnoticed
_SKEW = timedelta(minutes=5)  # hosts' clocks may differ by so much
NOBODY = ""  # no member's id: its mark tells by which key the others were made


class Forgotten:
    """Tells erased members from others, from memory; new tombstones are read once a second.

    Args:
        key: the erasure key, None where there is none.
        clock: seconds that only ever grow.
    """

    def __init__(
        self, key: Callable[[], bytes | None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._find_key = key
        self._clock = clock
        self._key = b""
        self._marks: set[str] = set()
        self._newest = ""
        self._looked_at = clock() - 2 * _LOOK_SECONDS

    def among(self, connection: Connection, members: Iterable[str]) -> frozenset[str]:
        """Those of ``members`` who were erased, as of a second ago.

        Raises:
            LogUnavailable: somebody was, and the key by which they are known is not here: then
                nobody may be told from them.
        """
        if self._clock() - self._looked_at >= _LOOK_SECONDS:
            self._look(connection)
        if not self._marks:
            return frozenset()
        return frozenset(one for one in members if mark(self._key, one) in self._marks)

    def among_now(self, connection: Connection, members: Iterable[str]) -> frozenset[str]:
        """The same as of this transaction: for what is about to be written down."""
        known = frozenset(members)
        if not self._marks:
            self._look(connection)
        if not self._marks or not known:
            return frozenset()
        by_mark = {mark(self._key, one): one for one in known}
        found = connection.execute(_marked(connection.dialect.name), {"marks": list(by_mark)})
        return frozenset(by_mark[row.mark] for row in found)

    def look_again(self) -> None:
        """Somebody was erased just now."""
        self._looked_at = self._clock() - 2 * _LOOK_SECONDS

    def _look(self, connection: Connection) -> None:
        now = self._clock()
        rows = connection.execute(_SINCE, {"since": self._newest}).all()
        if rows:
            marks = {row.mark for row in rows}
            if not self._marks:
                self._key = self._checked(marks)
            self._marks |= marks
            newest = datetime.fromisoformat(max(row.since for row in rows))
            self._newest = (newest - _SKEW).isoformat()
        self._looked_at = now

    def _checked(self, marks: set[str]) -> bytes:
        try:
            key = self._find_key()
        except TombstoneError as error:
            raise LogUnavailable from error
        if key is None or mark(key, NOBODY) not in marks:
            raise LogUnavailable
        return key


_SINCE = select(tombstones.c.mark, tombstones.c.since).where(
    tombstones.c.since >= bindparam("since")
)


@cache
def _marked(dialect: str) -> Select[tuple[str]]:
    made = tombstones.c.mark
    return select(made).where(among(dialect, made, "marks"))
