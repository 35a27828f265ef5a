"""Raw rows to typed rows: many at once where that is sure, one by one where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.contract import Table
from features.ingest.chunk import Chunk, Rejected
from features.ingest.fast import absent, quoted, row_rule, take
from features.ingest.schema import TIME, arrow_type, checked_schema
from features.ingest.zones import utc_of
from features.rows import RowError, Value, parse_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PLACE = "row number"  # no column of a contract or an attribute: it has a space


@dataclass(frozen=True, slots=True)
class Checked:
    """One chunk after the check.

    rows: the rows that fit, with ``checked_schema``.
    lines: (n,) where each of them stands in its source.
    rejected: the others, also those that the reader could not read.
    """

    rows: pa.Table
    lines: NDArray[np.int64]
    rejected: Sequence[Rejected]


def check(
    duckdb: DuckDBPyConnection, table: Table, chunk: Chunk, timezone: tzinfo | None
) -> Checked:
    """Every row of ``chunk`` typed or rejected, as ``rows.parse_row`` would do it."""
    if chunk.columns is None:
        sure, doubtful = None, np.arange(len(chunk.lines))
    else:
        sure, doubtful = _sure_rows(duckdb, table, chunk.columns, timezone)
    parsed, rejected = _one_by_one(table, chunk, doubtful, timezone)
    schema = checked_schema(table)
    parts = [schema.empty_table()]
    places = [np.empty(0, dtype=np.int64)]
    if sure is not None:
        places.append(sure.column(PLACE).to_numpy())
        parts.append(sure.drop_columns([PLACE]).cast(schema))
    if parsed:
        places.append(np.array(list(parsed), dtype=np.int64))
        parts.append(pa.Table.from_pylist(list(parsed.values()), schema=schema))
    lines = chunk.lines[np.concatenate(places)]
    return Checked(pa.concat_tables(parts), lines, [*chunk.rejected, *rejected])


def _one_by_one(
    table: Table, chunk: Chunk, rows: NDArray[np.int64], timezone: tzinfo | None
) -> tuple[dict[int, dict[str, Value]], list[Rejected]]:
    parsed: dict[int, dict[str, Value]] = {}
    rejected = []
    for index in rows.tolist():
        try:
            parsed[index] = parse_row(table, chunk.row(index), timezone)
        except RowError as error:
            line = int(chunk.lines[index])
            rejected.append(Rejected(line, error.code, error.column, str(error), chunk.text(index)))
    return parsed, rejected


def _sure_rows(
    duckdb: DuckDBPyConnection, table: Table, raw: pa.RecordBatch, timezone: tzinfo | None
) -> tuple[pa.Table | None, NDArray[np.int64]]:
    """The rows that certainly fit, typed, with their place; and the places of all others."""
    prepared = _prepared(table, raw)
    if prepared is None:
        return None, np.arange(raw.num_rows)
    duckdb.register("raw_rows", prepared)
    try:
        checked = duckdb.sql(_statement(table, prepared.schema, timezone)).to_arrow_table()
    finally:
        duckdb.unregister("raw_rows")
    sure = checked.column("sure")
    doubtful = checked.column(PLACE).filter(pc.invert(sure)).to_numpy()
    rows = checked.filter(sure) if len(doubtful) else checked
    columns = {PLACE: rows.column(PLACE)}
    for column in table.columns:
        values = rows.column(column.name)
        if column.kind == "time":
            values = _in_utc(values, rows.column(f"local {column.name}"), timezone)
        columns[column.name] = values.cast(arrow_type(column.kind))
    return pa.table(columns), doubtful


def _statement(table: Table, schema: pa.Schema, timezone: tzinfo | None) -> str:
    """SQL over ``raw_rows``: place, typed columns, which times are local, whether it is sure."""
    values, sure = [quoted(PLACE)], []
    for column in table.columns:
        found = column.name in schema.names
        taken = (
            take(column, schema.field(column.name).type, timezone is not None)
            if found
            else absent(column)
        )
        values.append(f"{taken.value} AS {quoted(column.name)}")
        if column.kind == "time":
            values.append(f"coalesce({taken.local}, false) AS {quoted('local ' + column.name)}")
        if found or column.required:
            fits = f"({taken.sure}) AND ({taken.value}) IS NOT NULL"
            missing = "" if column.required else f"({taken.given}) IS NULL OR "
            sure.append(f"({missing}({fits}))")
    inner = f"SELECT {', '.join(values)}, {' AND '.join(sure)} AS fits FROM raw_rows"
    return f"SELECT *, coalesce(fits AND ({row_rule(table)}), false) AS sure FROM ({inner})"


def _prepared(table: Table, raw: pa.RecordBatch) -> pa.Table | None:
    """The raw columns in types that the engine reads, with each row's place.

    None where text is not UTF-8: then the rows are looked at one by one.
    """
    try:
        raw.validate(full=True)
    except pa.ArrowInvalid:
        return None
    if not set(raw.schema.names) <= set(table.names):
        return None
    columns = {name: _plain_type(raw.column(name)) for name in raw.schema.names}
    columns[PLACE] = pa.array(np.arange(raw.num_rows))
    return pa.table({name: array for name, array in columns.items() if array is not None})


def _plain_type(array: pa.Array) -> pa.Array | None:
    """The same values in one of the few types that the fast check knows; None for all null."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _plain_type(array.dictionary_decode())
    if pa.types.is_null(kind):
        return None
    if pa.types.is_timestamp(kind):
        return array.cast(TIME if kind.tz else pa.timestamp("us"), safe=False)
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return array.cast(pa.float64())
    if pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if pa.types.is_large_list(kind) and not pa.types.is_nested(kind.value_type):
        return _plain_type(array.cast(pa.list_(kind.value_type)))
    if pa.types.is_list(kind) and pa.types.is_large_string(kind.value_type):
        return array.cast(pa.list_(pa.string()))
    if kind == pa.list_(pa.string()):
        return array.cast(pa.list_(pa.string()))
    return array


def _in_utc(values: pa.ChunkedArray, local: pa.ChunkedArray, timezone: tzinfo | None) -> pa.Array:
    """Microseconds as times; those on the wall clock of ``timezone`` moved to UTC."""
    whole = values.combine_chunks()
    on_wall = local.to_numpy()
    if timezone is not None and on_wall.any():
        moved = whole.fill_null(0).to_numpy(zero_copy_only=False).copy()
        here = on_wall & whole.is_valid().to_numpy(zero_copy_only=False)
        moved[here] = utc_of(moved[here], timezone)
        whole = pa.array(moved, mask=whole.is_null().to_numpy(zero_copy_only=False))
    return whole.view(TIME)
