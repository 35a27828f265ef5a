"""What the log holds of some members: taken out, or shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from serving import tables

# Every table of the log is one of these; a test holds it to that.
# First those with a member_id.
OF_MEMBERS = ("decisions", "events", "outcomes", "vectors", "shadows", "suppressions")
OF_DECISIONS = ("reservations",)  # with a decision_id alone
OF_NOBODY = (
    "limits_used", "audiences", "catalogue", "api_keys", "exports", "releases_seen", "tombstones",
    "erasures", "erasing", "idempotency", "experiments", "experiment_audit",
    "evaluations", "users", "sessions", "changes",
)  # fmt: skip
_AT_ONCE = 500


def forget(connection: Connection, members: Sequence[str]) -> dict[str, int]:
    """Delete every row about ``members``; how many there were in each table.

    What a push used of its limits stays used: it is a sum over all its members.
    """
    removed: dict[str, int] = {}
    for start in range(0, len(members), _AT_ONCE):
        for name, count in _forget(connection, members[start : start + _AT_ONCE]).items():
            removed[name] = removed.get(name, 0) + count
    return removed


def held(connection: Connection, member: str) -> dict[str, list[dict[str, Any]]]:
    """Every row about ``member``, by table; bytes are left out, JSON is read."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in OF_MEMBERS:
        table = tables.metadata.tables[name]
        rows = connection.execute(select(table).where(table.c.member_id == member)).mappings()
        found[name] = [_plain(dict(row)) for row in rows]
    return found


def _forget(connection: Connection, members: Sequence[str]) -> dict[str, int]:
    made = tables.decisions.c
    asked = select(made.decision_id).where(made.member_id.in_(members))
    decided = list(connection.scalars(asked))
    removed = dict.fromkeys((*OF_DECISIONS, *OF_MEMBERS), 0)
    for name in OF_DECISIONS:
        table = tables.metadata.tables[name]
        for start in range(0, len(decided), _AT_ONCE):
            some = table.c.decision_id.in_(decided[start : start + _AT_ONCE])
            removed[name] += _gone(connection, table, some)
    for name in OF_MEMBERS:
        table = tables.metadata.tables[name]
        removed[name] += _gone(connection, table, table.c.member_id.in_(members))
    return removed


def _gone(connection: Connection, table: Table, which: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(which)).rowcount


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _read(value)
        for name, value in row.items()
        if not isinstance(value, bytes | memoryview) and name not in ("seq", "digest")
    }


def _read(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
