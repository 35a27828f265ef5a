"""The check of one row against the data contract: its types, and what is wrong with it.

Light on purpose (standard library only): files and the HTTP API are held to the same check.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation

from features.contract import EVENTS, MONEY_DIGITS, MONEY_SCALE, OUTCOMES, PUSHES, Column, Table
from features.errors import FeatureError

_MONEY_BELOW = MONEY_DIGITS - MONEY_SCALE  # money stays below ten to the power of this

Value = str | datetime | Decimal | float | int | bool | list[str] | None


class RowError(FeatureError):
    """One row does not fit the contract.

    Attributes:
        code: the stable reason under which the row is quarantined, such as ``naive_time``.
        column: the column at fault; empty when the row as a whole is.
    """

    def __init__(self, code: str, column: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.column = column


def parse_row(
    table: Table, row: Mapping[str, object], timezone: tzinfo | None = None
) -> dict[str, Value]:
    """Check one row and give its columns their types; an absent column becomes ``None``.

    Args:
        row: column name to text (CSV) or to a JSON value. Empty text means missing.
        timezone: applied to times without an offset; without it they are refused.

    Returns:
        Every column of ``table``, in its order. Times are in UTC, money is ``Decimal``.

    Raises:
        RowError: the first thing wrong, in column order; ``unknown_column`` first of all.
    """
    for name in row:
        if name not in table.names:
            raise RowError("unknown_column", name, f"column {name!r} is not in {table.name}")
    parsed: dict[str, Value] = {}
    for column in table.columns:
        raw = row.get(column.name)
        if raw is None or raw == "":
            if column.required:
                raise RowError("missing_value", column.name, f"{column.name} is required")
            parsed[column.name] = None
            continue
        parsed[column.name] = parse_value(column, raw, timezone)
    _check_whole_row(table, parsed)
    return parsed


def parse_value(column: Column, raw: object, timezone: tzinfo | None = None) -> Value:
    """One value in its column's type. Raises ``RowError``; ``raw`` is neither None nor empty."""
    match column.kind:
        case "id" | "text" | "category" | "enum":
            return _text(column, raw)
        case "time":
            return _time(column, raw, timezone)
        case "money":
            return _money(column, raw)
        case "number" | "share":
            return _number(column, raw)
        case "integer":
            return _integer(column, raw)
        case "flag":
            return _flag(column, raw)
        case "list":
            return _list(column, raw)


def _check_whole_row(table: Table, row: Mapping[str, Value]) -> None:
    if table is EVENTS:
        quantity, price = row["quantity"], row["unit_price"]
        many = abs(quantity) if isinstance(quantity, float) else 1.0
        if isinstance(price, Decimal) and many * float(price) >= 10.0**_MONEY_BELOW:
            raise RowError(
                "out_of_range", "quantity", f"quantity × unit_price is not below 10^{_MONEY_BELOW}"
            )
        if isinstance(quantity, float) and quantity < 0 and row["type"] != "refund":
            raise RowError(
                "negative_quantity",
                "quantity",
                f"quantity is {quantity:g} in a {row['type']}; only a refund may be negative",
            )
    nobody = table is OUTCOMES and (row["member_id"] is None or row["push_id"] is None)
    if nobody and row["decision_id"] is None:
        raise RowError(
            "missing_value", "decision_id", "wanted decision_id, or member_id with push_id"
        )
    if table is PUSHES and not row["offer_ids"]:
        raise RowError("no_offers", "offer_ids", "a push needs at least one offer in offer_ids")


def _wrong(column: Column, wanted: str) -> RowError:
    return RowError(f"bad_{column.kind}", column.name, f"{column.name} is not {wanted}")


# Unpaired surrogates and NUL cannot be stored as text by every engine behind the tables.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
MAX_TEXT = 4096


def _text(column: Column, raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise _wrong(column, "text")
    text = str(raw)
    if _UNSTORABLE.search(text) or len(text) > MAX_TEXT:
        raise _wrong(column, f"storable text of at most {MAX_TEXT} characters")
    if column.kind == "enum" and text not in column.choices:
        raise RowError(
            "unknown_enum", column.name, f"{column.name} is none of {', '.join(column.choices)}"
        )
    return text


def _time(column: Column, raw: object, timezone: tzinfo | None) -> datetime:
    if isinstance(raw, datetime):
        moment = raw
    else:
        if not isinstance(raw, str):
            raise _wrong(column, "an ISO 8601 time")
        try:
            moment = datetime.fromisoformat(raw)
        except ValueError:
            raise _wrong(column, "an ISO 8601 time, such as 2026-05-01T09:30:00+08:00") from None
    if moment.tzinfo is None:
        if timezone is None:
            raise RowError(
                "naive_time",
                column.name,
                f"{column.name} has no offset; add one (…+00:00) or give the file's time zone",
            )
        moment = moment.replace(tzinfo=timezone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _wrong(column, "a time between the years 1 and 9999") from None


def _decimal(column: Column, raw: object) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise _wrong(column, "a number")
    try:
        number = Decimal(str(raw).strip())
    except InvalidOperation:
        raise _wrong(column, "a number") from None
    if not number.is_finite():
        raise _wrong(column, "a finite number")
    if column.minimum is not None and number < Decimal(str(column.minimum)):
        raise RowError("out_of_range", column.name, f"{column.name} is below {column.minimum:g}")
    return number


def _money(column: Column, raw: object) -> Decimal:
    number = _decimal(column, raw)
    if number.adjusted() >= _MONEY_BELOW:
        raise _wrong(column, f"below 10^{_MONEY_BELOW}")
    return number.quantize(Decimal(1).scaleb(-MONEY_SCALE))


def _number(column: Column, raw: object) -> float:
    number = float(_decimal(column, raw))
    if math.isinf(number):
        raise _wrong(column, "a number a float can hold")
    if column.kind == "share" and not 0 <= number <= 1:
        raise RowError("out_of_range", column.name, f"{column.name} is not between 0 and 1")
    return number


def _integer(column: Column, raw: object) -> int:
    number = _decimal(column, raw)
    if number.adjusted() >= MONEY_DIGITS or number != number.to_integral_value():
        raise _wrong(column, "a whole number")
    return int(number)


_FLAGS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def _flag(column: Column, raw: object) -> bool:
    flag = raw if isinstance(raw, bool) else _FLAGS.get(str(raw).strip().lower())
    if flag is None:
        raise _wrong(column, "true or false")
    return flag


def _list(column: Column, raw: object) -> list[str]:
    values: object = raw
    if isinstance(raw, str):
        if raw.lstrip().startswith("["):
            try:
                values = json.loads(raw)
            except (ValueError, RecursionError):
                raise _wrong(column, "a JSON array of text") from None
        else:
            values = [part.strip() for part in raw.split("|")]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _wrong(column, "a JSON array of text, or a|b")
    if any(_UNSTORABLE.search(value) or len(value) > MAX_TEXT for value in values):
        raise _wrong(column, f"storable text of at most {MAX_TEXT} characters each")
    return [value for value in values if value]
