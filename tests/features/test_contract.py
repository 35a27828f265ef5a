"""The contract: which columns, which values, and what is said of the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contract import TABLES, ContractError, Kind, check_header, contract_table
from features.rows import RowError, parse_row

EVENT: dict[str, object] = {
    "event_id": "e1",
    "member_id": "m1",
    "type": "purchase",
    "occurred_at": "2026-05-01T09:30:00+08:00",
}
MEMBER: dict[str, object] = {"member_id": "m1"}
OFFER: dict[str, object] = {"offer_id": "o1", "kind": "content"}
PUSH: dict[str, object] = {
    "push_id": "p1",
    "channel": "push",
    "send_at": "2026-05-01T09:30:00Z",
    "offer_ids": "o1|o2",
}
OUTCOME: dict[str, object] = {
    "event_id": "x1",
    "decision_id": "d1",
    "type": "sent",
    "occurred_at": "2026-05-01T09:30:00Z",
}
DECISION: dict[str, object] = {
    "decision_id": "d1",
    "push_id": "p1",
    "member_id": "m1",
    "probability": 0.5,
    "decided_at": "2026-05-01T09:30:00Z",
}


def test_every_column_of_the_table_comes_back_typed_and_in_order() -> None:
    row = parse_row(TABLES["events"], EVENT | {"unit_price": "9.99", "quantity": " 2 "})
    assert tuple(row) == TABLES["events"].names
    assert row["occurred_at"] == datetime(2026, 5, 1, 1, 30, tzinfo=UTC)
    assert row["unit_price"] == Decimal("9.9900")
    assert row["quantity"] == 2.0
    assert row["session_id"] is None


@pytest.mark.parametrize(
    ("table", "row", "code", "message"),
    [
        ("events", EVENT | {"colour": "red"}, "unknown_column", "'colour' is not in events"),
        ("events", EVENT | {"member_id": ""}, "missing_value", "member_id is required"),
        ("events", EVENT | {"type": "sold"}, "unknown_enum", "type is none of view, search"),
        ("events", EVENT | {"occurred_at": "2026-05-01"}, "naive_time", "has no offset; add one"),
        ("events", EVENT | {"occurred_at": "1 May"}, "bad_time", "not an ISO 8601 time, such as"),
        ("events", EVENT | {"quantity": -1}, "negative_quantity", "only a refund may be negative"),
        ("events", EVENT | {"quantity": 9e9, "unit_price": "1e5"}, "out_of_range", "not below 10"),
        ("events", EVENT | {"quantity": "many"}, "bad_number", "quantity is not a number"),
        ("events", EVENT | {"quantity": float("nan")}, "bad_number", "not a finite number"),
        ("events", EVENT | {"quantity": True}, "bad_number", "quantity is not a number"),
        ("events", EVENT | {"unit_price": "1e14"}, "bad_money", r"below 10\^14"),
        ("events", EVENT | {"unit_price": "-0.01"}, "out_of_range", "unit_price is below 0"),
        ("events", EVENT | {"item_id": 1.5}, "bad_id", "item_id is not text"),
        ("events", EVENT | {"query": "a\x00"}, "bad_text", "query is not storable text"),
        ("members", MEMBER | {"birth_year": 1984.5}, "bad_integer", "not a whole number"),
        ("members", MEMBER | {"birth_year": "1700"}, "out_of_range", "birth_year is below 1850"),
        ("members", MEMBER | {"consent_push": "perhaps"}, "bad_flag", "is not true or false"),
        ("offers", OFFER | {"categories": [1]}, "bad_list", "is not a JSON array of text"),
        (
            "offers",
            OFFER | {"categories": "[" * 99_999},
            "bad_list",
            "is not a JSON array of text",
        ),
        ("offers", OFFER | {"categories": ["\x00"]}, "bad_list", "is not storable text"),
        ("pushes", PUSH | {"offer_ids": "[]"}, "no_offers", "a push needs at least one offer"),
        ("pushes", PUSH | {"holdout": 1.2}, "out_of_range", "holdout is not between 0 and 1"),
        ("decisions", DECISION | {"probability": -0.1}, "out_of_range", "between 0 and 1"),
        ("outcomes", OUTCOME | {"decision_id": ""}, "missing_value", "or member_id with push_id"),
    ],
)
def test_a_row_that_does_not_fit_says_why(
    table: str, row: dict[str, object], code: str, message: str
) -> None:
    with pytest.raises(RowError, match=message) as raised:
        parse_row(TABLES[table], row)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("events", EVENT | {"type": "refund", "quantity": -3}),
        ("members", MEMBER | {"consent_push": "Yes", "birth_year": "1984.0"}),
        ("offers", OFFER | {"categories": '["shoes", "hats"]'}),
        ("outcomes", OUTCOME | {"decision_id": None, "member_id": "m1", "push_id": "p1"}),
        ("decisions", DECISION),
        ("pushes", PUSH),
    ],
)
def test_a_row_that_fits_is_taken(table: str, row: dict[str, object]) -> None:
    assert parse_row(TABLES[table], row)[TABLES[table].key] == row[TABLES[table].key]


def test_a_list_is_a_json_array_or_bars() -> None:
    table = TABLES["offers"]
    for written in (["a", "b"], '["a", "b"]', "a|b", " a | b |"):
        assert parse_row(table, OFFER | {"categories": written})["categories"] == ["a", "b"]


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 (the offset is drawn beside it)
def test_an_offset_never_changes_the_moment(local: datetime, hours: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(hours=hours)))
    row = parse_row(TABLES["events"], EVENT | {"occurred_at": moment.isoformat()})
    assert row["occurred_at"] == moment


def test_a_header_is_refused_by_the_name_of_the_column_and_the_file() -> None:
    with pytest.raises(ContractError, match=r"may.csv: column 'colour' is not in the contract"):
        check_header(TABLES["items"], ["item_id", "colour"], "may.csv")
    with pytest.raises(ContractError, match=r"may.csv: required column 'item_id' of items"):
        check_header(TABLES["items"], ["price"], "may.csv")
    with pytest.raises(ContractError, match=r"may.csv: column 'price' appears twice; keep one"):
        check_header(TABLES["items"], ["item_id", "price", "price"], "may.csv")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("hobbies", "list", "declared as 'list', wanted one of number"),
        ("tier", "category", "'tier' is already a column of members"),
        ("Tier", "category", "'Tier' is already a column of members; upper and lower case are one"),
        ("digest", "text", "cannot be a column"),
        ("shoe size", "number", "cannot be a column; wanted letters, digits and underscores"),
    ],
)
def test_an_attribute_that_cannot_be_is_refused(name: str, kind: Kind, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        contract_table("members", {name: kind})


def test_two_attributes_may_not_differ_by_case_alone() -> None:
    with pytest.raises(ContractError, match="'Income' is already the attribute 'income'"):
        contract_table("members", {"income": "number", "Income": "number"})


def test_declared_attributes_are_columns_of_members_only() -> None:
    assert contract_table("members", {"income": "number"}).column("income").kind == "number"
    assert contract_table("items", {"income": "number"}) is TABLES["items"]
    with pytest.raises(ContractError, match="table items has no column 'income'; it has: item_id"):
        TABLES["items"].column("income")
