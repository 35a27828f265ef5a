"""The fast check and ``contract.parse_row`` never disagree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contract import TABLES, Kind, Table, contract_table
from features.ingest.check import check
from features.ingest.chunk import chunk_of_batch, chunk_of_rows
from features.ingest.schema import checked_schema
from features.ingest.zones import utc_of
from features.rows import RowError, parse_row

# Times on a wall clock, as files have them: naive on purpose.
WALL = partial(datetime, month=1, day=1)
ATTRIBUTES: dict[str, Kind] = {"income": "number", "segment": "category", "since": "time"}
LONDON = ZoneInfo("Europe/London")
CONNECTION = duckdb.connect()
ZONES = st.sampled_from([None, LONDON, ZoneInfo("Asia/Singapore"), timezone(timedelta(hours=5))])

ODD_TEXT = st.sampled_from(
    [
        "", " ", "x", "1", "0", "-1", "1.5", "-0", "1e3", "1_000", " 7 ", "0.00005", "0.00015",
        "2.5000001",
        "99999999999999", "9999999999999.9999", "10000000000000", "1e400", "nan", "inf", "１２",
        "true", "FALSE", "Yes", "no", "maybe", "view", "purchase", "refund", "Purchase", "margin",
        "percent_off", "sent", "a|b", " a | |b", "|", "[]", '["a", "b"]', '["a","b"]', '["a" ,"b"]',
        '["a", ""]', '["a\\"b"]', "[1]", '["a"', '{"a": 1}', "null", "a\x00b", "é" * 3000,
        "é" * 5000,
        "\u00a0a|b\u00a0",
        "2026-05-01", "2026-05-01T09:30:00", "2026-05-01 09:30:00Z", "2026-05-01T09:30:00+08:00",
        "2026-05-01T09:30:00.5+00:00", "2026-05-01T09:30:00.123456-05:30", "2026-05-01T09:30Z",
        "2026-02-30T09:30:00Z", "2026-05-01T24:00:00Z", "2026-05-01T09:60:00Z", "20260501T093000Z",
        "2026-05-01T09:30:00 UTC", "2026-10-25 01:30:00", "2026-03-29 01:30:00",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:00:00-05:00", "2026-05-01T09:30:00+0800", "2026-05-01T09:30:00+14:59",
        "1849", "1850", "1900.0", "1900.5", "123456789012345678", "1234567890123456789",
    ]
)  # fmt: skip
TEXT = st.one_of(
    ODD_TEXT,
    st.text(max_size=8),
    st.text("0123456789.-+eE ", max_size=12),
    st.text('[]",|ab ', max_size=10),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.datetimes(min_value=WALL(1900), max_value=WALL(2100)).map(str),
)
TYPED: dict[Any, st.SearchStrategy[Any]] = {
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.dictionary(pa.int32(), pa.string()): TEXT,
    pa.int64(): st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)),
    pa.uint8(): st.integers(0, 255),
    pa.float64(): st.one_of(
        st.floats(), st.floats(-2, 2), st.integers(-10, 2000).map(lambda n: n / 100)
    ),
    pa.float32(): st.floats(-100, 100, width=32),
    pa.bool_(): st.booleans(),
    pa.decimal128(18, 4): st.decimals(-100, 100, places=4),
    pa.decimal128(20, 6): st.decimals(-100, 100, places=6),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(UTC)),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("ms", "Asia/Tokyo"): st.datetimes(
        min_value=WALL(1900), timezones=st.just(UTC)
    ).map(lambda moment: moment.replace(microsecond=0)),
    pa.timestamp("s"): st.datetimes().map(lambda moment: moment.replace(microsecond=0)),
    pa.date32(): st.dates(),
    pa.list_(pa.string()): st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=3),
    pa.list_(pa.int64()): st.lists(st.integers(0, 5), max_size=2),
    pa.null(): st.none(),
}  # fmt: skip


def one_by_one(table: Table, rows: list[dict[str, object]], zone: tzinfo | None) -> dict[int, Any]:
    answers: dict[int, Any] = {}
    for index, row in enumerate(rows):
        try:
            answers[index] = parse_row(table, row, zone)
        except RowError as error:
            answers[index] = (error.code, error.column, str(error))
    return answers


def agree(table: Table, chunk: Any, rows: list[dict[str, object]], zone: tzinfo | None) -> None:
    checked = check(CONNECTION, table, chunk, zone)
    found: dict[int, Any] = {r.line - 1: (r.reason, r.column, r.message) for r in checked.rejected}
    found |= dict(zip((checked.lines - 1).tolist(), checked.rows.to_pylist(), strict=True))
    wanted = one_by_one(table, rows, zone)
    assert len(checked.rows) + len(checked.rejected) == len(rows)
    assert checked.rows.schema == checked_schema(table)
    assert {place: _shown(found[place]) for place in sorted(found)} == {
        place: _shown(answer) for place, answer in wanted.items()
    }


def _shown(answer: Any) -> Any:
    """Values by their text, so that -0.0 and 0.0 differ and a time zone's class does not matter."""
    if isinstance(answer, tuple):
        return answer
    shown = {}
    for name, value in answer.items():
        if isinstance(value, datetime):
            shown[name] = value.isoformat()
        else:  # a stored decimal has no negative zero
            shown[name] = repr(value + 0 if isinstance(value, Decimal) else value)
    return shown


@st.composite
def text_rows(draw: st.DrawFn) -> tuple[str, list[dict[str, object]]]:
    table = contract_table(draw(st.sampled_from(sorted(TABLES))), ATTRIBUTES)
    names = draw(st.lists(st.sampled_from(table.names), unique=True, min_size=1, max_size=4))
    valid = {
        "id": "a", "enum": "", "time": "2026-05-01T09:30:00Z", "share": ".5", "list": "a|b",
        "category": "push",
    }  # fmt: skip
    fixed = {
        column.name: column.choices[0] if column.choices else valid[column.kind]
        for column in table.columns
        if column.required
    }
    values = draw(
        st.lists(st.fixed_dictionaries(dict.fromkeys(names, TEXT)), min_size=1, max_size=6)
    )
    return table.name, [fixed | row for row in values]


@given(text_rows(), ZONES)
@settings(max_examples=150, deadline=None)
def test_text_is_taken_exactly_as_row_by_row(
    drawn: tuple[str, list[dict[str, object]]], zone: tzinfo | None
) -> None:
    table, rows = contract_table(drawn[0], ATTRIBUTES), drawn[1]
    batch = pa.record_batch({name: [str(row[name]) for row in rows] for name in rows[0]})
    agree(table, chunk_of_batch(batch, np.arange(1, 1 + len(batch))), rows, zone)


@given(st.data(), ZONES)
@settings(max_examples=150, deadline=None)
def test_typed_values_are_taken_exactly_as_row_by_row(
    data: st.DataObject, zone: tzinfo | None
) -> None:
    table = contract_table(data.draw(st.sampled_from(sorted(TABLES))), ATTRIBUTES)
    names = data.draw(st.lists(st.sampled_from(table.names), unique=True, min_size=1, max_size=4))
    names = list(dict.fromkeys([*names, *table.required]))
    arrays = {}
    for name in names:
        kind = data.draw(st.sampled_from(list(TYPED)))
        values = data.draw(st.lists(st.one_of(st.none(), TYPED[kind]), min_size=4, max_size=4))
        arrays[name] = pa.array(values, type=kind)
    chunk = chunk_of_batch(pa.record_batch(arrays), np.arange(1, 5))
    agree(table, chunk, [dict(chunk.row(index)) for index in range(4)], zone)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_json_values_are_taken_exactly_as_row_by_row(data: st.DataObject) -> None:
    table = contract_table("events")
    value = st.one_of(
        st.none(), TEXT, st.integers(), st.floats(), st.booleans(), st.lists(st.text(max_size=2))
    )
    shape = dict.fromkeys(("quantity", "unit_price", "item_id", "received_at"), value)
    fixed: dict[str, object] = {
        "event_id": "e", "member_id": "m", "type": "view", "occurred_at": "2026-05-01T09:30:00Z",
    }  # fmt: skip
    drawn = data.draw(st.lists(st.fixed_dictionaries(shape), min_size=1, max_size=5))
    rows = [fixed | row for row in drawn]
    agree(table, chunk_of_rows(table, rows, np.arange(1, len(rows) + 1)), rows, None)


@given(
    st.lists(st.datetimes(WALL(1965), WALL(2045)), min_size=1, max_size=20),
    st.sampled_from(
        ["Europe/London", "America/New_York", "Asia/Singapore", "Africa/Casablanca",
         "Australia/Lord_Howe", "Pacific/Apia"]
    ),
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_local_times_become_utc_as_the_standard_library_does_it(
    moments: list[datetime], zone: str
) -> None:
    local = np.array(moments, dtype="datetime64[us]").astype(np.int64)
    wanted = [
        moment.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC).replace(tzinfo=None)
        for moment in moments
    ]
    found = utc_of(local, ZoneInfo(zone)).astype("datetime64[us]").tolist()
    assert found == wanted


def test_a_price_read_as_a_float_keeps_its_decimals() -> None:
    batch = pa.record_batch({"item_id": ["a", "b"], "price": [6.95, 0.1 + 0.2]})
    checked = check(
        CONNECTION, TABLES["items"], chunk_of_batch(batch, np.arange(1, 1 + len(batch))), None
    )
    assert checked.rows["price"].to_pylist() == [Decimal("6.9500"), Decimal("0.3000")]


@pytest.mark.parametrize("zone", [None, LONDON])
def test_clean_rows_never_reach_the_slow_check(zone: tzinfo | None) -> None:
    moment = "2026-05-01T09:30:00" + ("Z" if zone is None else "")
    batch = pa.record_batch(
        {
            "event_id": ["e1", "e2"],
            "member_id": ["m", "m"],
            "type": ["purchase", "refund"],
            "occurred_at": [moment, moment],
            "quantity": ["1", "-1"],
            "unit_price": ["9.99", ""],
            "item_id": ["7", "8"],
        }
    )
    chunk = chunk_of_batch(batch, np.arange(1, 1 + len(batch)))

    def never(index: int) -> dict[str, object]:
        raise AssertionError(f"row {index} was read on its own")

    alone = type(chunk)(chunk.lines, chunk.columns, never, chunk.text)
    checked = check(CONNECTION, TABLES["events"], alone, zone)
    assert checked.rows["quantity"].to_pylist() == [1.0, -1.0]
