"""All feature views as SQL, compiled once a moment and run on one small history after another."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from features.contract import TABLES, contract_table
from features.tables import Tables, table_schema
from features.views import VIEWS, at, ground
from features.vocabulary import Vocabulary
from tests.features.given import stored
from tests.features.histories import ATTRIBUTES, CATEGORIES
from tests.features.oracle.knowledge import Features, History

VOCABULARY = Vocabulary.of(CATEGORIES[:2])


class Compiled:
    """The views of a shop with every table, as the build makes them, one history at a time."""

    def __init__(self) -> None:
        self.connection = ibis.duckdb.connect(threads=1)
        self.connection.raw_sql("SET TimeZone = 'UTC'")
        found: dict[str, Any] = {
            name: self.connection.create_table(
                name, schema=table_schema(contract_table(name, ATTRIBUTES))
            )
            for name in TABLES
        }
        self.tables = Tables(self.connection, has_clickstream=True, has_pushes=True, **found)
        self.statements = lru_cache(self._statements)

    def views(self, history: History, as_of: datetime) -> dict[str, dict[str, Features]]:
        """What each view shows: view, then key, then feature."""
        self._fill(history)
        kept, views = self.statements(as_of)
        for statement in kept:
            self.connection.con.execute(statement)
        shown: dict[str, dict[str, Features]] = {}
        for name, (query, key) in views.items():
            answer = self.connection.con.execute(query)
            columns = [column[0] for column in answer.description]
            place = columns.index(key)
            rows = answer.fetchall()
            shown[name] = {
                row[place]: {
                    column: value
                    for column, value in zip(columns, row, strict=True)
                    if column != key
                }
                for row in rows
            }
            assert len(rows) == len(shown[name]), f"{name} has a key twice"
        return shown

    def _fill(self, history: History) -> None:
        for name, rows in history.tables():
            table = stored(contract_table(name, ATTRIBUTES), rows)
            self.connection.con.execute(f"DELETE FROM {name}")
            if rows:
                self.connection.con.register("batch", table)
                self.connection.con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM batch")

    def _statements(self, as_of: datetime) -> tuple[list[str], dict[str, tuple[str, str]]]:
        kept: list[str] = []

        def keep(name: str, table: ir.Table) -> ir.Table:
            query = ibis.to_sql(table, dialect="duckdb")
            kept.append(f"CREATE OR REPLACE TEMP TABLE kept_{name} AS {query}")
            return self.connection.create_table(
                f"kept_{name}", schema=table.schema(), temp=True, overwrite=True
            )

        base = replace(ground(self.tables, ATTRIBUTES, keep), vocabulary=VOCABULARY)
        shared = at(base, as_of, keep)
        views = {
            view.name: (ibis.to_sql(view.rows(base, shared), dialect="duckdb"), view.key)
            for view in VIEWS
        }
        return kept, views
