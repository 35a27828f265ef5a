"""``pushwise log migrate|status``: brings the log's tables to the newest revision.

People and deployments run it, never workers: those only look at the revision, and refuse a log
that is older (``serving.schema``).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from serving.database import Database, LogError
from serving.schema import FORMAT, REVISION, cannot_open, revision

_REVISIONS = Path(__file__).parent / "migrations"
_PATIENCE = "5min"  # an index on a long log takes its time


@dataclass(frozen=True, slots=True)
class Status:
    """What stands in a database. revision: None where there is no log. wanted: of this version of
    pushwise. synced: whether the server itself syncs to disk (``fsync``); SQLite always does."""

    database: str
    revision: str | None
    wanted: str
    synced: bool

    @property
    def current(self) -> bool:
        return self.revision == self.wanted


@dataclass(frozen=True, slots=True)
class Migrated:
    """before: None where there was no log. backup: of an SQLite file that had one."""

    database: str
    before: str | None
    revision: str
    backup: Path | None


def status(database: Database) -> Status:
    """Changes nothing.

    Raises:
        LogError: the database cannot be read, or is something else.
    """
    if not database.may_hold_a_log():
        return Status(str(database), None, REVISION, synced=True)
    engine = database.readers()
    try:
        with engine.begin() as connection:
            return Status(
                str(database), revision(database, connection), REVISION, _synced(connection)
            )
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise cannot_open(database, error) from error
    finally:
        engine.dispose()


def migrate(database: Database, now: datetime) -> Migrated:
    """Bring the tables to the newest revision, all or nothing.

    An SQLite file that holds an older log is copied first, beside itself. Whoever writes waits
    until the end; two migrations at once are one.

    Raises:
        LogError: the database cannot be written, is something else, or newer than this version.
    """
    before = status(database).revision
    if before is not None and before > REVISION:
        raise LogError(
            f"{database}: the log is at revision {before}, which is newer than {REVISION}; "
            "use the version of pushwise that migrated it"
        )
    if before == REVISION:
        return Migrated(str(database), before, REVISION, None)
    path = database.path
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = database.writers()
    try:
        backup = _copied(path, before, now) if path is not None and before else None
        with engine.begin() as connection:
            _upgrade(database, connection)
        return Migrated(str(database), before, REVISION, backup)
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise cannot_open(database, error) from error
    finally:
        engine.dispose()


def _upgrade(database: Database, connection: Connection) -> None:
    if database.postgres:
        _prepare(database, connection)
    scripts = ScriptDirectory(str(_REVISIONS))
    context = MigrationContext.configure(connection, opts={"transactional_ddl": True})
    found = revision(database, connection)  # again: the one before us may have migrated it
    todo = list(scripts.iterate_revisions(REVISION, found or "base"))
    with Operations.context(context):
        for script in reversed(todo):
            script.module.upgrade()
            context.stamp(scripts, script.revision)
    if not database.postgres:
        connection.exec_driver_sql(f"PRAGMA user_version = {FORMAT}")


def _prepare(database: Database, connection: Connection) -> None:
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise LogError(f"{database}: its encoding is {encoding}, wanted UTF8")
    # Only for this transaction.
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_PATIENCE}'")


def _synced(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.scalar(text("SHOW fsync")) == "on")


def _copied(path: Path, before: str, now: datetime) -> Path:
    """A copy of one moment, also while others write; it keeps to the permissions of the file."""
    backup = path.with_name(f"{path.name}.{before}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    backup.touch(mode=path.stat().st_mode & 0o777, exist_ok=False)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)
    return backup
