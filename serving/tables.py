"""The tables of the scorer's log, and how its database is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    literal,
    select,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from serving.scorer_error import ScorerError

FORMAT = 2

metadata = MetaData()

# ``seq`` counts up in the order of commits and is never used twice: exports remember how far they
# came by it. Moments are ISO 8601 in UTC.
decisions = Table(
    "decisions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("decision_id", String, nullable=False, unique=True),
    Column("push_id", String, nullable=False),
    Column("channel", String, nullable=False),  # of the push, which later releases may not know
    Column("member_id", String, nullable=False),
    Column("offer_id", String),
    Column("probability", Float, nullable=False),
    Column("decided_at", String, nullable=False),
    Column("candidates", String, nullable=False),  # JSON list
    Column("arm", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("release", String, nullable=False),
    Column("context", String),  # JSON object, as the caller gave it
    Column("answer", String, nullable=False),  # JSON, serving.schemas.Decision
    Column("terms", String),  # JSON: prices, left, planned; null where an older scorer decided
    Index("one_answer", "push_id", "member_id", unique=True),
    Index("of_member", "member_id"),
    sqlite_autoincrement=True,
)


def _rows(name: str) -> Table:
    """One contract row each. ``digest``: sha256 of ``row``, which is canonical JSON."""
    return Table(
        name,
        metadata,
        Column("seq", Integer, primary_key=True),
        Column("event_id", String, nullable=False, unique=True),
        Column("digest", String, nullable=False),
        Column("row", String, nullable=False),
        Column("received_at", String, nullable=False),
        sqlite_autoincrement=True,
    )


events = _rows("events")
outcomes = _rows("outcomes")

# What a sample of the decisions knew of their members; see serving.vectors.LoggedVector.
vectors = Table(
    "vectors",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("decision_id", String, nullable=False),
    Column("member_id", String, nullable=False),
    Column("release", String, nullable=False),
    Column("as_of", String, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

# What a push has used of each of its limits; see serving.ledger. Money is in millionths.
limits_used = Table(
    "limits_used",
    metadata,
    Column("push_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("reserved", Integer, nullable=False),
    Column("spent", Integer, nullable=False),
    Column("planned", Integer, nullable=False),
    Column("most", Integer),  # of the release that reserved last; null for no limit
)
reservations = Table(
    "reservations",
    metadata,
    Column("decision_id", String, primary_key=True),
    Column("push_id", String, nullable=False),
    Column("takes", String, nullable=False),  # JSON: amounts by the name of the limit
    Column("state", String, nullable=False),  # serving.ledger.State
    Column("expires_at", String, nullable=False),
    Index("what_expires", "push_id", "state", "expires_at"),
)

# Whole audiences that were asked for; see serving.audiences. It needs no new format: a scorer that
# does not know it leaves it alone.
audiences = Table(
    "audiences",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("audience_id", String, nullable=False, unique=True),
    Column("digest", String, nullable=False),  # of the release and of what was asked
    Column("release", String, nullable=False),
    Column("asked", String, nullable=False),  # JSON, serving.audiences.Wanted
    Column("state", String, nullable=False),  # serving.audiences.State
    Column("stage", String, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("starts", Integer, nullable=False),  # of workers that did not finish it
    Column("worker", String),  # who has it
    Column("lease_until", String),  # when it is anybody's again
    Column("failure", String),  # JSON: detail, conflicts
    Column("summary", String),  # JSON, serving.audience_summary.Summary
    Column("created_at", String, nullable=False),
    Column("updated_at", String, nullable=False),
    Index("audiences_by_state", "state", "seq"),
    Index("audiences_by_digest", "digest"),
    sqlite_autoincrement=True,
)

# Members who must not be contacted, from the moment they said so.
suppressions = Table(
    "suppressions",
    metadata,
    Column("member_id", String, primary_key=True),
    Column("since", String, nullable=False),
    Column("event_id", String, nullable=False),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("secret_sha256", String, nullable=False),
    Column("scopes", String, nullable=False),  # separated by spaces
    Column("label", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String),
    Column("revoked_at", String),
)
exports = Table(
    "exports",
    metadata,
    Column("name", String, primary_key=True),
    Column("seq", Integer, nullable=False),
)


class LogError(ScorerError):
    """The log's database cannot be opened, or is not one of ours."""


def open_engine(path: Path, begin: str) -> Engine:
    """Connections to the log at ``path``, whose transactions start with ``begin``.

    Write-ahead log with a full sync: a commit that returned survives a kill and a power cut.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),  # not as text: a path may hold a "?"
        pool_size=8,
        max_overflow=64,
        connect_args={"timeout": 5.0},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver would begin its own transactions, late and deferred; we do it ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def create_tables(engine: Engine, path: Path) -> None:
    """Make what is missing; a log of format 1 gets what was added since.

    The pushes of such a log keep their decisions, whose cost nobody wrote down: they count as
    asked, and not against the limits.

    Raises:
        LogError: the file cannot be written, is no database, or has another format.
    """
    try:
        with engine.begin() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if found not in (0, 1, FORMAT):
                raise LogError(f"{path}: log format {found}, this scorer writes {FORMAT}")
            metadata.create_all(connection)
            if found == 1:
                _upgrade(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {FORMAT}")
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = error.orig if hasattr(error, "orig") else error
        raise LogError(f"{path}: the log cannot be opened for writing ({cause})") from error


def _upgrade(connection: Connection) -> None:
    """What ``create_all`` does not add to a log of format 1."""
    connection.exec_driver_sql("ALTER TABLE decisions ADD COLUMN terms VARCHAR")
    asked = select(
        decisions.c.push_id, literal("asked"), literal(0), func.count(), literal(0)
    ).group_by(decisions.c.push_id)
    columns = ["push_id", "name", "reserved", "spent", "planned"]
    connection.execute(limits_used.insert().from_select(columns, asked))
