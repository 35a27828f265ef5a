"""At which revision a log's tables are, and that a scorer opens only logs of its own."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, select
from sqlalchemy import inspect as inspected
from sqlalchemy.exc import SQLAlchemyError

from serving import tables
from serving.database import Database, LogError

REVISION = "0005"  # the newest of serving/migrations
_FORMATS = {1: "0001", 2: "0002"}  # user_version of the files from before there were revisions
FORMAT = 3  # user_version of the others: what wrote formats 1 and 2 refuses it

# Alembic's own table. Opening a log must not import Alembic, which takes longer than the rest.
_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def open_tables(database: Database, connection: Connection) -> None:
    """See that the tables are those of this scorer; an SQLite file that is empty gets them.

    Nothing else is ever changed here: workers start together, and only one may migrate.

    Raises:
        LogError: they are older or newer, or (in Postgres) not there.
    """
    found = revision(database, connection)
    if found == REVISION:
        return
    if found is None and not database.postgres:
        tables.metadata.create_all(connection)
        _version.create(connection)
        connection.execute(_version.insert(), {"version_num": REVISION})
        connection.exec_driver_sql(f"PRAGMA user_version = {FORMAT}")
        return
    if found is None:
        raise LogError(f"{database}: there is no log yet; run `pushwise log migrate`")
    if found > REVISION:
        raise LogError(
            f"{database}: the log is at revision {found}, this scorer knows {REVISION} and older; "
            "start the version of pushwise that migrated it"
        )
    raise LogError(
        f"{database}: the log is at revision {found}, this scorer wants {REVISION}; "
        "run `pushwise log migrate`"
    )


def revision(database: Database, connection: Connection) -> str | None:
    """None where there is no log yet.

    Raises:
        LogError: the database is something else.
    """
    names = set(inspected(connection).get_table_names())
    if _version.name in names:
        return connection.execute(select(_version.c.version_num)).scalar_one_or_none()
    if not database.postgres:
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if found in _FORMATS:
            return _FORMATS[found]
        if found:
            raise LogError(f"{database}: log format {found}, this scorer knows {FORMAT} and older")
    if names & set(tables.metadata.tables):
        raise LogError(f"{database}: holds tables of something else; wanted an empty database")
    return None


def cannot_open(database: Database, error: SQLAlchemyError | sqlite3.Error) -> LogError:
    """The first line of what the database said: the rest may show statements."""
    cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    return LogError(f"{database}: the log cannot be opened for writing ({cause})")
