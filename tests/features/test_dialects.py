"""The same expressions for every engine."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.config
import ibis.expr.types as ir
import pytest

from features.activity import activity, categorised
from features.affinity import affinity, category_interest
from features.clickstream import clickstream
from features.contacts import attributed_outcomes, contacts, sent_decisions
from features.contract import TABLES
from features.lifecycle import lifecycle
from features.membership import first_known, membership, roster
from features.moments import newest
from features.popularity import popularity
from features.purchases import purchase_habits, purchase_lines, purchases
from features.tables import table_schema
from features.vocabulary import Vocabulary
from tests.features.given import AS_OF

members, items, events, decisions, outcomes = (
    ibis.table(table_schema(TABLES[name]), name=name)
    for name in ("members", "items", "events", "decisions", "outcomes")
)
people = roster(first_known(members, events, decisions), AS_OF)
habits = purchase_habits(purchase_lines(events), AS_OF)
known_items = newest(items, "item_id", AS_OF)
done = activity(events)
WORDS = Vocabulary.of(["beach", "city trip"])

FUNCTIONS: dict[str, Callable[[], ir.Table]] = {
    "purchases": lambda: purchases(people, habits, AS_OF),
    "lifecycle": lambda: lifecycle(people, habits, AS_OF),
    "clickstream": lambda: clickstream(people, done, known_items, AS_OF),
    "affinity": lambda: affinity(
        people, category_interest(categorised(done, known_items, AS_OF), AS_OF), WORDS, AS_OF, True
    ),
    "membership": lambda: membership(people, members, {}, AS_OF),
    "contacts": lambda: contacts(
        people, sent_decisions(decisions), attributed_outcomes(outcomes, decisions), AS_OF
    ),
    "popularity": lambda: popularity(done, known_items, AS_OF, True),
}


class SparkOptions(ibis.config.Config):  # type: ignore[misc]  # ibis leaves it untyped
    """What ibis sets when pyspark is imported, for a compiler that runs without it."""

    treat_nan_as_null: bool = False


@pytest.fixture(autouse=True)
def _spark_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
@pytest.mark.parametrize("view", FUNCTIONS)
def test_every_view_compiles_for_every_engine(view: str, dialect: str) -> None:
    assert "SELECT" in ibis.to_sql(FUNCTIONS[view](), dialect=dialect)
