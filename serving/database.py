"""Where the log lies, an SQLite file or a Postgres database, and how connections to it behave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from features.workspace import Workspace
from serving.scorer_error import ScorerError

if TYPE_CHECKING:
    from psycopg import Connection as Driver

# Who writes to a log in Postgres holds this lock until the commit, whatever the process or host:
# one writer at a time, as in SQLite. Any number will do that nobody else uses in the database.
_WRITERS = 0x7075_7368_7769_7365
_WAIT_SECONDS = 5
DATABASE_URL = "PUSHWISE_DATABASE_URL"


class LogError(ScorerError):
    """The log's database cannot be opened, or is not one of ours."""


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a log. Its text never shows a password."""

    url: URL

    @classmethod
    def file(cls, path: Path) -> Database:
        return cls(URL.create("sqlite", database=str(path)))  # a path may hold a "?"

    @classmethod
    def named(cls, text: str) -> Database:
        """From ``sqlite:///path`` or ``postgresql://user@host/database``.

        Raises:
            LogError: it is neither, or the driver is not installed. The text is not repeated.
        """
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise _no_url() from None
        if url.drivername == "sqlite":
            if not url.database or url.database == ":memory:":
                raise _no_url()
            return cls(URL.create("sqlite", database=url.database))
        if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise _no_url()
        return cls(url.set(drivername="postgresql+psycopg"))

    @classmethod
    def of(cls, workspace: Workspace) -> Database:
        """The one of the setting ``database_url``, else the workspace's own file.

        Raises:
            LogError: as ``named``.
        """
        url = workspace.database_url
        return cls.file(workspace.serving_log) if url is None else cls.named(url)

    @property
    def path(self) -> Path | None:
        """The file, None in Postgres."""
        return None if self.postgres or self.url.database is None else Path(self.url.database)

    @property
    def postgres(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    def __str__(self) -> str:
        """For people: the file, or the address without password and options."""
        if not self.postgres:
            return str(self.url.database)
        host = self.url.host or self.url.query.get("host", "")
        port = f":{self.url.port}" if self.url.port else ""
        return f"postgresql://{host}{port}/{self.url.database or ''}"

    def __repr__(self) -> str:
        return f"Database({self})"

    def may_hold_a_log(self) -> bool:
        """False where it is a file that is not there."""
        return self.path is None or self.path.exists()

    def readers(self) -> Engine:
        """Connections whose transactions see one moment from their beginning to their end."""
        if not self.postgres:
            return _sqlite(self.url, "BEGIN")
        return _postgres(self.url, writes=False)

    def writers(self) -> Engine:
        """Connections whose transactions have the log for themselves from their beginning.

        A commit that returned survives a kill and a power cut.
        """
        if not self.postgres:
            return _sqlite(self.url, "BEGIN IMMEDIATE")
        return _postgres(self.url, writes=True)


def child_environment(workspace: Workspace) -> dict[str, str]:
    """What tells a child process of the database: on its command line others could read it."""
    url = workspace.database_url
    return {} if url is None else {DATABASE_URL: url}


def _no_url() -> LogError:
    return LogError(
        "the database URL does not read; wanted postgresql://USER@HOST/DATABASE or sqlite:///PATH "
        "(database_url in pushwise.toml, PUSHWISE_DATABASE_URL, or --database)"
    )


def _sqlite(url: URL, begin: str) -> Engine:
    """Write-ahead log with a full sync."""
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=64,
        hide_parameters=True,  # of errors: they name members
        connect_args={"timeout": float(_WAIT_SECONDS)},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver would begin its own transactions, late and deferred; we do it ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for setting in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


# A host that vanished gives its locks back within half a minute: by the timeout where it hangs, by
# the keepalives where it is gone. synchronous_commit may be stricter than ``on``, never laxer.
_SESSION = f"""
SELECT set_config('lock_timeout', '{_WAIT_SECONDS}s', false),
       set_config('statement_timeout', '{2 * _WAIT_SECONDS}s', false),
       set_config('idle_in_transaction_session_timeout', '{3 * _WAIT_SECONDS}s', false),
       set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit')
                  WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)
"""
_CONNECTION: dict[str, Any] = {
    "connect_timeout": _WAIT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "pushwise",
}


def _postgres(url: URL, *, writes: bool) -> Engine:
    """Writers read what is committed, statement by statement: their first statement waits for the
    lock, and a snapshot taken then would not show what the one before them wrote."""
    try:
        from psycopg import IsolationLevel
    except ImportError as error:
        raise LogError("a log in Postgres needs its driver; install pushwise[postgres]") from error
    engine = create_engine(
        url,
        pool_size=1 if writes else 8,
        max_overflow=1 if writes else 8,  # a server has a hundred connections for all of us
        pool_timeout=_WAIT_SECONDS,
        hide_parameters=True,  # of errors: they name members
        connect_args={name: v for name, v in _CONNECTION.items() if name not in url.query},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        driver = cast("Driver[Any]", connection)
        driver.execute(_SESSION)
        driver.commit()
        driver.read_only = not writes
        driver.isolation_level = (
            IsolationLevel.READ_COMMITTED if writes else IsolationLevel.REPEATABLE_READ
        )

    if writes:

        @event.listens_for(engine, "begin")
        def begun(connection: Connection) -> None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")

    return engine
