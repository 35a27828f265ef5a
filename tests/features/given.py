"""Contract-shaped tables for feature tests, written as ingest writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.contract import Kind, Table
from features.tables import Tables, open_tables
from features.workspace import Conventions, Workspace

Row = Mapping[str, Any]
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
TYPES: dict[Kind, pa.DataType] = {
    "time": pa.timestamp("us", tz="UTC"),
    "money": pa.decimal128(18, 4),
    "number": pa.float64(),
    "share": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "list": pa.list_(pa.string()),
}


def ago(days: float) -> datetime:
    """The moment that many days before ``AS_OF``."""
    return AS_OF - timedelta(days=days)


def _known_at(table: Table, row: Row) -> datetime | None:
    if "known_at" in row:
        return row["known_at"]  # type: ignore[no-any-return]
    match table.name:
        case "events":
            return row.get("received_at") or row["occurred_at"]
        case "outcomes":
            return row["occurred_at"]  # type: ignore[no-any-return]
        case "decisions":
            return row["decided_at"]  # type: ignore[no-any-return]
        case "members":
            return row.get("updated_at")
        case _:
            return None


def write_batch(workspace: Workspace, name: str, rows: Sequence[Row], batch: str = "a") -> Path:
    """One ingested batch of contract rows; what a row does not say is null."""
    table = workspace.table(name)
    kinds = {column.name: column.kind for column in table.columns}
    columns: dict[str, pa.Array] = {
        column: pa.array(
            [
                Decimal(str(row[column])) if kind == "money" and column in row else row.get(column)
                for row in rows
            ],
            type=TYPES.get(kind, pa.string()),
        )
        for column, kind in kinds.items()
    }
    columns["known_at"] = pa.array([_known_at(table, row) for row in rows], type=TYPES["time"])
    columns["digest"] = pa.array(
        [hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest() for row in rows]
    )
    path = workspace.tables / name / f"{batch}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def events(*rows: Row) -> list[Row]:
    """Rows of events with an id each."""
    return [{"event_id": f"e{number}", **row} for number, row in enumerate(rows)]


class Given:
    """A workspace and the tables in it, for tests that say what is in them."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.opened: list[Tables] = []

    def attributes(self, **kinds: Kind) -> None:
        self.workspace = Workspace(self.workspace.root, Conventions(attributes=kinds))

    def tables(self, **tables: Sequence[Row]) -> Tables:
        """Write and open tables by name."""
        for name, rows in tables.items():
            write_batch(self.workspace, name, rows)
        opened = open_tables(self.workspace)
        self.opened.append(opened)
        return opened

