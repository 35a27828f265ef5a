"""What the scorer's log says of members, as rows that fresh features are folded from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, RowMapping, func, select

from features.fresh import SEEN_TYPES, SKEW, Contacted, Did, Row
from serving import tables


class Item(Protocol):
    @property
    def category(self) -> str | None: ...

    @property
    def price(self) -> float | None: ...


class Items(Protocol):
    """Category and price of any item, as far as they are known."""

    def __getitem__(self, item_id: str) -> Item: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the log that were not read before.

    rows: member and row, in the order of the log. marks: by source, the number of its last row.
    oldest: when the first of them was acknowledged; None where there are none. read: rows of the
    log, those included that fresh features do not look at. full: there may be more.
    """

    rows: tuple[tuple[str, Row], ...]
    marks: Mapping[str, int]
    oldest: datetime | None
    read: int
    full: bool


def next_page(connection: Connection, marks: Mapping[str, int], items: Items, limit: int) -> Page:
    """What follows after ``marks``, at most ``limit`` rows of each source."""
    rows: list[tuple[str, Row]] = []
    after, moments, read, full = dict(marks), list[datetime](), 0, False
    for source, (moment, translated) in _SOURCES.items():
        found = _after(connection, source, after[source], limit)
        if not found:
            if after[source] > _last(connection, source):
                after[source] = 0  # so far it was another log, which this one replaces
            continue
        for row in found:
            rows.extend(translated(connection, row, items))
        after[source] = found[-1]["seq"]
        moments.append(datetime.fromisoformat(min(row[moment] for row in found)))
        read += len(found)
        full = full or len(found) == limit
    return Page(tuple(rows), after, min(moments, default=None), read, full)


def _after(connection: Connection, source: str, seq: int, limit: int) -> Sequence[RowMapping]:
    table = tables.metadata.tables[source]
    asked = select(table).where(table.c.seq > seq).order_by(table.c.seq).limit(limit)
    return connection.execute(asked).mappings().all()


def _last(connection: Connection, source: str) -> int:
    seq = tables.metadata.tables[source].c.seq
    return connection.execute(select(func.max(seq))).scalar() or 0


def _event(_: Connection, stored: RowMapping, items: Items) -> Iterator[tuple[str, Row]]:
    row = json.loads(stored["row"])
    if row["type"] not in SEEN_TYPES:
        return
    at = datetime.fromisoformat(row["occurred_at"])
    received_at = datetime.fromisoformat(stored["received_at"])
    if at > received_at + SKEW:
        return  # of the future: a build counts it when it has come
    listed = items[row["item_id"]] if "item_id" in row else None
    if "unit_price" in row:
        worth: float | None = row.get("quantity", 1.0) * float(row["unit_price"])
    else:
        worth = listed.price if listed else None
    did = Did(
        row["type"],
        min(at, received_at),
        row.get("item_id"),
        row.get("category") or (listed.category if listed else None),
        worth,
    )
    yield row["member_id"], did


def _decision(_: Connection, stored: RowMapping, __: Items) -> Iterator[tuple[str, Row]]:
    if stored["offer_id"] is not None:
        at = datetime.fromisoformat(stored["decided_at"])
        yield stored["member_id"], Contacted(stored["decision_id"], at)


def _outcome(connection: Connection, stored: RowMapping, _: Items) -> Iterator[tuple[str, Row]]:
    """A failed message; of a decision that this log does not hold, nothing is known to undo."""
    row = json.loads(stored["row"])
    if row["type"] != "failed":
        return
    made = tables.decisions.c
    asked = select(made.member_id, made.decision_id, made.decided_at)
    if "decision_id" in row:
        asked = asked.where(made.decision_id == row["decision_id"])
    else:
        asked = asked.where(made.push_id == row["push_id"], made.member_id == row["member_id"])
    for found in connection.execute(asked.where(made.offer_id.is_not(None))):
        at = datetime.fromisoformat(found.decided_at)
        yield found.member_id, Contacted(found.decision_id, at, failed=True)


# Of each source: the column with the moment of its acknowledgement, and what its rows say.
_Translated = Callable[[Connection, RowMapping, Items], Iterator[tuple[str, Row]]]
_SOURCES: Mapping[str, tuple[str, _Translated]] = {
    "events": ("received_at", _event),
    "decisions": ("decided_at", _decision),
    "outcomes": ("received_at", _outcome),
}
SOURCES = tuple(_SOURCES)
