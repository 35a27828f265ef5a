"""What readers hand on: some rows of one source as they were read, not yet checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contract import Column, Table

CHUNK_ROWS = 65_536
_EXACT = 2**53  # whole numbers up to here are the same as a float

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that did not fit: where it stood, why, and its text as it was read."""

    line: int
    reason: str
    column: str
    message: str
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one source, columnar where they allow it.

    lines: (n,) where each row stands in its source, counted from 1.
    columns: the n rows as Arrow columns; None where the values of a column are of mixed kinds.
    row: the i-th row as column name to text or JSON value.
    text: the i-th row as it was read, for the quarantine.
    rejected: rows of this part of the source that could not be read at all, beyond the n.
    """

    lines: NDArray[np.int64]
    columns: pa.RecordBatch | None
    row: Callable[[int], Row]
    text: Callable[[int], str]
    rejected: Sequence[Rejected] = field(default=())

    @property
    def read(self) -> int:
        """How many rows of the source this chunk accounts for."""
        return len(self.lines) + len(self.rejected)


def row_text(row: Row) -> str:
    """A row as one line of JSON; what JSON does not have (times, decimals) as text."""
    return json.dumps(row, ensure_ascii=False, default=str)


def chunk_of_rows(
    table: Table,
    rows: Sequence[Row],
    lines: NDArray[np.int64],
    texts: Sequence[str] | None = None,
    rejected: Sequence[Rejected] = (),
) -> Chunk:
    """Rows that are already in Python. ``texts`` are the rows as they were read, if they were."""
    return Chunk(
        lines,
        _columns(table, rows),
        rows.__getitem__,
        texts.__getitem__ if texts is not None else lambda index: row_text(rows[index]),
        rejected,
    )


def chunks_of_rows(table: Table, rows: Iterable[Row]) -> Iterator[Chunk]:
    """Rows that were never in a file; their line is their number."""
    start = 1
    source = iter(rows)
    while part := list(islice(source, CHUNK_ROWS)):
        yield chunk_of_rows(table, part, np.arange(start, start + len(part)))
        start += len(part)


def chunks_of_arrow(batches: Iterable[pa.RecordBatch | pa.Table]) -> Iterator[Chunk]:
    """Arrow batches of a table's columns; a row's line is its number, counted from 1."""
    start = 1
    for given in batches:
        table = given if isinstance(given, pa.Table) else pa.Table.from_batches([given])
        for batch in table.combine_chunks().to_batches(max_chunksize=CHUNK_ROWS):
            yield chunk_of_batch(batch, np.arange(start, start + batch.num_rows))
            start += batch.num_rows


def chunk_of_batch(batch: pa.RecordBatch, lines: NDArray[np.int64]) -> Chunk:
    """One Arrow batch; ``lines`` tells where each row stands in its source."""

    def row(index: int) -> Row:
        return {name: _python(batch.column(name)[index]) for name in batch.schema.names}

    def text(index: int) -> str:
        return row_text({name: value for name, value in row(index).items() if value is not None})

    return Chunk(lines, batch, row, text)


def _python(value: pa.Scalar) -> object:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return value.cast(pa.binary()).as_py()
    except (ValueError, OverflowError):  # a time outside the years 1 to 9999
        return f"{value.type} {value.value}"


def _columns(table: Table, rows: Sequence[Row]) -> pa.RecordBatch | None:
    """The rows as Arrow columns, if every value is of its column's one kind and all are known."""
    if any(not row.keys() <= set(table.names) for row in rows):
        return None
    arrays: dict[str, pa.Array] = {}
    for column in table.columns:
        values = [row.get(column.name) for row in rows]
        kinds = {type(value) for value in values} - {type(None)}
        if not kinds:
            continue
        array = _array(column, values, kinds)
        if array is None:
            return None
        arrays[column.name] = array
    return pa.record_batch(arrays) if arrays else None


_ARROW_OF: dict[type, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    list: pa.list_(pa.string()),
}


def _array(column: Column, values: list[Any], kinds: set[type]) -> pa.Array | None:
    """One column of values of one plain type; whole numbers among floats count as floats."""
    wanted = _ARROW_OF.get(next(iter(kinds))) if len(kinds) == 1 else None
    if kinds == {int, float} and column.kind in ("number", "share", "money"):
        wanted = pa.float64()
        if any(isinstance(value, int) and abs(value) > _EXACT for value in values):
            return None
    try:
        return None if wanted is None else pa.array(values, type=wanted)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        return None
