"""The data contract: the tables Pushwise takes, their columns, and the check of one row.

Light on purpose (standard library only): files and the HTTP API are held to the same contract.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Literal

from features.errors import FeatureError

Kind = Literal[
    "id", "text", "category", "enum", "time", "money", "number", "integer", "share", "flag", "list"
]
Value = str | datetime | Decimal | float | int | bool | list[str] | None

MONEY_DIGITS = 18
MONEY_SCALE = 4

EVENT_TYPES = (
    "view", "search", "add_to_cart", "remove_from_cart", "wishlist", "purchase", "refund",
    "app_open", "rating",
)  # fmt: skip
OFFER_KINDS = ("percent_off", "amount_off", "points", "gift", "shipping", "content")
OUTCOME_TYPES = (
    "sent", "delivered", "opened", "clicked", "redeemed", "converted", "unsubscribed", "failed",
)  # fmt: skip
OBJECTIVES = ("margin", "revenue", "conversions")


class ContractError(FeatureError):
    """A file, a table or a declaration does not fit the contract."""


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


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. ``choices`` are the values an ``enum`` may take.

    kind: ``money`` is a decimal in the workspace's currency, ``share`` a number from 0 to 1,
    ``flag`` a boolean, ``list`` a list of strings, ``time`` a moment in UTC.
    """

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the contract.

    key: the column that identifies a row; the same key with other content is a conflict.
    versioned: rows are versions of one thing; the same key with other content is a newer version.
    """

    name: str
    key: str
    columns: tuple[Column, ...]
    versioned: bool = False

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(
            f"table {self.name} has no column {name!r}; it has: {', '.join(self.names)}"
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)


def _required(name: str, kind: Kind, choices: tuple[str, ...] = ()) -> Column:
    return Column(name, kind, required=True, choices=choices)


MEMBERS = Table(
    "members",
    "member_id",
    (
        _required("member_id", "id"),
        Column("joined_at", "time"),
        Column("birth_year", "integer", minimum=1850),
        Column("gender", "category"),
        Column("region", "category"),
        Column("timezone", "category"),
        Column("tier", "category"),
        Column("points_balance", "number"),
        Column("points_expire_at", "time"),
        Column("consent_push", "flag"),
        Column("consent_email", "flag"),
        Column("consent_sms", "flag"),
        Column("updated_at", "time"),
    ),
    versioned=True,
)
ITEMS = Table(
    "items",
    "item_id",
    (
        _required("item_id", "id"),
        Column("category", "category"),
        Column("subcategory", "category"),
        Column("brand", "category"),
        Column("title", "text"),
        Column("price", "money", minimum=0),
        Column("margin_rate", "number"),
        Column("listed_at", "time"),
        Column("delisted_at", "time"),
    ),
    versioned=True,
)
EVENTS = Table(
    "events",
    "event_id",
    (
        _required("event_id", "id"),
        _required("member_id", "id"),
        _required("type", "enum", EVENT_TYPES),
        _required("occurred_at", "time"),
        Column("received_at", "time"),
        Column("item_id", "id"),
        Column("category", "category"),
        Column("query", "text"),
        Column("quantity", "number"),
        Column("unit_price", "money", minimum=0),
        Column("discount", "money", minimum=0),
        Column("margin", "money"),
        Column("order_id", "id"),
        Column("session_id", "id"),
        Column("device", "category"),
        Column("rating", "number"),
    ),
)
OFFERS = Table(
    "offers",
    "offer_id",
    (
        _required("offer_id", "id"),
        _required("kind", "enum", OFFER_KINDS),
        Column("value", "number", minimum=0),
        Column("min_spend", "money", minimum=0),
        Column("categories", "list"),
        Column("item_ids", "list"),
        Column("redemption_cost", "money", minimum=0),
        Column("contact_cost", "money", minimum=0),
        Column("channels", "list"),
        Column("valid_from", "time"),
        Column("valid_to", "time"),
        Column("stock", "integer", minimum=0),
        Column("eligibility", "text"),
    ),
    versioned=True,
)
PUSHES = Table(
    "pushes",
    "push_id",
    (
        _required("push_id", "id"),
        Column("campaign_id", "id"),
        _required("channel", "category"),
        _required("send_at", "time"),
        _required("offer_ids", "list"),
        Column("objective", "enum", choices=OBJECTIVES),
        Column("attribution_days", "number", minimum=0),
        Column("budget", "money", minimum=0),
        Column("max_audience", "integer", minimum=0),
        Column("min_audience", "integer", minimum=0),
        Column("min_return", "number", minimum=0),
        Column("holdout", "share"),
        Column("exploration", "share"),
        Column("eligibility", "text"),
    ),
)
DECISIONS = Table(
    "decisions",
    "decision_id",
    (
        _required("decision_id", "id"),
        _required("push_id", "id"),
        _required("member_id", "id"),
        Column("offer_id", "id"),
        _required("probability", "share"),
        _required("decided_at", "time"),
        Column("candidates", "list"),
        Column("arm", "category"),
        Column("policy", "text"),
        Column("release", "text"),
    ),
)
OUTCOMES = Table(
    "outcomes",
    "event_id",
    (
        _required("event_id", "id"),
        Column("decision_id", "id"),
        Column("member_id", "id"),
        Column("push_id", "id"),
        _required("type", "enum", OUTCOME_TYPES),
        _required("occurred_at", "time"),
        Column("value", "money"),
        Column("margin", "money"),
    ),
)
TABLES: Mapping[str, Table] = {
    table.name: table for table in (MEMBERS, ITEMS, EVENTS, OFFERS, PUSHES, DECISIONS, OUTCOMES)
}

ATTRIBUTE_KINDS: tuple[Kind, ...] = ("number", "integer", "category", "flag", "text", "time")


RESERVED_NAMES = ("known_at", "digest")  # what ingest adds to every stored row
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def contract_table(name: str, attributes: Mapping[str, Kind] | None = None) -> Table:
    """The table ``name``; ``members`` with the workspace's declared ``attributes`` added.

    Raises:
        ContractError: no such table, or an attribute of an unknown kind or with a taken name.
    """
    if name not in TABLES:
        raise ContractError(f"no table {name!r} in the contract; it has: {', '.join(TABLES)}")
    table = TABLES[name]
    if name != "members" or not attributes:
        return table
    for attribute, kind in attributes.items():
        if kind not in ATTRIBUTE_KINDS:
            raise ContractError(
                f"attribute {attribute!r} is declared as {kind!r}, "
                f"wanted one of {', '.join(ATTRIBUTE_KINDS)}"
            )
        if not _ATTRIBUTE_NAME.fullmatch(attribute) or attribute in RESERVED_NAMES:
            raise ContractError(
                f"attribute {attribute!r} cannot be a column; wanted letters, digits and "
                f"underscores, not {' or '.join(RESERVED_NAMES)}"
            )
        if attribute in table.names:
            raise ContractError(f"attribute {attribute!r} is already a column of members")
    extra = tuple(Column(attribute, kind) for attribute, kind in attributes.items())
    return Table(table.name, table.key, table.columns + extra, table.versioned)


def check_header(table: Table, names: Sequence[str], where: str) -> None:
    """Refuse a file whose columns do not fit ``table``. ``where`` names the file in the message.

    Raises:
        ContractError: a column that is unknown, repeated, or required and missing.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ContractError(f"{where}: column {repeated[0]!r} appears twice; keep one")
    unknown = [name for name in names if name not in table.names]
    if unknown:
        hint = " or declare it under [members.attributes]" if table.name == "members" else ""
        raise ContractError(
            f"{where}: column {unknown[0]!r} is not in the contract of {table.name}; "
            f"rename or drop it{hint} (known: {', '.join(table.names)})"
        )
    missing = [name for name in table.required if name not in names]
    if missing:
        raise ContractError(
            f"{where}: required column {missing[0]!r} of {table.name} is missing; "
            f"found: {', '.join(names)}"
        )


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
        quantity = row["quantity"]
        if isinstance(quantity, float) and quantity < 0 and row["type"] != "refund":
            raise RowError(
                "negative_quantity",
                "quantity",
                f"quantity is {quantity:g} in a {row['type']}; only a refund may be negative",
            )
    if (
        table is OUTCOMES
        and row["decision_id"] is None
        and None
        in (
            row["member_id"],
            row["push_id"],
        )
    ):
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
    if number.adjusted() >= MONEY_DIGITS - MONEY_SCALE:
        raise _wrong(column, f"below 10^{MONEY_DIGITS - MONEY_SCALE}")
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
            except ValueError:
                raise _wrong(column, "a JSON array of text") from None
        else:
            values = [part.strip() for part in raw.split("|")]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _wrong(column, "a JSON array of text, or a|b")
    if any(_UNSTORABLE.search(value) or len(value) > MAX_TEXT for value in values):
        raise _wrong(column, f"storable text of at most {MAX_TEXT} characters each")
    return [value for value in values if value]
