"""The scorer's log of ``benchmarks.dashboard``: what members were decided, told and did."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from starlette.testclient import TestClient

from benchmarks.dashboard_shop import Size, copied
from serving.app import create_app
from serving.parts import Parts

_ASKED = 1_000  # decisions that are really made; the others are copies for other members
_AT_ONCE = 100  # copies of them in one transaction
_MEMBERS, _EVENTS = 20_000, 50  # who sent events through the API, and how many each
_COLUMNS = (
    "channel", "offer_id", "probability", "decided_at", "candidates", "arm", "policy", "release",
    "context", "answer", "terms", "inputs", "experiment",
)  # fmt: skip
_AS_THEY_ARE = ", ".join(_COLUMNS)
_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers"
_DECISIONS = f"""{_NUMBERS} WHERE n + 1 < :last)
INSERT OR IGNORE INTO decisions (decision_id, push_id, member_id, {_AS_THEY_ARE})
SELECT decision_id || :push || '-' || n, push_id || :push,
    printf('m%07d', CAST(substr(member_id, 2) AS INTEGER) + {_ASKED} * n), {_AS_THEY_ARE}
FROM numbers, (SELECT * FROM decisions WHERE seq > :newest - {_ASKED} AND seq <= :newest)"""
_OUTCOMES = """INSERT INTO outcomes (event_id, digest, row, received_at, member_id)
SELECT 'o' || seq, lower(hex(randomblob(32))), json_object('decision_id', decision_id, 'event_id',
    'o' || seq, 'occurred_at', decided_at, 'push_id', push_id, 'type',
    CASE seq % 3 WHEN 0 THEN 'opened' ELSE 'delivered' END), decided_at, member_id
FROM decisions WHERE offer_id IS NOT NULL AND seq % 2 = 0 AND seq > :first AND seq <= :last"""
_LOGGED = f"""{_NUMBERS} WHERE n + 1 < :last)
INSERT INTO events (event_id, digest, row, received_at, member_id)
SELECT 'l' || n, lower(hex(randomblob(32))), json_object('event_id', 'l' || n, 'item_id',
    'i' || n % 100, 'member_id', printf('m%07d', n % {_MEMBERS}), 'occurred_at',
    '2026-05-01T10:00:00+00:00', 'type', CASE n % 4 WHEN 0 THEN 'purchase' ELSE 'view' END),
    '2026-05-01T10:00:01+00:00', printf('m%07d', n % {_MEMBERS}) FROM numbers"""


def decide(parts: Parts, push_id: str) -> None:
    """Decide for the first members as the scorer does."""
    with TestClient(create_app(parts), raise_server_exceptions=False) as client:
        members = [{"member_id": f"m{number:07d}"} for number in range(_ASKED)]
        asked = {"push_id": push_id, "members": members}
        headers = {"Pushwise-Deadline-Ms": "10000"}
        answer = client.post("/v1/decisions", json=asked, headers=headers)
        assert answer.status_code == 200, answer.text


def fill(path: Path, size: Size, progress: Callable[[str], None]) -> dict[str, int]:
    """Copies of those decisions for all members, in more pushes too; what came of them; events.

    Returns:
        How many rows the tables have then.
    """
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as log:
        copies, newest = size.members // _ASKED, _newest(log)["decisions"]
        for number in range(size.decided):
            for start in range(0 if number else 1, copies, _AT_ONCE):
                last = min(start + _AT_ONCE, copies)
                given = {"first": start, "last": last, "push": copied(number), "newest": newest}
                log.execute(_DECISIONS, given)
            progress(f"push {number + 1} of {size.decided} decided")
        for start in range(0, size.decided * size.members, _AT_ONCE * _ASKED):
            log.execute(_OUTCOMES, {"first": start, "last": start + _AT_ONCE * _ASKED})
        for start in range(0, _MEMBERS * _EVENTS, _AT_ONCE * _ASKED):
            log.execute(_LOGGED, {"first": start, "last": start + _AT_ONCE * _ASKED})
        return _newest(log)


def _newest(log: sqlite3.Connection) -> dict[str, int]:
    names = ("decisions", "outcomes", "events")
    return {
        name: log.execute(f"SELECT coalesce(max(seq), 0) FROM {name}").fetchone()[0]
        for name in names
    }
