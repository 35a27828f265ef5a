"""DuckDB: in this process, out of core within a memory limit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import ibis
import ibis.expr.types as ir

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

    from features.workspace import Workspace


@dataclass(frozen=True, slots=True)
class DuckDBEngine:
    """The default engine; see ``features.engine.Engine``."""

    backend: Backend

    @classmethod
    def start(cls, workspace: Workspace) -> Self:
        """A connection of its own: UTC, bounded memory, spilling inside the workspace."""
        connection = ibis.duckdb.connect(
            memory_limit=workspace.engine.memory_limit,
            temp_directory=str(workspace.root / "spill"),
        )
        connection.raw_sql("SET TimeZone = 'UTC'")
        # In what it takes for a notebook DuckDB draws a bar of its own; where it cannot, it refuses
        # the setting too.
        if connection.raw_sql("SELECT current_setting('enable_progress_bar')").fetchone()[0]:
            connection.raw_sql("SET enable_progress_bar = false")
        # Tables are read once; a cache of their bytes would only go stale when a file is replaced.
        connection.raw_sql("SET enable_external_file_cache = false")
        # Rows come back in whatever order is fastest; whoever needs an order asks for it.
        connection.raw_sql("SET preserve_insertion_order = false")
        return cls(connection)

    def read(self, name: str, files: Sequence[Path]) -> Sequence[ir.Table]:
        return [self.backend.read_parquet([str(path) for path in files], union_by_name=True)]

    def empty(self, name: str, schema: ibis.Schema) -> ir.Table:
        return self.backend.create_table(name, schema=schema, temp=True, overwrite=True)

    def keep(self, name: str, table: ir.Table) -> ir.Table:
        return self.backend.create_table(f"kept_{name}", table, temp=True, overwrite=True)

    def write(self, table: ir.Table, path: Path) -> int:
        from pyarrow import parquet

        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        try:
            table.to_parquet(unfinished)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            rows = int(parquet.read_metadata(unfinished).num_rows)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return rows

    def close(self) -> None:
        self.backend.disconnect()
