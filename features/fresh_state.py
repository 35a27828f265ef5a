"""The durable state behind the fresh features: one SQLite file of the one process that follows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from features.errors import FeatureError
from features.fresh import Line, MemberState, due
from features.sqlite_scrub import deleting, scrub

_TABLES = """
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS members (
    member_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,   -- JSON
    due TEXT,              -- when time alone changes the features
    unsent INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS unsent ON members (member_id) WHERE unsent;
CREATE INDEX IF NOT EXISTS due ON members (due) WHERE due IS NOT NULL;
"""
_FORMAT = 1


class FreshState:
    """Member states, how far each table was read, and whose features are not sent yet.

    States and marks change in one transaction: after a crash, rows are folded again from the last
    marks, onto the states that belong to them.

    Raises:
        FeatureError: the file is no state of ours.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            # A power cut may take the last transactions, marks and states alike: read again.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            found = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, _FORMAT):
                raise FeatureError(f"{path}: format {found}, wanted {_FORMAT}; delete it")
            self._connection.executescript(_TABLES)
            self._connection.execute(f"PRAGMA user_version = {_FORMAT}")
        except sqlite3.DatabaseError as error:
            raise FeatureError(f"{path}: not readable ({error}); delete it") from error

    def close(self) -> None:
        self._connection.close()

    def mark(self, name: str) -> int:
        """Number of the last row taken from the table ``name``; 0 at first."""
        asked = self._connection.execute("SELECT seq FROM marks WHERE name = ?", (name,))
        found = asked.fetchone()
        return 0 if found is None else int(found[0])

    def members(self, member_ids: Iterable[str]) -> dict[str, MemberState]:
        """The states of those members who have one."""
        ids = json.dumps(list(member_ids))
        found = self._connection.execute(
            "SELECT member_id, state FROM members "
            "WHERE member_id IN (SELECT value FROM json_each(?))",
            (ids,),
        )
        return {member: _read(text) for member, text in found}

    def keep(
        self, states: Mapping[str, MemberState], marks: Mapping[str, int], now: datetime
    ) -> None:
        """Write states, whose features are now unsent, and how far the tables were read."""
        rows = [
            (member, _written(state), _text(due(state, now))) for member, state in states.items()
        ]
        with _transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO members VALUES (?, ?, ?, 1) ON CONFLICT (member_id) DO UPDATE "
                "SET state = excluded.state, due = excluded.due, unsent = 1",
                rows,
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO marks VALUES (?, ?)", marks.items()
            )

    def unsent(self, now: datetime, limit: int) -> dict[str, MemberState]:
        """Members whose features changed since they were sent, by rows or by time."""
        found = self._connection.execute(
            "SELECT member_id, state FROM members WHERE unsent UNION "
            "SELECT member_id, state FROM members WHERE due <= ? LIMIT ?",
            (_text(now), limit),
        )
        return {member: _read(text) for member, text in found}

    def sent(self, states: Mapping[str, MemberState], now: datetime) -> None:
        """The features of these states at ``now`` are in the online store."""
        rows = [(_text(due(state, now)), member) for member, state in states.items()]
        with _transaction(self._connection):
            self._connection.executemany(
                "UPDATE members SET unsent = 0, due = ? WHERE member_id = ?", rows
            )


def forget_states(path: Path, members: Collection[str]) -> int:
    """Delete the states of members from the file at ``path``; how many there were."""
    if not path.exists():
        return 0
    with deleting(path) as opened:
        gone = opened.executemany(
            "DELETE FROM members WHERE member_id = ?", [(member,) for member in members]
        ).rowcount
    scrub(path, [member.encode() for member in members])
    return int(gone)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _written(state: MemberState) -> str:
    document = {
        "seen": _text(state.seen),
        "category": state.category and [_text(state.category[0]), state.category[1]],
        "clicked": _text(state.clicked),
        "cared": state.cared and [_text(state.cared[0]), state.cared[1]],
        "cart": {
            item: [_text(line.added), line.worth, _text(line.out)]
            for item, line in state.cart.items()
        },
        "cart_at": _text(state.cart_at),
        "contacts": {key: [_text(at), failed] for key, (at, failed) in state.contacts.items()},
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _read(text: str) -> MemberState:
    document: dict[str, Any] = json.loads(text)
    return MemberState(
        seen=_moment(document["seen"]),
        category=_named(document["category"]),
        clicked=_moment(document.get("clicked")),  # a state of an older release has neither
        cared=_named(document.get("cared")),
        cart={
            item: Line(_moment(added), worth, _moment(out))
            for item, (added, worth, out) in document["cart"].items()
        },
        cart_at=_moment(document["cart_at"]),
        contacts={
            key: (datetime.fromisoformat(at), failed)
            for key, (at, failed) in document["contacts"].items()
        },
    )


def _named(written: list[str] | None) -> tuple[datetime, str] | None:
    return None if not written else (datetime.fromisoformat(written[0]), written[1])


def _text(moment: datetime | None) -> str | None:
    # Always six digits: moments in UTC then sort as text.
    return None if moment is None else moment.isoformat(timespec="microseconds")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
