"""The stored tables as DuckDB sees them."""

from __future__ import annotations

from features.contract import TABLES
from features.tables import open_tables, table_schema
from tests.features.given import Given, ago, events, write_batch


def test_an_empty_workspace_has_every_table_with_its_types(given: Given) -> None:
    tables = given.tables()
    for name, table in TABLES.items():
        found = getattr(tables, name)
        assert found.schema() == table_schema(table)
        assert found.count().execute() == 0
    assert not tables.has_clickstream
    assert not tables.has_pushes


def test_a_batch_from_before_an_attribute_was_declared_has_it_missing(given: Given) -> None:
    write_batch(given.workspace, "members", [{"member_id": "old"}], "a")
    given.attributes(income="number")
    tables = given.tables()
    assert tables.members.execute()["income"].isna().tolist() == [True]
    write_batch(given.workspace, "members", [{"member_id": "new", "income": 3.0}], "b")
    reopened = open_tables(given.workspace)
    found = reopened.members.execute().set_index("member_id")["income"]
    reopened.close()
    assert found["new"] == 3
    assert len(found) == 2


def test_purchases_alone_are_no_clickstream(given: Given) -> None:
    bought = {"member_id": "anna", "type": "purchase", "occurred_at": ago(1)}
    assert not given.tables(events=events(bought)).has_clickstream
    assert given.tables(events=events({**bought, "type": "view"})).has_clickstream


def test_times_are_read_in_utc(given: Given) -> None:
    bought = {"member_id": "anna", "type": "purchase", "occurred_at": ago(1)}
    found = given.tables(events=events(bought)).events.execute()["occurred_at"][0]
    assert found.to_pydatetime() == ago(1)
    assert str(found.tz) == "UTC"
