"""Members to be forgotten: recorded at once, carried out step by step, until nothing is left.

From the moment an erasure is recorded the scorer sends the member nothing, takes in nothing about
them, and holds nothing of them in its log. What else a workspace holds is removed by
``pushwise members erase --pending``, which a scorer starts by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, delete, select, update

from features.tombstones import TombstoneError, erasure_key, mark
from serving import log_erasure, upsert
from serving.errors import NoErasureKey, UnknownErasure
from serving.forgotten import NOBODY
from serving.log import Log
from serving.moments import iso
from serving.tables import erasing, erasures, tombstones

State: TypeAlias = Literal["recorded", "done"]


@dataclass(frozen=True, slots=True)
class Erasure:
    """members: how many. removed: rows or files so far, by where they were; ``left`` names what
    still holds somebody, and what takes care of that."""

    erasure_id: str
    state: State
    members: int
    asked_at: datetime
    updated_at: datetime
    removed: Mapping[str, Any]


class Erasures:
    """The erasures of a scorer's log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def ask(self, members: Sequence[str], at: datetime) -> Erasure:
        """Record an erasure, and take its members out of the log in the same commit.

        One member whose erasure is under way has that one.

        Raises:
            LogUnavailable, NoErasureKey: nothing was recorded.
        """
        wanted = list(dict.fromkeys(members))
        try:
            key = erasure_key(self._log.keys)
        except (OSError, TombstoneError) as error:
            raise NoErasureKey from error
        marks = [mark(key, member) for member in (NOBODY, *wanted)]
        new = f"er_{uuid4().hex}"

        def work(connection: Connection) -> Erasure:
            under_way = _under_way(connection, wanted[0]) if len(wanted) == 1 else None
            if under_way is not None:
                return under_way
            stone = upsert.insert(connection, tombstones).on_conflict_do_nothing()
            connection.execute(stone, [{"mark": one, "since": iso(at)} for one in marks])
            gone = log_erasure.forget(connection, wanted)
            row = {
                "erasure_id": new,
                "state": "recorded",
                "members": len(wanted),
                "asked_at": iso(at),
                "updated_at": iso(at),
                "removed": json.dumps({f"log/{name}": count for name, count in gone.items()}),
            }
            connection.execute(erasures.insert(), [row])
            named = [{"erasure_id": new, "member_id": member} for member in wanted]
            connection.execute(erasing.insert(), named)
            return _found(connection, new)

        asked = self._log.write(work)
        self._log.forgotten.look_again()
        return asked

    def find(self, erasure_id: str) -> Erasure:
        """Raises ``UnknownErasure``."""
        with self._log.reading() as connection:
            return _found(connection, erasure_id)

    def pending(self) -> list[Erasure]:
        """Those that are not done, oldest first."""
        asked = select(erasures).where(erasures.c.state != "done").order_by(erasures.c.asked_at)
        with self._log.reading() as connection:
            return [_stored(row) for row in connection.execute(asked).mappings()]

    def wait(self) -> bool:
        """Whether one is not done."""
        return bool(self.pending())

    def members(self, erasure_id: str) -> list[str]:
        """Whom it is about; nobody once their names were let go."""
        named = select(erasing.c.member_id).where(erasing.c.erasure_id == erasure_id)
        with self._log.reading() as connection:
            return sorted(connection.scalars(named))

    def held(self, member: str) -> dict[str, list[dict[str, Any]]]:
        """The rows of the log about a member, by table."""
        with self._log.reading() as connection:
            return log_erasure.held(connection, member)

    def let_go(self, erasure_id: str) -> None:
        """Forget whom it was about: everything else is gone."""
        gone = delete(erasing).where(erasing.c.erasure_id == erasure_id)
        self._log.write(lambda connection: connection.execute(gone).rowcount)

    def finish(self, erasure_id: str, removed: Mapping[str, Any], at: datetime) -> Erasure:
        """It is done, down to the bytes."""
        done = update(erasures).where(erasures.c.erasure_id == erasure_id)
        values = {"state": "done", "removed": json.dumps(dict(removed)), "updated_at": iso(at)}

        def work(connection: Connection) -> Erasure:
            connection.execute(done.values(**values))
            return _found(connection, erasure_id)

        return self._log.write(work)


def _under_way(connection: Connection, member: str) -> Erasure | None:
    asked = (
        select(erasures)
        .join(erasing, erasing.c.erasure_id == erasures.c.erasure_id)
        .where(erasing.c.member_id == member, erasures.c.members == 1)
        .limit(1)
    )
    found = connection.execute(asked).mappings().one_or_none()
    return None if found is None else _stored(found)


def _found(connection: Connection, erasure_id: str) -> Erasure:
    asked = select(erasures).where(erasures.c.erasure_id == erasure_id)
    row = connection.execute(asked).mappings().one_or_none()
    if row is None:
        raise UnknownErasure
    return _stored(row)


def _stored(row: RowMapping) -> Erasure:
    return Erasure(
        row["erasure_id"],
        row["state"],
        row["members"],
        datetime.fromisoformat(row["asked_at"]),
        datetime.fromisoformat(row["updated_at"]),
        json.loads(row["removed"] or "{}"),
    )
