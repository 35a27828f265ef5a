"""Migrations: a command brings a log to the newest revision, and workers never do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select

from decisions.pacing import Use
from serving import schema, tables
from serving.columns import NUMBER, TEXT
from serving.database import Database, LogError
from serving.log import Log
from serving.migrate import migrate, status

NOW = datetime(2026, 5, 1, tzinfo=UTC)
OLD = Path(__file__).parent / "old_logs"


def old_log(path: Path, number: int) -> Database:
    """A file as scorers of that format left it, with a decision, an event and an unsubscription."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((OLD / f"format_{number}.sql").read_text())
    return Database.file(path)


def differences(database: Database) -> list[object]:
    engine = database.readers()
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, tables.metadata)
    engine.dispose()
    return list(found)


def test_migrations_and_tables_tell_the_same(tmp_path: Path) -> None:
    database = Database.file(tmp_path / "log.db")
    assert migrate(database, NOW).before is None
    assert differences(database) == []


def test_what_a_first_use_makes_is_what_migrations_make(tmp_path: Path) -> None:
    made, migrated = Database.file(tmp_path / "made.db"), Database.file(tmp_path / "migrated.db")
    Log(made).close()
    migrate(migrated, NOW)
    assert differences(made) == []
    assert described(made) == described(migrated)
    assert status(made) == status(Database.file(tmp_path / "made.db"))
    assert status(made).current


def described(database: Database) -> dict[str, set[object]]:
    """Columns, and whether numbers are ever used again, by table."""
    with closing(sqlite3.connect(str(database))) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        return {
            name: {column[1:6] for column in connection.execute(f"PRAGMA table_info({name})")}
            | {"AUTOINCREMENT" in sql}
            for name, sql in found.fetchall()
        }


def test_the_scorer_wants_the_newest_revision() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert scripts.get_heads() == [schema.REVISION]


def test_all_text_is_compared_byte_by_byte_and_all_numbers_have_64_bits() -> None:
    columns = [column for table in tables.metadata.sorted_tables for column in table.c]
    wrong = [
        str(column)
        for column in columns
        if column.type.python_type in (str, int)
        and column.type is not TEXT
        and column.type is not NUMBER
    ]
    assert wrong == []


@pytest.mark.parametrize("number", [1, 2])
def test_a_log_of_an_older_format_keeps_its_rows(tmp_path: Path, number: int) -> None:
    database = old_log(tmp_path / "log.db", number)
    done = migrate(database, NOW)
    assert (done.before, done.revision) == (f"000{number}", schema.REVISION)
    assert differences(database) == []
    with Log(database) as log:
        found = log.decided("spring", ["m1", "m2"])
        assert {member: one.offer_id for member, one in found.items()} == {"m1": "ten", "m2": None}
        assert found["m1"].inputs is None
        assert log.suppressed(["m1", "m2"]) == {"m2"}
        assert log.used("spring", NOW)["asked"] == Use(spent=2)
        event = {"event_id": "e1", "member_id": "m1", "type": "view",
                 "occurred_at": "2026-05-01T00:00:00Z"}  # fmt: skip
        assert log.keep_events([event], NOW).duplicates == 1
        assert log.keep_events([{**event, "event_id": "e2"}], NOW).accepted == 1
        with log.reading() as connection:
            told = [
                connection.execute(select(table.c.event_id, table.c.member_id)).all()
                for table in (tables.events, tables.outcomes)
            ]
        assert told == [[("e1", "m1"), ("e2", "m1")], [("o1", "m2")]]


def test_a_log_of_format_2_may_lack_what_came_without_a_new_format(tmp_path: Path) -> None:
    database = old_log(tmp_path / "log.db", 2)
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.executescript("DROP TABLE audiences; DROP INDEX of_member")
    migrate(database, NOW)
    assert differences(database) == []


def test_a_file_is_copied_before_it_is_migrated(tmp_path: Path) -> None:
    database = old_log(tmp_path / "log.db", 1)
    (tmp_path / "log.db").chmod(0o600)
    backup = migrate(database, NOW).backup
    assert backup == tmp_path / "log.db.0001-20260501T000000Z"
    assert status(Database.file(backup)).revision == "0001"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert migrate(database, NOW).backup is None, "there is nothing to do, so nothing to keep"


@pytest.mark.parametrize("number", [1, 2])
def test_a_worker_leaves_an_older_log_alone(tmp_path: Path, number: int) -> None:
    database = old_log(tmp_path / "log.db", number)
    before = described(database)
    with pytest.raises(
        LogError, match=f"is at revision 000{number}, .* run `pushwise log migrate`"
    ):
        Log(database)
    assert described(database) == before


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    database = old_log(tmp_path / "log.db", 2)
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.execute("CREATE TABLE idempotency (another INTEGER)")
    before = described(database)
    with pytest.raises(LogError, match="idempotency already exists"):
        migrate(database, NOW)
    assert described(database) == before
    assert status(database).revision == "0002"


@pytest.mark.parametrize("act", [Log, lambda database: migrate(database, NOW)])
def test_a_log_of_a_later_version_is_left_alone(
    tmp_path: Path, act: Callable[[Database], object]
) -> None:
    database = Database.file(tmp_path / "log.db")
    Log(database).close()
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(LogError, match="at revision 9999"):
        act(database)
