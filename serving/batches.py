"""Batches of events and outcomes: each row checked alone, then written or told why not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Table, select

from features.contract import OUTCOMES
from features.contract import Table as ContractTable
from features.rows import RowError, Value, parse_row
from features.tombstones import REASON
from serving import ledger, tables, upsert
from serving.forgotten import Forgotten
from serving.moments import iso


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of a batch that was not taken; ``field`` is a contract column or empty."""

    index: int
    code: str
    field: str


@dataclass(frozen=True, slots=True)
class Taken:
    """accepted + duplicates + refused = rows of the batch."""

    accepted: int
    duplicates: int
    refused: tuple[Refused, ...]


_NOTHING = Taken(0, 0, ())
_LONGEST_ID = 512  # Postgres cannot index much longer ones


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one contract table that came in together."""

    contract: ContractTable
    table: Table
    received_at: datetime
    forgotten: Forgotten

    def taking(self, rows: Sequence[object]) -> Callable[[Connection], Taken]:
        checked = [(index, _checked(self.contract, row)) for index, row in enumerate(rows)]
        names = self.contract.names
        refused = [
            Refused(index, found.code, found.column if found.column in names else "")
            for index, found in checked
            if isinstance(found, RowError)
        ]
        good = [(index, row) for index, row in checked if not isinstance(row, RowError)]

        def work(connection: Connection) -> Taken:
            taken = self.write(connection, good) if good else _NOTHING
            refusals = sorted([*refused, *taken.refused], key=lambda one: one.index)
            return Taken(taken.accepted, taken.duplicates, tuple(refusals))

        return work

    def write(self, connection: Connection, rows: Sequence[tuple[int, _Row]]) -> Taken:
        keys = [row.key for _, row in rows]
        key = self.table.c.event_id
        seen: dict[str, str] = {
            found.event_id: found.digest
            for found in connection.execute(select(key, self.table.c.digest).where(key.in_(keys)))
        }
        named = self._named(connection, rows)
        fresh: list[dict[str, str | None]] = []
        refused: list[Refused] = []
        told: list[_Row] = []
        unsubscribed: list[dict[str, str | None]] = []
        received_at = iso(self.received_at)
        met = [str(row.values["member_id"]) for _, row in rows if row.values["member_id"]]
        erased = self.forgotten.among_now(connection, met)
        for index, row in rows:
            if row.values["member_id"] in erased:
                refused.append(Refused(index, REASON, "member_id"))
                continue
            if row.key in seen:
                if seen[row.key] != row.digest:
                    refused.append(Refused(index, "conflict", "event_id"))
                continue
            fault = _fault(row, named)
            if fault:
                refused.append(Refused(index, fault, "decision_id"))
                continue
            seen[row.key] = row.digest
            told.append(row)
            fresh.append(
                {"event_id": row.key, "digest": row.digest, "row": row.text,
                 "received_at": received_at, "member_id": _who(row, named)}
            )  # fmt: skip
            if row.values.get("type") == "unsubscribed":
                unsubscribed.append(
                    {"member_id": _who(row, named), "since": received_at, "event_id": row.key}
                )
        if fresh:
            connection.execute(self.table.insert(), fresh)
        if self.contract is OUTCOMES:
            ledger.settle(connection, [_report(row) for row in told])
        if unsubscribed:
            suppress = upsert.insert(connection, tables.suppressions).on_conflict_do_nothing()
            connection.execute(suppress, unsubscribed)
        return Taken(len(fresh), len(rows) - len(fresh) - len(refused), tuple(refused))

    def _named(
        self, connection: Connection, rows: Sequence[tuple[int, _Row]]
    ) -> Mapping[str, tuple[str, str]]:
        """(push, member) of the decisions that the rows name, where we made them."""
        ids = [row.values["decision_id"] for _, row in rows if row.values.get("decision_id")]
        if not ids:
            return {}
        made = tables.decisions.c
        found = connection.execute(
            select(made.decision_id, made.push_id, made.member_id).where(made.decision_id.in_(ids))
        )
        return {row.decision_id: (row.push_id, row.member_id) for row in found}


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    values: Mapping[str, Value]
    text: str  # canonical JSON
    digest: str


def _report(row: _Row) -> ledger.Report:
    named = {name: row.values[name] for name in ("decision_id", "push_id", "member_id")}
    texts = {name: None if value is None else str(value) for name, value in named.items()}
    return ledger.Report(str(row.values["type"]), **texts)


def _checked(contract: ContractTable, row: object) -> _Row | RowError:
    if not isinstance(row, dict):
        return RowError("not_an_object", "", "a row is a JSON object")
    try:
        values = parse_row(contract, row)
    except RowError as error:
        return error
    for column in contract.columns:
        if column.kind == "id" and len(str(values[column.name])) > _LONGEST_ID:
            return RowError("bad_id", column.name, f"an id has at most {_LONGEST_ID} characters")
    text = canonical(values)
    return _Row(str(values[contract.key]), values, text, hashlib.sha256(text.encode()).hexdigest())


def canonical(values: Mapping[str, Value]) -> str:
    """A contract row as JSON that ``parse_row`` reads back to the same values; nulls left out."""

    def plain(value: Value) -> Any:
        if isinstance(value, datetime):
            return iso(value)
        return str(value.normalize()) if isinstance(value, Decimal) else value

    given = {name: plain(value) for name, value in values.items() if value is not None}
    return json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _fault(row: _Row, named: Mapping[str, tuple[str, str]]) -> str:
    """Why an outcome cannot be taken, empty when it can."""
    made = named.get(str(row.values.get("decision_id")))
    if made is not None:
        given = (row.values["push_id"] or made[0], row.values["member_id"] or made[1])
        return "" if given == made else "decision_mismatch"
    nobody = row.values["member_id"] is None
    return "unknown_decision" if nobody and row.values["type"] == "unsubscribed" else ""


def _who(row: _Row, named: Mapping[str, tuple[str, str]]) -> str | None:
    """Whom a row is about; None where only a decision tells, and it is not one of ours."""
    if row.values["member_id"] is not None:
        return str(row.values["member_id"])
    made = named.get(str(row.values["decision_id"]))
    return None if made is None else made[1]
