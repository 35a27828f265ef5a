"""Inserts that say what happens to a row that is there already, on either engine of the log."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """``into`` the engine of ``connection``."""
    return into(connection.dialect.name, table)


def into(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert with ``on_conflict_do_nothing``, ``on_conflict_do_update`` and ``excluded``.

    Name the columns of the conflict in ``index_elements``. A row may stand once in a batch:
    Postgres refuses to update one twice in a statement.
    """
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
