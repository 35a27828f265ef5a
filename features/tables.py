"""The contract tables of a workspace as DuckDB tables, whatever was ingested so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from features.contract import MONEY_DIGITS, MONEY_SCALE, TABLES, Kind, Table
from features.workspace import Workspace

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

CLICK_TYPES = ("view", "search", "add_to_cart", "remove_from_cart", "wishlist", "app_open")
MEMORY_LIMIT = "2GB"

_TYPES: dict[Kind, str] = {
    "id": "string",
    "text": "string",
    "category": "string",
    "enum": "string",
    "time": "timestamp('UTC', 6)",
    "money": f"decimal({MONEY_DIGITS}, {MONEY_SCALE})",
    "number": "float64",
    "share": "float64",
    "integer": "int64",
    "flag": "boolean",
    "list": "array<string>",
}


@dataclass(frozen=True, slots=True)
class Tables:
    """Every contract table, empty where nothing was ingested.

    Beside the contract's columns each has ``known_at`` (the moment the row became known; null =
    always known) and ``digest`` (of its content). ``members`` has the declared attributes too.

    has_clickstream: some event is a view, search, cart, wishlist or app-open event.
    has_pushes: some decision is there, so members may have been contacted.
    """

    connection: Backend
    members: ir.Table
    items: ir.Table
    events: ir.Table
    offers: ir.Table
    pushes: ir.Table
    decisions: ir.Table
    outcomes: ir.Table
    has_clickstream: bool
    has_pushes: bool

    def close(self) -> None:
        self.connection.disconnect()


def table_schema(table: Table) -> ibis.Schema:
    """Column names and engine types of a stored contract table."""
    columns = {column.name: _TYPES[column.kind] for column in table.columns}
    return ibis.schema({**columns, "known_at": _TYPES["time"], "digest": "string"})


def table_files(workspace: Workspace, name: str) -> list[Path]:
    """The Parquet files of one contract table, in order of name; none where none was ingested."""
    return sorted((workspace.tables / name).glob("*.parquet"))


def connect(workspace: Workspace) -> Backend:
    """A DuckDB connection of its own: UTC, bounded memory, spilling inside the workspace."""
    spill = workspace.root / "spill"
    connection = ibis.duckdb.connect(memory_limit=MEMORY_LIMIT, temp_directory=str(spill))
    connection.raw_sql("SET TimeZone = 'UTC'")
    # Tables are read once; a cache of their bytes would only go stale when a file is replaced.
    connection.raw_sql("SET enable_external_file_cache = false")
    # Rows come back in whatever order is fastest; whoever needs an order asks for it.
    connection.raw_sql("SET preserve_insertion_order = false")
    return connection


def open_tables(workspace: Workspace, connection: Backend | None = None) -> Tables:
    """The workspace's tables on ``connection``, else on a new one that ``Tables.close`` ends.

    Files of different ages are joined by column name: a column that a file does not have (an
    attribute declared later) is null there.
    """
    duckdb = connection or connect(workspace)
    found = {name: _read(duckdb, workspace, name) for name in TABLES}
    clicks = found["events"].filter(found["events"]["type"].isin(CLICK_TYPES))
    return Tables(
        connection=duckdb,
        **found,
        has_clickstream=any_row(clicks),
        has_pushes=any_row(found["decisions"]),
    )


@contextmanager
def opened(workspace: Workspace) -> Iterator[Tables]:
    """``open_tables`` for the length of a ``with`` block."""
    tables = open_tables(workspace)
    try:
        yield tables
    finally:
        tables.close()


def any_row(table: ir.Table) -> bool:
    """Whether the table has a row at all."""
    return bool(table.limit(1).count().execute())


def _read(connection: Backend, workspace: Workspace, name: str) -> ir.Table:
    schema = table_schema(workspace.table(name))
    files = table_files(workspace, name)
    if not files:
        return connection.create_table(name, schema=schema, temp=True, overwrite=True)
    stored = connection.read_parquet([str(path) for path in files], union_by_name=True)
    return stored.select(
        **{
            column: (stored[column] if column in stored.columns else ibis.null()).cast(kind)
            for column, kind in schema.items()
        }
    )
