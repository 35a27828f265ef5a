"""The Arrow types of the contract: what a checked batch and a stored file look like."""

from __future__ import annotations

import pyarrow as pa

from features.contract import MONEY_DIGITS, MONEY_SCALE, Kind, Table

TIME = pa.timestamp("us", tz="UTC")
_TYPES: dict[Kind, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "category": pa.string(),
    "enum": pa.string(),
    "time": TIME,
    "money": pa.decimal128(MONEY_DIGITS, MONEY_SCALE),
    "number": pa.float64(),
    "share": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "list": pa.list_(pa.string()),
}


def arrow_type(kind: Kind) -> pa.DataType:
    """The one type in which values of ``kind`` are stored."""
    return _TYPES[kind]


def checked_schema(table: Table) -> pa.Schema:
    """The contract's columns, typed, in the contract's order."""
    return pa.schema([(column.name, _TYPES[column.kind]) for column in table.columns])


def stored_schema(table: Table) -> pa.Schema:
    """``checked_schema`` with ``known_at`` (null = always known) and ``digest``."""
    return (
        checked_schema(table)
        .append(pa.field("known_at", TIME))
        .append(pa.field("digest", pa.string()))
    )
