"""As-of truth of what no build makes by itself: pairs of member and offer, taste, and worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import worth
from features.contract import TABLES, contract_table
from features.duckdb_engine import DuckDBEngine
from features.lifecycle import lifecycle
from features.membership import roster
from features.pairs import pairs_of
from features.purchases import purchase_habits
from features.rolled import lines, people, phase, typed
from features.tables import Tables, table_schema
from features.taste import NAMES, SCHEMA, item_interest, known_vectors, taste
from features.workspace import Workspace
from tests.features.compiled import rows_by_key
from tests.features.given import stored
from tests.features.histories import ATTRIBUTES, CATEGORIES, ITEMS, MEMBERS, OFFERS
from tests.features.oracle import on_demand as oracle
from tests.features.oracle.buying import lifecycle as oracle_lifecycle
from tests.features.oracle.knowledge import Features, History, known
from tests.features.oracle.on_demand import Vectors
from tests.features.oracle.views import differences
from tests.features.oracle.worth import expected_spend
from tests.features.rich_shop import BUYING
from tests.features.test_as_of import examples, poisoned

ASKED = {"row_id": "string", "member_id": "string", "offer_id": "string"}
scopes = st.lists(
    st.fixed_dictionaries(
        {
            "categories": st.none() | st.lists(st.sampled_from(CATEGORIES), max_size=2),
            "item_ids": st.none() | st.lists(st.sampled_from(ITEMS), max_size=2),
        }
    ),
    min_size=1,
    max_size=4,
)


def scoped(history: History, drawn: Sequence[Mapping[str, Any]]) -> History:
    """The history with a scope for each version of an offer."""
    rows = [{**row, **drawn[place % len(drawn)]} for place, row in enumerate(history.offers)]
    return replace(history, offers=rows)


def versions(as_of: datetime) -> dict[datetime, Vectors]:
    """Vectors of all items but one, good long before, at the moment itself, and just after it."""
    learned: dict[datetime, Vectors] = {}
    for number, ahead in enumerate((timedelta(days=-20), timedelta(0), timedelta(microseconds=1))):
        learned[as_of + ahead] = {
            item: [Fraction((place * 7 + number * 3 + axis * 11) % 13 - 6, 8) for axis in range(8)]
            for place, item in enumerate(ITEMS[1:])
        }
    return learned


def found_buying(as_of: datetime) -> dict[datetime, dict[str, float]]:
    """What trainings found, good long before, at the moment itself, and just after it."""
    moments = (timedelta(days=-20), timedelta(0), timedelta(microseconds=1))
    return {
        as_of + ahead: {**BUYING, "alpha": 20.0 * 3**number, "a": 0.05 * 9**number}
        for number, ahead in enumerate(moments)
    }


class OnDemand:
    """These as SQL, compiled once a moment and run on one small history after another."""

    def __init__(self, workspace: Workspace) -> None:
        self.engine = DuckDBEngine.start(workspace)
        self.duckdb = self.engine.backend.con
        self.duckdb.execute("SET threads = 1")  # a history is small
        found: dict[str, Any] = {
            name: self.engine.empty(name, table_schema(contract_table(name, ATTRIBUTES)))
            for name in TABLES
        }
        self.tables = Tables(self.engine, has_clickstream=True, has_pushes=True, **found)
        self.asked = self.engine.empty("asked", ibis.schema(ASKED))
        self.vectors = self.engine.empty("item_vectors", SCHEMA)
        self.buying = self.engine.empty("buying", worth.SCHEMA)
        rows = [(f"{m} {o}", m, o) for m, o in product(MEMBERS, OFFERS)]
        self.duckdb.executemany("INSERT INTO asked VALUES (?, ?, ?)", rows)
        self.statements = lru_cache(self._statements)
        self.kept: list[ir.Table] = []

    def shown(
        self, history: History, as_of: datetime, *views: str
    ) -> dict[str, dict[str, Features]]:
        for name, rows in history.tables():
            self._fill(name, stored(contract_table(name, ATTRIBUTES), rows) if rows else None)
        vectors = [
            {
                "item_id": item,
                "good_from": moment,
                **dict(zip(NAMES, map(float, vector), strict=True)),
            }
            for moment, learned in versions(as_of).items()
            for item, vector in learned.items()
        ]
        self._fill("item_vectors", pa.Table.from_pylist(vectors))
        found = [{"good_from": at, **numbers} for at, numbers in found_buying(as_of).items()]
        self._fill("buying", pa.Table.from_pylist(found))
        queries = self.statements(as_of)
        return {name: rows_by_key(self.duckdb, *queries[name]) for name in views}

    def _fill(self, name: str, rows: pa.Table | None) -> None:
        self.duckdb.execute(f"TRUNCATE {name}")
        if rows is not None:
            self.duckdb.register("rows", rows)
            self.duckdb.execute(f"INSERT INTO {name} BY NAME SELECT * FROM rows")

    def _statements(self, as_of: datetime) -> dict[str, tuple[str, str]]:
        tables = self.tables
        events = typed(tables.events, phase(as_of))
        everyone = roster(tables.members, people(events), tables.decisions, as_of)
        buying = worth.known_buying(self.buying, as_of)
        tiers = lifecycle(everyone, purchase_habits(lines(events), as_of), as_of, buying)
        liked = taste(
            everyone,
            item_interest(tables.events, as_of),
            known_vectors(self.vectors, as_of),
        )
        asked = pairs_of(tables, self.asked, as_of)
        for table in (liked, asked, tiers):  # brings along the tables that live in Python's memory
            self.engine.backend.create_table("warm", table, temp=True, overwrite=True)
            self.kept.append(table)
        return {
            "taste": (ibis.to_sql(liked), "member_id"),
            "pairs": (ibis.to_sql(asked), "row_id"),
            "lifecycle": (ibis.to_sql(tiers), "member_id"),
        }


@pytest.fixture(scope="module")
def on_demand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnDemand]:
    made = OnDemand(Workspace(tmp_path_factory.mktemp("on demand")))
    yield made
    made.engine.close()


@pytest.mark.slow
@examples(200)
@given(poisoned(1), scopes)
def test_pairs_and_taste_show_what_the_slow_oracle_says_and_not_the_future(
    on_demand: OnDemand,
    drawn: tuple[datetime, History, History],
    of_offers: list[Mapping[str, Any]],
) -> None:
    as_of, history, later = drawn
    history = scoped(history, of_offers)
    now = known(history, as_of)
    wanted = {
        "taste": oracle.taste(now, versions(as_of)),
        "pairs": oracle.pairs(now, MEMBERS, OFFERS),
    }
    everything = history.with_more(scoped(later, of_offers))
    assert differences(on_demand.shown(everything, as_of, *wanted), wanted) == []


@pytest.mark.slow
@examples(50)
@given(poisoned(2))
def test_tiers_by_worth_show_what_the_slow_oracle_says_and_not_the_future(
    on_demand: OnDemand, drawn: tuple[datetime, History, History]
) -> None:
    as_of, history, later = drawn
    now = known(history, as_of)
    wanted = {"lifecycle": oracle_lifecycle(now, expected_spend(now, found_buying(as_of)))}
    shown = on_demand.shown(history.with_more(later), as_of, "lifecycle")
    assert differences(shown, wanted) == []
