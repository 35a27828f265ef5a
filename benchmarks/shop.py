"""A shop of any size for benchmarks: members, items and events as ingest stores them.

A hundred events a member over a year, four to five events a visit on average; popular items and
busy members get more. Events lie in a file a month, and one for the last day.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import duckdb

from features.ingest.schema import stored_schema
from features.workspace import Workspace

FIRST = datetime(2025, 5, 1, tzinfo=UTC)
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
_DAYS = (AS_OF - FIRST).days
_EVENTS_A_VISIT = 4.4  # of the shares below
_ITEMS = 20_000
_CATEGORIES = 40

_MEMBERS = """
SELECT 'm' || lpad(m::VARCHAR, 7, '0') AS member_id,
    timestamptz '2024-01-01 00:00:00+00' + to_days((hash(m) % 480)::INTEGER) AS joined_at,
    ['basic', 'plus', 'gold'][1 + (hash(m, 1) % 3)::INTEGER] AS tier,
    ['Europe/Berlin', 'America/New_York', 'Asia/Taipei', NULL][1 + (hash(m, 2) % 4)::INTEGER]
        AS timezone,
    1950 + (hash(m, 3) % 55)::BIGINT AS birth_year,
    hash(m, 4) % 10 > 1 AS consent_push, (hash(m, 5) % 5000)::DOUBLE AS points_balance
FROM range({members}) AS t (m)
"""
_ITEM_ROWS = """
SELECT 'i' || lpad(i::VARCHAR, 6, '0') AS item_id, 'category ' || (i % {categories}) AS category,
    (5 + hash(i) % 20000 / 100)::DECIMAL(18, 4) AS price, 0.3::DOUBLE AS margin_rate
FROM range({items}) AS t (i)
"""
# One row a visit, in order of time, then one row an event of it. What is drawn comes from hashes of
# the numbers, so that every run gives the same events.
_EVENTS = """
WITH visits AS (
    SELECT v, floor({members} * pow((hash(v) % 1000003) / 1000003, 1.5))::BIGINT AS m,
        1 + (hash(v, 1) % 100 < 70)::INTEGER + (hash(v, 2) % 5)::INTEGER
            + (hash(v, 9) % 100 < 20)::INTEGER * (hash(v, 3) % 8)::INTEGER AS events,
        epoch('{first}'::TIMESTAMPTZ) + (v * {days} * 86400 // {visits}) AS started,
        (hash(v, 5) % {categories})::BIGINT AS taste
    FROM range({since}, {until}) AS t (v)
), lines AS (
    SELECT v, m, taste, started + 40 * n AS second, n, hash(v, n, 6) % 100 AS kind,
        floor({items} // {categories} * pow((hash(v, n, 7) % 100003) / 100003, 2.0))::BIGINT
            * {categories} + if(hash(v, n, 8) % 3 = 0, (hash(v, n, 10) % {categories})::BIGINT,
            taste) AS i
    FROM visits, range(events) AS t (n)
), typed AS (
    SELECT *, CASE WHEN kind < 62 THEN 'view' WHEN kind < 74 THEN 'search'
        WHEN kind < 84 THEN 'add_to_cart' WHEN kind < 86 THEN 'remove_from_cart'
        WHEN kind < 88 THEN 'wishlist' WHEN kind < 94 THEN 'app_open'
        WHEN kind < 99 THEN 'purchase' ELSE 'refund' END AS type
    FROM lines
)
SELECT 'e' || v || '-' || n AS event_id, 'm' || lpad(m::VARCHAR, 7, '0') AS member_id, type,
    to_timestamp(second) AS occurred_at,
    if(type IN ('search', 'app_open'), NULL, 'i' || lpad(i::VARCHAR, 6, '0')) AS item_id,
    if(type = 'app_open', NULL, 'category ' || (i % {categories})) AS category,
    if(type IN ('add_to_cart', 'purchase', 'refund'), 1.0 + kind % 2, NULL) AS quantity,
    if(type IN ('add_to_cart', 'purchase', 'refund'),
        (5 + hash(i) % 20000 / 100)::DECIMAL(18, 4), NULL) AS unit_price,
    if(type = 'purchase' AND v % 4 = 0, 1.5, NULL) AS discount,
    if(type IN ('purchase', 'refund'), 'o' || v, NULL) AS order_id, 's' || v AS session_id,
    ['web', 'ios', 'android'][1 + (m % 3)::INTEGER] AS device,
    if(v % 50 = 0, to_timestamp(second) + to_hours(30), to_timestamp(second)) AS known_at,
    left(md5(v || '-' || n), 16) AS digest
FROM typed ORDER BY second
"""


def lay_out(root: Path, events: int, members: int | None = None) -> Workspace:
    """Write a workspace of about ``events`` events and ``members``, or a hundredth as many."""
    workspace = Workspace(root)
    visits = int(events / _EVENTS_A_VISIT)
    scale = {
        "members": members or events // 100, "items": _ITEMS, "categories": _CATEGORIES,
        "first": FIRST.isoformat(), "days": _DAYS, "visits": visits,
    }  # fmt: skip
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '4GB'")
        connection.execute(f"SET temp_directory = '{root / 'spill'}'")
        _copy(connection, workspace, "members", "a", _MEMBERS.format(**scale))
        _copy(connection, workspace, "items", "a", _ITEM_ROWS.format(**scale))
        edges = [visits * month // 12 for month in range(12)] + [visits - visits // _DAYS, visits]
        for number, (since, until) in enumerate(pairwise(edges), start=1):
            query = _EVENTS.format(**scale, since=since, until=until)
            _copy(connection, workspace, "events", f"batch-{number:02d}", query)
    return workspace


def _month(number: int) -> datetime:
    return FIRST.replace(
        year=FIRST.year + (FIRST.month - 1 + number) // 12,
        month=(FIRST.month - 1 + number) % 12 + 1,
    )


def months() -> list[datetime]:
    """Twelve monthly moments, the last of them ``AS_OF``."""
    return [_month(number) for number in range(1, 13)]


def _copy(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, table: str, batch: str, query: str
) -> None:
    """Store the rows of ``query``; columns of the contract that it leaves out are null."""
    import pyarrow as pa

    path = workspace.tables / table / f"{batch}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    connection.register("shape", pa.table(stored_schema(workspace.table(table)).empty_table()))
    rows = f"SELECT * FROM shape UNION ALL BY NAME ({query})"
    connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 122880)")
    connection.unregister("shape")
