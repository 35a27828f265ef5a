"""The check of many rows at once, as one SQL expression per column.

``rows.parse_row`` is the truth. An expression here only ever takes a value of which it is sure
that ``parse_row`` takes it too, with the same result; every other row is "not sure" and is
re-checked by ``parse_row`` itself. So the patterns are narrow on purpose: an odd but allowed way to
write a number costs time, never correctness.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from features.contract import EVENTS, OUTCOMES, PUSHES, Column, Table
from features.ingest.schema import TIME
from features.rows import MAX_TEXT

_DAY = r"[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{3}(\d{3})?)?)?"
_OFFSET = r"(Z|[+-](0\d|1[0-4]):[0-5]\d)"
_NUMBER = r"-?\d{1,15}(\.\d{1,15})?"
_MONEY = r"-?\d{1,13}(\.\d{1,4})?"
_INTEGER = r"-?\d{1,17}"
_BAR_LIST = r"[!-Z\\-~][ -~]*"
_JSON_LIST = r'\["[^"\\\x00-\x1f]+"(, ?"[^"\\\x00-\x1f]+")*\]'


@dataclass(frozen=True, slots=True)
class Taken:
    """How one column is taken. SQL over the raw columns.

    given: the raw value; null where it is missing.
    value: the typed value; a time as microseconds.
    sure: whether ``parse_row`` certainly gives ``value``, if that is not null.
    local: whether the time is on the wall clock of the file's zone, not in UTC.
    """

    given: str
    value: str
    sure: str
    local: str = "false"


def take(column: Column, kind: pa.DataType, zoned: bool) -> Taken:
    """How to take raw values of Arrow type ``kind``.

    zoned: the file's time zone is known, so times without an offset are taken.
    """
    name = quoted(column.name)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_text(column, f"nullif({name}, '')", zoned)
    if pa.types.is_integer(kind):
        return _from_integer(column, name)
    if pa.types.is_float64(kind):
        return _from_float(column, name)
    if pa.types.is_decimal128(kind) and column.kind == "money":
        fits = kind.scale <= 4 and kind.precision - kind.scale <= 14
        return _number(column, name, f"{name}::DECIMAL(18, 4)") if fits else _unsure(column)
    if pa.types.is_boolean(kind) and column.kind == "flag":
        return Taken(name, name, "true")
    if kind in (TIME, pa.timestamp("us")) and column.kind == "time":
        local = str(kind != TIME).lower()
        sure = (
            f"epoch_us({name}) BETWEEN {_YEAR_1000} AND {_YEAR_9998} AND ({zoned} OR NOT {local})"
        )
        return Taken(name, f"epoch_us({name})", sure, local)
    if kind == pa.list_(pa.string()) and column.kind == "list":
        plain = f"list_filter({name}, lambda part: coalesce({_plain('part')}, false))"
        return Taken(name, name, f"len({plain}) = len({name})")
    return _unsure(column)


_YEAR_1000, _YEAR_9998 = -30_610_224_000_000_000, 253_339_228_800_000_000  # microseconds


def row_rule(table: Table) -> str:
    """SQL over the taken columns: rows as a whole that are certainly fine."""
    if table.name == EVENTS.name:
        return (
            '(coalesce("quantity" >= 0, true) OR "type" = \'refund\') '
            'AND coalesce(abs("quantity") * "unit_price"::DOUBLE < 1e13, true)'
        )
    if table.name == OUTCOMES.name:
        return '"decision_id" IS NOT NULL OR ("member_id" IS NOT NULL AND "push_id" IS NOT NULL)'
    if table.name == PUSHES.name:
        return 'len("offer_ids") > 0'
    return "true"


def quoted(name: str) -> str:
    """A column name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Text for SQL."""
    return "'" + text.replace("'", "''") + "'"


_SQL = {
    "money": "DECIMAL(18, 4)", "number": "DOUBLE", "share": "DOUBLE", "integer": "BIGINT",
    "flag": "BOOLEAN", "list": "VARCHAR[]", "time": "BIGINT",
}  # fmt: skip


def absent(column: Column) -> Taken:
    """A column that the source does not have."""
    return Taken("NULL", f"NULL::{_sql_type(column)}", "true")


def _unsure(column: Column) -> Taken:
    """Every value goes to ``parse_row``."""
    return Taken(quoted(column.name), f"NULL::{_sql_type(column)}", "false")


def _sql_type(column: Column) -> str:
    return _SQL.get(column.kind, "VARCHAR")


def _plain(value: str) -> str:
    """Text that every engine can store: short, without NUL. Bytes are at least characters."""
    return f"strlen({value}) BETWEEN 1 AND {MAX_TEXT} AND NOT contains({value}, chr(0))"


def _from_text(column: Column, value: str, zoned: bool) -> Taken:
    match column.kind:
        case "id" | "text" | "category":
            return Taken(value, value, _plain(value))
        case "enum":
            choices = ", ".join(f"'{choice}'" for choice in column.choices)
            return Taken(value, value, f"{value} IN ({choices})")
        case "time":
            return _time_from_text(value, zoned)
        case "money":
            cast = f"try_cast({value} AS DECIMAL(18, 4))"
            return _number(column, value, cast, _matches(value, _MONEY))
        case "number" | "share":
            cast = f"try_cast({value} AS DOUBLE)"
            return _number(column, value, cast, _matches(value, _NUMBER))
        case "integer":
            cast = f"try_cast({value} AS BIGINT)"
            return _number(column, value, cast, _matches(value, _INTEGER))
        case "flag":
            true, false = (
                f"lower({value}) IN ({words})"
                for words in ("'true', '1', 'yes'", "'false', '0', 'no'")
            )
            typed = f"CASE WHEN {true} THEN true WHEN {false} THEN false END"
            return Taken(value, typed, "true")
        case "list":
            bars = (
                f"list_filter(list_transform(string_split({value}, '|'), lambda part: trim(part)), "
                "lambda part: part <> '')"
            )
            json = f"regexp_split_to_array({value}[3:-3], '\", ?\"')"
            is_json = _matches(value, _JSON_LIST)
            return Taken(
                value,
                f"CASE WHEN {is_json} THEN {json} ELSE {bars} END",
                f"strlen({value}) <= {MAX_TEXT} AND ({is_json} OR {_matches(value, _BAR_LIST)})",
            )


def _time_from_text(value: str, zoned: bool) -> Taken:
    full = _matches(value, f"{_DAY}[T ]{_CLOCK}{_OFFSET}")
    utc = f"epoch_us(try_cast({value} AS TIMESTAMPTZ))"
    if not zoned:
        return Taken(value, f"CASE WHEN {full} THEN {utc} END", "true")
    local = _matches(value, f"{_DAY}([T ]{_CLOCK})?")
    wall = f"epoch_us(try_cast({value} AS TIMESTAMP))"
    either = f"CASE WHEN {full} THEN {utc} WHEN {local} THEN {wall} END"
    return Taken(value, either, "true", local)


def _from_integer(column: Column, name: str) -> Taken:
    match column.kind:
        case "id" | "text" | "category":
            return Taken(name, f"{name}::VARCHAR", "true")
        case "money":
            inside = f"{name} BETWEEN -9999999999999 AND 9999999999999"
            return _number(column, name, f"try_cast({name} AS DECIMAL(18, 4))", inside)
        case "number" | "share":
            inside = f"{name} BETWEEN -9007199254740992 AND 9007199254740992"
            return _number(column, name, f"{name}::DOUBLE", inside)
        case "integer":
            inside = f"{name} BETWEEN -99999999999999999 AND 99999999999999999"
            return _number(column, name, f"try_cast({name} AS BIGINT)", inside)
        case "flag":
            return Taken(name, f"{name} = 1", f"{name} IN (0, 1)")
        case _:
            return _unsure(column)


def _from_float(column: Column, name: str) -> Taken:
    match column.kind:
        case "money":
            # Away from a tie, rounding the float and rounding its shortest decimal agree.
            steps = f"abs({name} * 1e4 - trunc({name} * 1e4))"
            sure = f"abs({name}) < 1e9 AND {steps} NOT BETWEEN 0.499 AND 0.501"
            return _number(column, name, f"try_cast({name} AS DECIMAL(18, 4))", sure)
        case "number" | "share":
            return _number(column, name, name, f"isfinite({name})")
        case "integer":
            whole = f"abs({name}) < 1e15 AND {name} = trunc({name})"
            return _number(column, name, f"try_cast({name} AS BIGINT)", whole)
        case _:
            return _unsure(column)


def _number(column: Column, given: str, value: str, sure: str = "true") -> Taken:
    tests = [f"({sure})"]
    if column.minimum is not None:
        # Of the raw number: rounding to the steps of money could lift it over the bound.
        tests.append(f"try_cast({given} AS DOUBLE) >= {column.minimum:g}")
    if column.kind == "share":
        tests.append(f"({value}) BETWEEN 0 AND 1")
    return Taken(given, value, " AND ".join(tests))


def _matches(value: str, pattern: str) -> str:
    return f"regexp_full_match({value}, '{pattern}')"
