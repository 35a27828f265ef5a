"""What ingest stored, for tests to look at."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq

from features.ingest.schema import stored_schema
from features.workspace import Workspace


def stored(workspace: Workspace, table: str = "events") -> list[dict[str, Any]]:
    """The rows of a table, in order of their key and of when they became known."""
    rows: list[dict[str, Any]] = []
    for path in (workspace.tables / table).glob("*.parquet"):
        found = pq.read_table(path)
        assert set(found.schema.names) <= set(stored_schema(workspace.table(table)).names)
        rows += found.to_pylist()
    key = workspace.table(table).key
    return sorted(rows, key=lambda row: (row[key], str(row["known_at"] or "")))
