"""The log: nothing is acknowledged before it is on disk, and nothing bad spreads."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from serving.database import LogError
from serving.errors import LogUnavailable
from serving.log import Log

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def view(event_id: str) -> dict[str, str]:
    return {
        "event_id": event_id,
        "member_id": "a",
        "type": "view",
        "occurred_at": "2026-05-01T00:00:00Z",
    }


def test_writers_that_wait_together_share_a_commit(tmp_path: Path) -> None:
    commits: list[int] = []
    entered, go = threading.Event(), threading.Event()

    def slow(_: Connection) -> None:
        entered.set()
        go.wait(5)

    with (
        Log(tmp_path / "log.db", observe=lambda writes, _: commits.append(writes)) as log,
        ThreadPoolExecutor(11) as pool,
    ):
        first = pool.submit(log.write, slow)
        entered.wait(5)
        others = [pool.submit(log.keep_events, [view(str(number))], NOW) for number in range(10)]
        while log._writer._jobs.qsize() < 10:
            pass
        go.set()
        first.result()
        assert [other.result().accepted for other in others] == [1] * 10
    assert commits == [1, 10]


def test_one_write_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    entered, go = threading.Event(), threading.Event()

    def slow(_: Connection) -> None:
        entered.set()
        go.wait(5)

    def wrong(_: Connection) -> None:
        raise ZeroDivisionError

    with Log(tmp_path / "log.db") as log, ThreadPoolExecutor(3) as pool:
        pool.submit(log.write, slow)
        entered.wait(5)
        failing = pool.submit(log.write, wrong)
        good = pool.submit(log.keep_events, [view("e1")], NOW)
        while log._writer._jobs.qsize() < 2:
            pass
        go.set()
        assert good.result().accepted == 1
        with pytest.raises(ZeroDivisionError):
            failing.result()
        assert log.keep_events([view("e1")], NOW).duplicates == 1


def test_what_waits_too_long_is_not_acknowledged(tmp_path: Path) -> None:
    with Log(tmp_path / "log.db", wait=0.05) as log:
        other = sqlite3.connect(tmp_path / "log.db")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailable):
            log.keep_events([view("e1")], NOW)
        other.rollback()
        other.close()


def test_commits_are_synced_to_disk(log: Log) -> None:
    def settings(connection: Connection) -> tuple[str, int]:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        return mode, connection.exec_driver_sql("PRAGMA synchronous").scalar_one()

    assert log.write(settings) == ("wal", 2)  # 2: FULL


def test_two_processes_may_share_a_log(tmp_path: Path) -> None:
    with Log(tmp_path / "log.db") as one, Log(tmp_path / "log.db") as two:
        assert one.keep_events([view("e1")], NOW).accepted == 1
        assert two.keep_events([view("e1")], NOW).duplicates == 1


def test_a_path_may_hold_what_a_url_reads_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "100%?mode=ro#" / "log.db"
    with Log(path) as log:
        assert log.keep_events([view("e1")], NOW).accepted == 1
    assert path.is_file()


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(LogError, match="log format 7, this scorer knows 3 and older"):
        Log(tmp_path / "log.db")
    (tmp_path / "text.db").write_text("nothing of the kind " * 100)
    with pytest.raises(LogError, match="file is not a database"):
        Log(tmp_path / "text.db")
    with pytest.raises(LogError, match="text"):
        Log(tmp_path / "text.db" / "log.db")
