"""All feature views as SQL, compiled once a moment and run on one small history after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import ibis.expr.types as ir
from duckdb import DuckDBPyConnection

from features.contract import TABLES, contract_table
from features.duckdb_engine import DuckDBEngine
from features.rolled import NAMES, Rolled, phase, roll_up, typed
from features.tables import Tables, table_schema
from features.views import VIEWS, at, ground
from features.vocabulary import Vocabulary
from features.workspace import Conventions, Workspace
from tests.features.given import stored
from tests.features.histories import ATTRIBUTES, ZONES
from tests.features.oracle.knowledge import Features, History, Row


@dataclass(frozen=True)
class _Statements:
    """SQL over the tables of a history. expressions: what it was made from, to keep that alive."""

    rolled: list[str]
    kept: list[str]
    views: dict[str, tuple[str, str]]
    expressions: list[ir.Table]


class Compiled:
    """The views of a shop that has every table, made as a build makes them but without its files.

    A build compiles its expressions and reads Parquet each time. Here the compiled SQL is kept, so
    that a history takes milliseconds. That both show the same has a test of its own.
    """

    def __init__(self, workspace: Workspace, vocabulary: Vocabulary) -> None:
        self.engine = DuckDBEngine.start(replace(workspace, conventions=Conventions(ATTRIBUTES)))
        self.duckdb = self.engine.backend.con
        self.duckdb.execute("SET threads = 1")  # a history is small
        self.vocabulary = vocabulary
        self.statements = lru_cache(self._statements)
        found: dict[str, Any] = {
            name: self.engine.empty(name, table_schema(contract_table(name, ATTRIBUTES)))
            for name in TABLES
        }
        self.tables = Tables(self.engine, has_clickstream=True, has_pushes=True, **found)
        empty = roll_up(typed(self.tables.events, phase=0))
        self.rolled = Rolled(
            **{name: self.engine.empty(f"rolled_{name}", empty[name].schema()) for name in NAMES}
        )

    def views(self, history: History, as_of: datetime) -> dict[str, dict[str, Features]]:
        """What each view shows: view, then key, then feature."""
        statements = self.statements(as_of)
        # Like a build, which rolls up batch after batch by UTC day, and else everything anew.
        self._take(history, statements.rolled, batches=1 if phase(as_of) else 2)
        for statement in statements.kept:
            self.duckdb.execute(statement)
        return {
            name: rows_by_key(self.duckdb, query, key)
            for name, (query, key) in statements.views.items()
        }

    def _take(self, history: History, roll_ups: list[str], batches: int) -> None:
        """Put the rows into the tables; the events in batches, each rolled up by itself."""
        for name in NAMES:
            self.duckdb.execute(f"TRUNCATE rolled_{name}")
        for name, rows in history.tables():
            self.duckdb.execute(f"TRUNCATE {name}")
            if name != "events":
                self._insert(name, rows)
        for number in range(batches):
            self.duckdb.execute("TRUNCATE events")
            self._insert("events", history.events[number::batches])
            for statement in roll_ups:
                self.duckdb.execute(statement)
        for number in range(batches - 1):
            self._insert("events", history.events[number::batches])

    def _insert(self, name: str, rows: Sequence[Row]) -> None:
        if rows:
            self.duckdb.register("rows", stored(contract_table(name, ATTRIBUTES), rows))
            self.duckdb.execute(f"INSERT INTO {name} BY NAME SELECT * FROM rows")

    def _statements(self, as_of: datetime) -> _Statements:
        made = _Statements([], [], {}, [])

        def keep(name: str, table: ir.Table) -> ir.Table:
            made.kept.append(f"CREATE OR REPLACE TEMP TABLE kept_{name} AS {self._sql(table)}")
            made.expressions.append(table)
            self.duckdb.execute(made.kept[-1])
            return self.engine.backend.table(f"kept_{name}")

        for name, table in roll_up(typed(self.tables.events, phase(as_of))).items():
            made.rolled.append(f"INSERT INTO rolled_{name} {self._sql(table)}")
        base = ground(self.tables, self.rolled, ATTRIBUTES, keep)
        zones = tuple(zone for zone in ZONES if zone is not None)
        base = replace(base, vocabulary=self.vocabulary, zones=zones)
        shared = at(base, as_of, keep)
        for view in VIEWS:
            rows = view.rows(base, shared)
            made.expressions.append(rows)
            made.views[view.name] = self._sql(rows), view.key
        return made

    def _sql(self, table: ir.Table) -> str:
        """Its SQL; the tables that it reads from Python's memory are in the database after this."""
        self.engine.backend._run_pre_execute_hooks(table)
        return str(self.engine.backend.compile(table))


def rows_by_key(duckdb: DuckDBPyConnection, query: str, key: str) -> dict[str, Features]:
    """What a query gives: key, then feature."""
    answer = duckdb.execute(query)
    columns = [column[0] for column in answer.description]
    rows = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
    by_key = {row.pop(key): row for row in rows}
    assert len(by_key) == len(rows), f"a {key} has two rows"
    return by_key
