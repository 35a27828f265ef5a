"""The same expressions for every engine."""

from __future__ import annotations

from typing import Any, cast

import ibis
import ibis.config
import pytest

from features.contacts import attributed_outcomes, sent_decisions
from features.contract import TABLES
from features.demand_supply import earnings, judged, sold_out, supply
from features.demand_wants import Windows, band_edges, by_need, looks, priced_items, ranges, wanted
from features.insights.buying import first_purchases, joining_days, month_of
from features.insights.standings import People, standings
from features.membership import first_known
from features.moments import newest
from features.pairs import pairs_of
from features.rolled import Rolled, roll_up, typed
from features.tables import Tables, table_schema
from features.taste import SCHEMA
from features.views import VIEWS, Ground, View, at, taste_view
from features.vocabulary import Vocabulary
from tests.features.given import AS_OF, untouched

contract = {name: ibis.table(table_schema(TABLES[name]), name=name) for name in TABLES}
# Nothing is executed, so no engine is asked.
tables = Tables(cast("Any", None), **contract, has_clickstream=True, has_pushes=True)
GROUND = Ground(
    tables=tables,
    attributes={},
    vocabulary=Vocabulary.of(["beach", "city trip"]),
    rolled=Rolled(**roll_up(typed(tables.events, phase=0))),
    zones=("Asia/Taipei", "Europe/Berlin"),
    sent=sent_decisions(tables.decisions),
    outcomes=attributed_outcomes(tables.outcomes, tables.decisions),
)


LIKED = taste_view(ibis.table(SCHEMA, name="item_vectors"))
ASKED = ibis.table({"row_id": "int64", "member_id": "string", "offer_id": "string"}, name="asked")


class SparkOptions(ibis.config.Config):  # type: ignore[misc]  # ibis leaves it untyped
    """What ibis sets when pyspark is imported, for a compiler that runs without it."""

    treat_nan_as_null: bool = False


@pytest.fixture(autouse=True)
def _spark_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
@pytest.mark.parametrize("view", [*VIEWS, LIKED], ids=lambda view: view.name)
def test_every_view_compiles_for_every_engine(view: View, dialect: str) -> None:
    rows = view.rows(GROUND, at(GROUND, AS_OF, untouched))
    assert "SELECT" in ibis.to_sql(rows, dialect=dialect)


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_pairs_compile_for_every_engine(dialect: str) -> None:
    assert "SELECT" in ibis.to_sql(pairs_of(tables, ASKED, AS_OF), dialect=dialect)


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_insights_compile_for_every_engine(dialect: str) -> None:
    since = first_known(tables.members, tables.events, tables.decisions)
    people = People(since, tables.members)
    lines = GROUND.rolled.lines
    joined = joining_days(tables.members, AS_OF)
    for table in (
        standings(people, lines, None, AS_OF, untouched),
        first_purchases(lines, AS_OF),
        joined.mutate(month=month_of(joined.joined)),
    ):
        assert "SELECT" in ibis.to_sql(table, dialect=dialect)


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_growing_demand_compiles_for_every_engine(dialect: str) -> None:
    windows = Windows(AS_OF, 28)
    items = newest(tables.items, "item_id", AS_OF)
    rows = wanted(tables, items, windows)
    looked = looks(rows, windows)
    edges, priced = band_edges(looked), priced_items(items, rows)
    on_sale = supply(priced, sold_out(tables, AS_OF), edges, windows)
    needs = judged(by_need(looked, edges), rows, on_sale, windows)
    earned = earnings(tables, priced, edges, AS_OF, 0.3)
    for table in (needs, ranges(looked, edges), earned, on_sale):
        assert "SELECT" in ibis.to_sql(table, dialect=dialect)
