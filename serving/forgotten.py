"""Who was erased: asked of the log's tombstones, with the key of the workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic

from sqlalchemy import Connection, select

from features.tombstones import TombstoneError, mark
from serving.errors import LogUnavailable
from serving.tables import tombstones

_LOOK_SECONDS = 1.0  # so long another worker's first erasure ever may go unnoticed
_AT_ONCE = 1_000  # of more members, reading all tombstones is cheaper than naming each
NOBODY = ""  # no member's id: its mark tells by which key the others were made


class Forgotten:
    """Tells erased members from others; costs next to nothing while nobody was erased.

    Args:
        key: the erasure key, None where there is none.
        clock: seconds that only ever grow.
    """

    def __init__(
        self, key: Callable[[], bytes | None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._find_key = key
        self._clock = clock
        self._key: bytes | None = None
        self._looked_at = clock() - 2 * _LOOK_SECONDS

    def among(self, connection: Connection, members: Iterable[str]) -> frozenset[str]:
        """Those of ``members`` who were erased.

        Raises:
            LogUnavailable: somebody was, and the key by which they are known is not here: then
                nobody may be told from them.
        """
        if self._key is None and not self._anybody(connection):
            return frozenset()
        key = self._key or b""
        by_mark = {mark(key, member): member for member in members}
        made = tombstones.c.mark
        asked = select(made)
        if len(by_mark) <= _AT_ONCE:
            asked = asked.where(made.in_(by_mark))
        return frozenset(by_mark[one] for one in connection.scalars(asked) if one in by_mark)

    def look_again(self) -> None:
        """Somebody was erased just now."""
        self._looked_at = self._clock() - 2 * _LOOK_SECONDS

    def _anybody(self, connection: Connection) -> bool:
        now = self._clock()
        if now - self._looked_at < _LOOK_SECONDS:
            return False
        made = tombstones.c.mark
        if connection.execute(select(made).limit(1)).one_or_none() is not None:
            self._key = self._checked(connection)
            return True
        self._looked_at = now
        return False

    def _checked(self, connection: Connection) -> bytes:
        try:
            key = self._find_key()
        except TombstoneError as error:
            raise LogUnavailable from error
        made = tombstones.c.mark
        if key is not None:
            ours = select(made).where(made == mark(key, NOBODY))
            if connection.execute(ours).one_or_none() is not None:
                return key
        raise LogUnavailable
