"""The data contract: the tables Pushwise takes, and their columns.

Light on purpose (standard library only): files and the HTTP API are held to the same contract.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from features.errors import FeatureError

Kind = Literal[
    "id", "text", "category", "enum", "time", "money", "number", "integer", "share", "flag", "list"
]

MONEY_DIGITS = 18
MONEY_SCALE = 4

EVENT_TYPES = (
    "view", "search", "add_to_cart", "remove_from_cart", "wishlist", "purchase", "refund",
    "app_open", "rating",
)  # fmt: skip
OFFER_KINDS = ("percent_off", "amount_off", "points", "gift", "shipping", "content")
OUTCOME_TYPES = (
    "sent", "delivered", "opened", "clicked", "redeemed", "converted", "unsubscribed", "failed",
    "complained",
)  # fmt: skip
OBJECTIVES = ("margin", "revenue", "conversions")


class ContractError(FeatureError):
    """A file, a table or a declaration does not fit the contract."""


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
        Column("experiment", "id"),  # whose ``arm`` it is
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
        Column("received_at", "time"),
        Column("value", "money"),
        Column("margin", "money"),
    ),
)
TABLES: Mapping[str, Table] = {
    table.name: table for table in (MEMBERS, ITEMS, EVENTS, OFFERS, PUSHES, DECISIONS, OUTCOMES)
}

ATTRIBUTE_KINDS: tuple[Kind, ...] = (
    "number", "integer", "money", "share", "category", "flag", "time", "text",
)  # fmt: skip

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
    taken = dict.fromkeys(table.names, "a column of members")
    for attribute, kind in attributes.items():
        _check_attribute(attribute, kind)
        # The engines behind the tables do not tell TIER from tier.
        if attribute.lower() in taken:
            raise ContractError(
                f"attribute {attribute!r} is already {taken[attribute.lower()]}; upper and lower "
                "case are one name"
            )
        taken[attribute.lower()] = f"the attribute {attribute!r}"
    extra = tuple(Column(attribute, kind) for attribute, kind in attributes.items())
    return Table(table.name, table.key, table.columns + extra, table.versioned)


def _check_attribute(attribute: str, kind: Kind) -> None:
    if kind not in ATTRIBUTE_KINDS:
        raise ContractError(
            f"attribute {attribute!r} is declared as {kind!r}, "
            f"wanted one of {', '.join(ATTRIBUTE_KINDS)}"
        )
    if not _ATTRIBUTE_NAME.fullmatch(attribute) or attribute.lower() in RESERVED_NAMES:
        raise ContractError(
            f"attribute {attribute!r} cannot be a column; wanted letters, digits and "
            f"underscores, not {' or '.join(RESERVED_NAMES)}"
        )


def check_header(table: Table, names: Sequence[str], where: str) -> None:
    """Refuse a file whose columns do not fit ``table``. ``where`` names the file in the message.

    Raises:
        ContractError: a column that is unknown, repeated, or required and missing.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ContractError(f"{where}: column {repeated[0]!r} appears twice; keep one")
    unknown = [name for name in names if name not in table.names]
    if unknown and len(names) == 1 and re.search(r"[;\t|]", names[0]):
        raise ContractError(
            f"{where}: the header is one column, {names[0][:60]!r}; separate columns by commas"
        )
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
