"""What ingest adds to a row: when it became known, and the digest of its content."""

from __future__ import annotations

from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc

from features.contract import Column, Table, contract_table
from features.ingest.fast import quoted
from features.ingest.schema import TIME

# The columns that tell when a row of each table became known, the first that has a value.
_KNOWN_BY = {
    "events": ("received_at", "occurred_at"),
    "decisions": ("decided_at",),
    "outcomes": ("received_at", "occurred_at"),
    "members": ("updated_at",),
}
# Columns that the contract came to have when workspaces held rows without them.
_LATER = {"decisions": ("experiment",)}
_UNIT = "chr(31)"  # the ASCII unit separator


def known_at(table: Table, rows: pa.Table) -> pa.ChunkedArray | pa.Array:
    """The moment each row became known; null = always known."""
    columns = [rows[name] for name in _KNOWN_BY.get(table.name, ())]
    if not columns:
        return pa.nulls(len(rows), TIME)
    return columns[0] if len(columns) == 1 else pc.coalesce(*columns)


def digest_sql(table: Table) -> str:
    """SQL over checked rows: 16 hex digits that are equal for rows of equal content.

    ``received_at`` is no content: a row that is delivered twice has two. A declared attribute
    stands by its name and leaves no trace where it is missing, so that declaring one changes no
    digest of before; so does a column that the contract came to have later.
    """
    later = _LATER.get(table.name, ())
    own = [one for one in contract_table(table.name).columns if one.name not in later]
    content = ", ".join(
        f"{_canonical(column)}, {_UNIT}" for column in own if column.name != "received_at"
    )
    named = {column.name for column in own}
    added = "".join(
        f", {_UNIT} || '{column.name}=' || {_canonical(column)}"
        for column in sorted(table.columns, key=attrgetter("name"))
        if column.name not in named
    )
    return f"left(md5(concat({content}{added})), 16)"


def _canonical(column: Column) -> str:
    name = quoted(column.name)
    match column.kind:
        case "time":
            return f"epoch_us({name})"
        case "number" | "share":
            return f"({name} + 0.0)"  # a negative zero is zero
        case "list":
            return f"array_to_string({name}, chr(30))"
        case _:
            return name


def identity_sql(table: Table) -> str:
    """SQL over ``key``, ``digest`` and ``updated_at``: what may exist only once.

    Rows of one identity are duplicates, or in conflict where their digests differ. It is the key;
    for versioned tables a version: the key at its ``updated_at``, or with its content where the
    row does not tell when it was updated.
    """
    if not table.versioned:
        return "key"
    moment = "epoch_us(updated_at)::VARCHAR" if table.name == "members" else "NULL"
    return f"concat_ws({_UNIT}, key, coalesce({moment}, digest))"
