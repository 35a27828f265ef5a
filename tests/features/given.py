"""Contract-shaped tables for feature tests, written as ingest writes them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.contract import Kind, Table
from features.rolled import Rolled, phase, roll_up, typed
from features.tables import Tables, open_tables
from features.views import VIEWS, Ground, at, ground
from features.vocabulary import Vocabulary
from features.workspace import Conventions, Workspace

Row = Mapping[str, Any]
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
NO_CATEGORIES = Vocabulary((), ())
TYPES: dict[Kind, pa.DataType] = {
    "time": pa.timestamp("us", tz="UTC"),
    "money": pa.decimal128(18, 4),
    "number": pa.float64(),
    "share": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.bool_(),
    "list": pa.list_(pa.string()),
}


def found(table: ir.Table, key: str = "member_id") -> pd.DataFrame:
    """What a feature table holds, by key."""
    rows: pd.DataFrame = table.execute()
    return rows.set_index(key)


def untouched(name: str, table: ir.Table) -> ir.Table:
    """Keeps nothing: what views share is then part of each of their queries."""
    return table


def stood_on(
    tables: Tables,
    as_of: datetime,
    vocabulary: Vocabulary = NO_CATEGORIES,
    attributes: Mapping[str, Kind] | None = None,
) -> Ground:
    """The ground of a build of one moment."""
    rolled = Rolled(**roll_up(typed(tables.events, phase(as_of))))
    base = ground(tables, rolled, attributes or {}, untouched)
    return replace(base, vocabulary=vocabulary)


def shown(
    tables: Tables,
    view: str,
    vocabulary: Vocabulary = NO_CATEGORIES,
    attributes: Mapping[str, Kind] | None = None,
) -> pd.DataFrame:
    """What a view holds as of ``AS_OF``, by key."""
    base = stood_on(tables, AS_OF, vocabulary, attributes)
    wanted = next(one for one in VIEWS if one.name == view)
    return found(wanted.rows(base, at(base, AS_OF, untouched)), wanted.key)


def one(rows: pd.DataFrame, key: str) -> pd.Series[Any]:
    """The features of one member or item."""
    return rows.loc[[key]].iloc[0]


def ago(days: float) -> datetime:
    """The moment that many days before ``AS_OF``."""
    return AS_OF - timedelta(days=days)


def _known_at(table: Table, row: Row) -> datetime | None:
    if "known_at" in row:
        moment: datetime | None = row["known_at"]
        return moment
    first = {
        "events": row.get("received_at") or row.get("occurred_at"),
        "outcomes": row.get("received_at") or row.get("occurred_at"),
        "decisions": row.get("decided_at"),
        "members": row.get("updated_at"),
    }
    return first.get(table.name)


def stored(table: Table, rows: Sequence[Row]) -> pa.Table:
    """Contract rows as ingest stores them; what a row does not say is null."""
    kinds = {column.name: column.kind for column in table.columns}
    columns: dict[str, pa.Array] = {
        column: pa.array(
            [
                Decimal(str(row[column]))
                if kind == "money" and row.get(column) is not None
                else row.get(column)
                for row in rows
            ],
            type=TYPES.get(kind, pa.string()),
        )
        for column, kind in kinds.items()
    }
    columns["known_at"] = pa.array([_known_at(table, row) for row in rows], type=TYPES["time"])
    columns["digest"] = pa.array(
        [
            row.get("digest") or hashlib.sha256(repr(sorted(row.items())).encode()).hexdigest()
            for row in rows
        ],
        type=pa.string(),
    )
    return pa.table(columns)


def write_batch(workspace: Workspace, name: str, rows: Sequence[Row], batch: str = "a") -> Path:
    """One ingested batch of contract rows."""
    path = workspace.tables / name / f"{batch}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(stored(workspace.table(name), rows), path)
    return path


def events(*rows: Row) -> list[Row]:
    """Rows of events with an id each."""
    return [{"event_id": f"e{number}", **row} for number, row in enumerate(rows)]


class Given:
    """A workspace and the tables in it, for tests that say what is in them."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.opened: list[Tables] = []

    def attributes(self, **kinds: Kind) -> None:
        self.workspace = Workspace(self.workspace.root, Conventions(attributes=kinds))

    def tables(self, **tables: Sequence[Row]) -> Tables:
        """Write and open tables by name."""
        for name, rows in tables.items():
            write_batch(self.workspace, name, rows)
        opened = open_tables(self.workspace)
        self.opened.append(opened)
        return opened


def small_shop(workspace: Workspace, members: int = 40, seed: int = 3) -> None:
    """A shop with every table; some of its members click, buy or are contacted, some do not."""
    rng = random.Random(seed)
    names = [f"m{number:03d}" for number in range(members)] + ["zoë"]
    items = [f"i{number}" for number in range(12)]
    kinds = ["view", "view", "view", "search", "add_to_cart", "purchase", "purchase", "refund"]
    rows: list[Row] = [
        {
            "member_id": rng.choice(names[: members * 3 // 4]),
            "type": rng.choice(kinds),
            "occurred_at": ago(rng.uniform(0, 200)),
            "item_id": rng.choice(items),
            "quantity": float(rng.randint(1, 3)),
            "unit_price": rng.randint(1, 90),
            "session_id": f"s{rng.randint(0, 300)}",
            "device": rng.choice(["web", "ios", None]),
        }
        for _ in range(members * 30)
    ]
    write_batch(workspace, "events", events(*rows))
    write_batch(
        workspace,
        "members",
        [
            {
                "member_id": name,
                "joined_at": ago(rng.uniform(0, 900)),
                "tier": rng.choice(["basic", "plus", None]),
                "consent_push": rng.choice([True, False, None]),
                "points_balance": rng.choice([None, 10.0, 20.5]),
                "known_at": None,
            }
            for name in names
        ],
    )
    write_batch(
        workspace,
        "items",
        [
            {"item_id": item, "category": f"cat {number % 4}", "price": number + 1}
            for number, item in enumerate(items)
        ],
    )
    decisions: list[Row] = [
        {
            "decision_id": f"d{number}",
            "push_id": f"p{number % 3}",
            "member_id": rng.choice(names),
            "offer_id": rng.choice(["coupon", None]),
            "probability": 0.5,
            "decided_at": ago(rng.uniform(0, 60)),
        }
        for number in range(members)
    ]
    write_batch(workspace, "decisions", decisions)
    write_batch(
        workspace,
        "offers",
        [
            {"offer_id": "coupon", "kind": "percent_off", "value": 10.0, "categories": ["cat 1"]},
            {"offer_id": "tips", "kind": "content", "contact_cost": "0.01"},
        ],
    )
    write_batch(
        workspace,
        "outcomes",
        [
            {
                "event_id": f"o{number}",
                "decision_id": row["decision_id"],
                "type": rng.choice(["opened", "clicked", "unsubscribed"]),
                "occurred_at": row["decided_at"] + timedelta(hours=3),
            }
            for number, row in enumerate(decisions[::2])
        ],
    )
