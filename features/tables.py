"""The contract tables of a workspace on its engine, whatever was ingested so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from features.contract import MONEY_DIGITS, MONEY_SCALE, TABLES, Kind, Table
from features.duckdb_engine import DuckDBEngine
from features.engine import Engine, start
from features.workspace import Workspace

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend

CLICK_TYPES = ("view", "search", "add_to_cart", "remove_from_cart", "wishlist", "app_open")
MONEY = f"decimal({MONEY_DIGITS}, {MONEY_SCALE})"
NO_MONEY = ibis.literal("0").cast(MONEY)

_TYPES: dict[Kind, str] = {
    "id": "string",
    "text": "string",
    "category": "string",
    "enum": "string",
    "time": "timestamp('UTC', 6)",
    "money": MONEY,
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

    engine: Engine
    members: ir.Table
    items: ir.Table
    events: ir.Table
    offers: ir.Table
    pushes: ir.Table
    decisions: ir.Table
    outcomes: ir.Table
    has_clickstream: bool
    has_pushes: bool

    @property
    def connection(self) -> Any:
        """The engine's Ibis backend."""
        return self.engine.backend

    def close(self) -> None:
        self.engine.close()


def table_schema(table: Table) -> ibis.Schema:
    """Column names and engine types of a stored contract table."""
    columns = {column.name: _TYPES[column.kind] for column in table.columns}
    return ibis.schema({**columns, "known_at": _TYPES["time"], "digest": "string"})


def table_files(workspace: Workspace, name: str) -> list[Path]:
    """The Parquet files of one contract table, in order of name; none where none was ingested."""
    return sorted((workspace.tables / name).glob("*.parquet"))


def connect(workspace: Workspace) -> Backend:
    """A DuckDB connection of its own, whatever the workspace's engine."""
    return DuckDBEngine.start(workspace).backend


def open_tables(workspace: Workspace, connection: Backend | None = None) -> Tables:
    """The workspace's tables on its engine, which ``Tables.close`` ends, or on ``connection``.

    Files of different ages are joined by column name: a column that a file does not have (an
    attribute declared later) is null there.
    """
    engine = start(workspace) if connection is None else DuckDBEngine(connection)
    found = {
        name: stored_rows(engine, workspace, name, table_files(workspace, name)) for name in TABLES
    }
    clicks = found["events"].filter(found["events"]["type"].isin(CLICK_TYPES))
    return Tables(
        engine=engine,
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


def stored_rows(engine: Engine, workspace: Workspace, name: str, files: Sequence[Path]) -> ir.Table:
    """The rows of some files of a contract table."""
    schema = table_schema(workspace.table(name))
    if not files:
        return engine.empty(name, schema)
    parts = [_as_contract(stored, schema) for stored in engine.read(name, files)]
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def _as_contract(stored: ir.Table, schema: ibis.Schema) -> ir.Table:
    """The columns of ``schema`` in its types; null where a file, older than a column, has none."""
    return stored.select(
        **{
            column: (stored[column] if column in stored.columns else ibis.null()).cast(kind)
            for column, kind in schema.items()
        }
    )
