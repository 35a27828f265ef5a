"""The log in Postgres: the guarantees of SQLite's single writer, for workers on several hosts."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, select

from decisions.pacing import MONEY
from serving import tables
from serving.database import Database, LogError
from serving.drain import newest, waiting
from serving.errors import LogUnavailable
from serving.fresh_rows import SOURCES, next_page
from serving.ledger import Claim
from serving.log import Claims, Log, LoggedDecision
from serving.migrate import migrate, status
from serving.moments import iso
from tests.log_databases import Databases

NOW = datetime(2026, 5, 1, tzinfo=UTC)
WORKERS = 4


def view(event_id: str) -> dict[str, str]:
    return {"event_id": event_id, "member_id": "a", "type": "view",
            "occurred_at": "2026-05-01T00:00:00Z"}  # fmt: skip


def decision(member: str, worker: int = 0) -> LoggedDecision:
    return LoggedDecision(
        decision_id=f"{worker}-{member}", push_id="spring", channel="push", member_id=member,
        offer_id="a", probability=1.0, decided_at=iso(NOW), candidates="[]", arm="policy",
        policy="p", release="r", context=None, answer="{}",
    )  # fmt: skip


def claims(most: int, *made: LoggedDecision, expires_at: datetime | None = None) -> Claims:
    until = iso(expires_at or NOW + timedelta(hours=1))
    return Claims(
        {MONEY: most},
        {one.decision_id: Claim(one.decision_id, {MONEY: 1}, {MONEY: 1}, until) for one in made},
        NOW,
    )


@contextmanager
def workers(database: Database) -> Iterator[list[Log]]:
    """Each with connections and a writer of its own, as in a process of its own."""
    with ExitStack() as stack:
        yield [stack.enter_context(Log(database)) for _ in range(WORKERS)]


def at_once(act: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(act, range(WORKERS)))


def run(database: Database, statement: str) -> None:
    engine = create_engine(database.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_migrations_and_tables_tell_the_same(databases: Databases) -> None:
    engine = databases.migrated().readers()
    with engine.begin() as connection:
        found = compare_metadata(MigrationContext.configure(connection), tables.metadata)
    engine.dispose()
    assert found == []


def test_workers_make_no_tables_and_name_the_command(databases: Databases) -> None:
    database = databases.empty()
    with pytest.raises(LogError, match="there is no log yet; run `pushwise log migrate`"):
        Log(database)
    assert status(database).revision is None
    assert (migrate(database, NOW).before, status(database).current) == (None, True)
    run(database, "UPDATE alembic_version SET version_num = '0002'")
    with pytest.raises(LogError, match=r"at revision 0002, .* run `pushwise log migrate`"):
        Log(database)


def test_migrations_that_meet_are_one(databases: Databases) -> None:
    database = databases.empty()
    done = at_once(lambda _: migrate(database, NOW))
    assert {one.revision for one in done} == {status(database).revision}
    Log(database).close()


def test_a_database_of_something_else_is_left_alone(databases: Databases) -> None:
    database = databases.empty()
    run(database, "CREATE TABLE events (another INTEGER)")
    with pytest.raises(LogError, match="holds tables of something else"):
        migrate(database, NOW)


def test_a_server_that_does_not_sync_is_told(databases: Databases) -> None:
    assert not status(databases.migrated()).synced


def test_a_wrong_password_is_told_without_it(databases: Databases) -> None:
    url = databases.server.database("migrated").replace(databases.server.password, "hunter2")
    with pytest.raises(LogError, match="password authentication failed") as raised:
        Log(Database.named(url))
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_workers_together_never_pass_a_limit(databases: Databases) -> None:
    def reserve(number: int) -> int:
        kept = 0
        for turn in range(15):
            made = [decision(f"m{number}-{turn}-{one}") for one in range(2)]
            kept += len(logs[number].keep_decisions(made, (), claims(50, *made)))
        return kept

    with workers(databases.migrated()) as logs:
        assert sum(at_once(reserve)) == 50
        used = logs[0].used("spring", NOW)[MONEY]
        assert (used.reserved, used.spent) == (50, 0)


def test_workers_together_give_a_member_one_answer(databases: Databases) -> None:
    members = [f"m{number}" for number in range(20)]

    def decide(number: int) -> dict[str, str]:
        made = [decision(member, number) for member in members[number:] + members[:number]]
        kept = logs[number].keep_decisions(made, (), claims(1000, *made))
        return {member: one.decision_id for member, one in kept.items()}

    with workers(databases.migrated()) as logs:
        answers = at_once(decide)
        stand = {m: one.decision_id for m, one in logs[0].decided("spring", members).items()}
        assert answers == [stand] * WORKERS
        assert logs[0].used("spring", NOW)[MONEY].reserved == len(members)


def test_workers_together_take_an_event_once(databases: Databases) -> None:
    rows = [view(f"e{number}") for number in range(50)]
    with workers(databases.migrated()) as logs:
        taken = at_once(lambda number: logs[number].keep_events(rows[::-1] + rows, NOW))
        assert sum(one.accepted for one in taken) == 50
        assert sum(one.duplicates for one in taken) == WORKERS * 100 - 50


def test_who_follows_the_numbers_misses_no_row(databases: Databases) -> None:
    """Once a number was seen, no smaller one appears, however late its writer commits."""
    database, each = databases.migrated(), 60
    wanted = {f"e{number}-{turn}" for number in range(WORKERS) for turn in range(each)} | {"late"}

    def write(number: int) -> None:
        for turn in range(each):
            logs[number].keep_events([view(f"e{number}-{turn}")], NOW)

    def late(connection: Connection) -> None:
        row = {"event_id": "late", "digest": "", "row": "{}", "received_at": iso(NOW)}
        connection.execute(tables.events.insert(), [row])
        time.sleep(0.5)

    with workers(database) as logs, Log(database) as log, ThreadPoolExecutor(WORKERS + 1) as pool:
        writing = [pool.submit(log.write, late), *(pool.submit(write, n) for n in range(WORKERS))]
        followed: list[str] = []
        mark, until = 0, monotonic() + 30
        while len(followed) < len(wanted) and monotonic() < until:
            with log.reading() as connection:
                page = connection.execute(
                    select(tables.events).where(tables.events.c.seq > mark).order_by("seq")
                ).all()
            followed += [row.event_id for row in page]
            mark = page[-1].seq if page else mark
        for one in writing:
            one.result()
    assert len(followed) == len(wanted)
    assert set(followed) == wanted


def test_moments_are_compared_as_in_sqlite(databases: Databases) -> None:
    """By byte; by the rules of a language half a second later would be earlier."""
    made = decision("m1")
    half = NOW + timedelta(seconds=0.5)
    with Log(databases.migrated()) as log:
        log.keep_decisions([made], (), claims(9, made, expires_at=half))
        assert log.used("spring", NOW)[MONEY].reserved == 1
        assert log.used("spring", half)[MONEY].reserved == 0


def test_money_may_be_more_than_32_bits_hold(databases: Databases) -> None:
    made, most = decision("m1"), 10**15
    with Log(databases.migrated()) as log:
        claim = Claim(made.decision_id, {MONEY: most}, {}, iso(NOW + timedelta(hours=1)))
        log.keep_decisions([made], (), Claims({MONEY: most}, {made.decision_id: claim}, NOW))
        assert log.used("spring", NOW)[MONEY].reserved == most


def test_exports_read_rows_back(databases: Databases) -> None:
    with Log(databases.migrated()) as log:
        log.keep_events([view("e1"), view("e2")], NOW)
        found = waiting(log, "events", newest(log, "events"))
        assert [row["event_id"] for row in found] == ["e1", "e2"]


def test_what_waits_too_long_is_not_acknowledged(databases: Databases) -> None:
    database = databases.migrated()
    hangs, go = threading.Event(), threading.Event()

    def hang(_: Connection) -> None:
        hangs.set()
        go.wait(10)

    with Log(database, wait=0.2) as log, Log(database) as other, ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(other.write, hang)
        hangs.wait(5)
        started = monotonic()
        with pytest.raises(LogUnavailable):
            log.keep_events([view("e1")], NOW)
        assert monotonic() - started < 2
        go.set()
        hanging.result()
        time.sleep(0.1)
        assert log.keep_events([view("e2")], NOW).accepted == 1


def test_a_server_that_is_gone_and_comes_back_needs_nobody(databases: Databases) -> None:
    with Log(databases.migrated()) as log:
        log.keep_events([view("e1")], NOW)
        log.suppressed(["a"])
        databases.server.stop()
        try:
            for _ in range(2):
                with pytest.raises(LogUnavailable):
                    log.suppressed(["a"])
                with pytest.raises(LogUnavailable):
                    log.keep_events([view("e2")], NOW)
        finally:
            databases.server.start()
        assert log.keep_events([view("e1"), view("e2")], NOW).duplicates == 1
        assert log.suppressed(["a"]) == frozenset()


def test_fresh_features_are_read_from_it(databases: Databases) -> None:
    with Log(databases.migrated()) as log:
        log.keep_events([view("e1"), view("e2")], NOW)
        log.keep_decisions([decision("m1")])
        with log.reading() as connection:
            page = next_page(connection, dict.fromkeys(SOURCES, 0), {}, 10)
    assert [member for member, _ in page.rows] == ["a", "a", "m1"]
    assert page.marks == {"events": 2, "decisions": 1, "outcomes": 0}


def test_the_longest_ids_there_may_be_are_indexed(databases: Databases) -> None:
    """Of characters that take four bytes and do not compress."""
    drawn = random.Random(1)
    longest = "".join(chr(drawn.randrange(0x10000, 0x10FFFF)) for _ in range(512))
    row = {**view(longest), "member_id": longest[::-1]}
    with Log(databases.migrated()) as log:
        assert log.keep_events([row], NOW).accepted == 1
        assert log.keep_events([row], NOW).duplicates == 1
