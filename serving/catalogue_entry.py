"""One offer or push as a caller gives it: held to the data contract, and to what the release knows.

The contract is the truth that files are held to as well (``features.contract``). What decisions can
have beyond it (limits, further channels, applicability) comes from a push's file, not from here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal, Protocol

from decisions.catalogue import MOST_DAYS, Offer, Push
from decisions.errors import DecisionError
from decisions.rules import RuleError
from features.contract import Table, contract_table
from features.rows import RowError, Value, parse_row
from serving.errors import InvalidEntry
from serving.problem import FieldProblem

Kind = Literal["offers", "pushes"]
Row = Mapping[str, Value]


class Known(Protocol):
    """What is asked of the release in use."""

    @property
    def offers(self) -> Mapping[str, Offer]: ...
    @property
    def pushes(self) -> Mapping[str, Push]: ...
    def check_rule(self, rule: str) -> None: ...


def read_entry(kind: Kind, entry_id: str, given: Mapping[str, object], known: Known) -> Row:
    """The contract's row of ``given``; its key may be left out, since the path names it.

    Raises:
        InvalidEntry: with a pointer at the field that does not fit.
    """
    table = contract_table(kind)
    if given.get(table.key, entry_id) != entry_id:
        raise _wrong(table.key, "another_id", f"{table.key} is not the one in the path")
    try:
        row = parse_row(table, {**given, table.key: entry_id})
    except RowError as error:
        raise _row_fault(table, error) from error
    _check_sense(kind, row)
    rule = row["eligibility"]
    if isinstance(rule, str):
        try:
            known.check_rule(rule)
        except RuleError as error:
            detail = "the rule does not parse, or names what the release in use does not know"
            raise _wrong("eligibility", "invalid_rule", detail) from error
    return row


def offers_named(row: Row) -> list[str]:
    """The ids of the offers that a push can carry."""
    named = row["offer_ids"]
    return named if isinstance(named, list) else []


def check_offers(row: Row, offers: Collection[str]) -> None:
    """Raises ``InvalidEntry`` when a push names an offer that is not among ``offers``."""
    for place, offer_id in enumerate(offers_named(row)):
        if offer_id not in offers:
            detail = "the catalogue and the release in use have no such offer; PUT the offer first"
            raise InvalidEntry(
                FieldProblem(pointer=f"/offer_ids/{place}", code="unknown_offer", detail=detail)
            )


def in_release(kind: Kind, entry_id: str, row: Row, known: Known) -> bool:
    """Whether the release decides by exactly this content."""
    if kind == "pushes":
        return known.pushes.get(entry_id) == Push.from_json(_given(row))
    theirs, ours = known.offers.get(entry_id), Offer.from_json(_given(row))
    if theirs is not None and ours.item_ids and not ours.categories:
        ours = replace(ours, categories=theirs.categories)  # a build takes those of the items
    return theirs == ours


def offer_of(row: Row) -> Offer:
    return Offer.from_json(_given(row))


def push_of(row: Row) -> Push:
    return Push.from_json(_given(row))


def _check_sense(kind: Kind, row: Row) -> None:
    if kind == "offers" and row["kind"] == "percent_off" and _number(row["value"]) > 100:
        raise _wrong("value", "out_of_range", "a percent_off takes at most 100 percent off")
    if kind == "pushes" and _number(row["attribution_days"]) > MOST_DAYS:
        raise _wrong("attribution_days", "out_of_range", f"wanted at most {MOST_DAYS:,} days")
    try:
        _ = offer_of(row) if kind == "offers" else push_of(row)
    except DecisionError as error:
        detail = "the fields do not fit together; see docs/data.md"
        raise _wrong("", "unfit", detail) from error


def _number(value: Value) -> float:
    return value if isinstance(value, float) else 0.0


def _given(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _row_fault(table: Table, error: RowError) -> InvalidEntry:
    if error.code == "unknown_column":  # the name is the caller's text
        fields = ", ".join(table.names)
        return _wrong("", error.code, f"a field that {table.name} do not have; they have: {fields}")
    return _wrong(error.column, error.code, str(error))


def _wrong(column: str, code: str, detail: str) -> InvalidEntry:
    pointer = f"/{column}" if column else ""
    return InvalidEntry(FieldProblem(pointer=pointer, code=code, detail=detail))
