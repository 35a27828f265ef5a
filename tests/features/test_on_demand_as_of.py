"""As-of truth of what no build makes by itself: pairs of member and offer, taste, and worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import product
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import Phase, given
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
from tests.features.histories import (
    AS_OFS,
    ATTRIBUTES,
    CATEGORIES,
    ITEMS,
    MEMBERS,
    OFFERS,
    in_shop,
    told_apart,
)
from tests.features.oracle import on_demand as oracle
from tests.features.oracle.buying import lifecycle as oracle_lifecycle
from tests.features.oracle.knowledge import Features, History, known
from tests.features.oracle.on_demand import Vectors
from tests.features.oracle.views import Shown, differences
from tests.features.oracle.worth import expected_spend
from tests.features.rich_shop import BUYING
from tests.features.test_as_of import SHOPS, examples, poisoned, streets

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


@dataclass(frozen=True)
class Asking:
    """A shop, and what is asked of it. number: which one of its street."""

    number: int
    history: History
    later: History

    def named(self, name: str, key: str) -> str:
        return str(in_shop(self.number, {key: name})[key])

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [
            (self.named(member, "member_id"), self.named(offer, "offer_id"))
            for member, offer in product(MEMBERS, OFFERS)
        ]

    def vectors(self, as_of: datetime) -> dict[datetime, Vectors]:
        return {
            good_from: {self.named(item, "item_id"): vector for item, vector in learned.items()}
            for good_from, learned in versions(as_of).items()
        }

    def wanted(self, as_of: datetime) -> Shown:
        now = known(self.history, as_of)
        members, offers = ([*dict.fromkeys(of)] for of in zip(*self.pairs, strict=True))
        return {
            "taste": oracle.taste(now, self.vectors(as_of)),
            "pairs": oracle.pairs(now, members, offers),
        }


def asking(count: int) -> Iterator[tuple[datetime, Sequence[Asking]]]:
    """That many shops whose offers have scopes, in streets of one moment."""
    drawn: dict[datetime, list[Asking]] = {as_of: [] for as_of in AS_OFS}

    @examples(count, Phase.generate)
    @given(poisoned(), scopes)
    def draw(found: tuple[datetime, History, History], of_offers: list[Mapping[str, Any]]) -> None:
        as_of, history, later = found
        number = len(drawn[as_of]) % SHOPS
        own = Asking(number, history, later)
        there = [
            {**scope, "item_ids": items and [own.named(item, "item_id") for item in items]}
            for scope in of_offers
            for items in [scope["item_ids"]]
        ]
        drawn[as_of].append(
            Asking(number, *(scoped(told_apart(of, number), there) for of in (history, later)))
        )

    draw()
    for as_of, shops in drawn.items():
        for first in range(0, len(shops), SHOPS):
            yield as_of, shops[first : first + SHOPS]


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
    """These as SQL, compiled once a moment and run on one street of shops after another."""

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
        self.statements = lru_cache(self._statements)
        self.kept: list[ir.Table] = []

    def pairs_and_taste(self, as_of: datetime, shops: Sequence[Asking]) -> Shown:
        pairs = [pair for shop in shops for pair in shop.pairs]
        asked = [
            {"row_id": f"{member} {offer}", "member_id": member, "offer_id": offer}
            for member, offer in pairs
        ]
        self._fill("asked", pa.Table.from_pylist(asked))
        vectors = [
            {
                "item_id": item,
                "good_from": moment,
                **dict(zip(NAMES, map(float, vector), strict=True)),
            }
            for shop in shops
            for moment, learned in shop.vectors(as_of).items()
            for item, vector in learned.items()
        ]
        self._fill("item_vectors", pa.Table.from_pylist(vectors))
        everything = (part for shop in shops for part in (shop.history, shop.later))
        return self._shown(reduce(History.with_more, everything), as_of, "pairs", "taste")

    def tiers(self, history: History, as_of: datetime) -> Shown:
        found = [{"good_from": at, **numbers} for at, numbers in found_buying(as_of).items()]
        self._fill("buying", pa.Table.from_pylist(found))
        return self._shown(history, as_of, "lifecycle")

    def _shown(self, history: History, as_of: datetime, *views: str) -> Shown:
        for name, rows in history.tables():
            self._fill(name, stored(contract_table(name, ATTRIBUTES), rows) if rows else None)
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
        self.kept += [liked, asked, tiers]
        return {
            "taste": (self._sql(liked), "member_id"),
            "pairs": (self._sql(asked), "row_id"),
            "lifecycle": (self._sql(tiers), "member_id"),
        }

    def _sql(self, table: ir.Table) -> str:
        """Its SQL; the tables that it reads from Python's memory are in the database after this."""
        self.engine.backend._run_pre_execute_hooks(table)
        return str(self.engine.backend.compile(table))


@pytest.fixture(scope="module")
def on_demand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnDemand]:
    made = OnDemand(Workspace(tmp_path_factory.mktemp("on demand")))
    yield made
    made.engine.close()


@pytest.mark.slow
def test_pairs_and_taste_show_what_the_slow_oracle_says_and_not_the_future(
    on_demand: OnDemand,
) -> None:
    for as_of, shops in asking(200):
        wanted: dict[str, dict[str, Features]] = {"taste": {}, "pairs": {}}
        for shop in shops:
            for view, rows in shop.wanted(as_of).items():
                wanted[view].update(rows)
        assert differences(on_demand.pairs_and_taste(as_of, shops), wanted) == []


@pytest.mark.slow
def test_tiers_by_worth_show_what_the_slow_oracle_says_and_not_the_future(
    on_demand: OnDemand,
) -> None:
    for street in streets(100):
        as_of, now = street.as_of, known(street.history, street.as_of)
        wanted = {"lifecycle": oracle_lifecycle(now, expected_spend(now, found_buying(as_of)))}
        shown = on_demand.tiers(street.history.with_more(street.later), as_of)
        assert differences(shown, wanted) == []
