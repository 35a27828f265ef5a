"""How much of the programme the data reach: who is listed, who does anything, and whole views."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.encode import KEYS
from features.moments import known, newest, seen_at
from features.record import BuildRecord
from features.tables import CLICK_TYPES, Tables, opened
from features.workspace import Workspace

MEMBERS = {
    "listed": "have a row in members",
    "active": "did anything, ever",
    "bought": "bought, ever",
    "clicked": "clicked, ever",
    "decided": "were decided on, ever",
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Members that something is known of.

    name: a key of ``MEMBERS``, or the view whose rows are counted.
    count, of: members, and all there are of: for a view those who were known when it was built,
        else those known at the moment by now. share: the one over the other.
    """

    name: str
    text: str
    count: int
    of: int
    share: float


def coverage(workspace: Workspace, record: BuildRecord, as_of: datetime) -> tuple[Coverage, ...]:
    """Of all members known at the built moment ``as_of``, how many there is what of."""
    rows = {view: count for view, count in record.moments[as_of].rows.items() if view not in KEYS}
    with opened(workspace) as tables:
        counts, known_now = _members(tables, as_of)
    # Members may have come in since the views were built: no view could have a row for them.
    built = max(rows.values(), default=0)
    found = [
        *((name, MEMBERS[name], count, known_now) for name, count in counts.items()),
        *((view, f"have a row in the view {view}", count, built) for view, count in rows.items()),
    ]
    return tuple(
        Coverage(name, text, count, of, count / of if of else 1.0)
        for name, text, count, of in found
    )


def _members(tables: Tables, as_of: datetime) -> tuple[dict[str, int], int]:
    """How many did what, and how many there are."""
    events = known(tables.events.mutate(seen_at=seen_at(tables.events)), as_of)
    made = seen_at(tables.decisions, "decided_at")
    decisions = known(tables.decisions.mutate(seen_at=made), as_of)
    listed = newest(tables.members, "member_id", as_of)
    did = events.agg(
        active=events.member_id.nunique(),
        bought=events.member_id.nunique(where=events["type"] == "purchase"),
        clicked=events.member_id.nunique(where=events["type"].isin(CLICK_TYPES)),
    )
    everybody = ibis.union(
        *(part.select("member_id") for part in (listed, events, decisions)), distinct=True
    )
    counts = {
        "listed": _count(listed),
        **{name: int(count) for name, count in did.to_pyarrow().to_pylist()[0].items()},
        "decided": _count(decisions.select("member_id").distinct()),
    }
    return counts, _count(everybody)


def _count(table: ir.Table) -> int:
    return int(table.count().to_pyarrow().as_py())
