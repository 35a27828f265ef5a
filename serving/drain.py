"""What the scorer took in and decided, as contract rows for the ingest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from sqlalchemy import Connection, case, func, select

from serving import tables, upsert
from serving.log import Log

Exported = Literal["decisions", "events", "outcomes"]
_AT_ONCE = 5_000
_COLUMNS = (
    "decision_id", "push_id", "member_id", "offer_id", "probability", "decided_at", "candidates",
    "arm", "policy", "release", "experiment",
)  # fmt: skip


def newest(log: Log, table: Exported) -> int:
    """Number of the newest row in the log, 0 when there is none: what an export goes up to."""
    with log.reading() as connection:
        return (
            connection.execute(select(func.max(tables.metadata.tables[table].c.seq))).scalar() or 0
        )


def waiting(log: Log, table: Exported, up_to: int) -> Iterator[dict[str, Any]]:
    """Rows not exported yet, up to number ``up_to``, oldest first, as ``parse_row`` takes them.

    An event or outcome that names no ``received_at`` gets the moment when it came in: that is when
    it became known. After the rows are safe elsewhere, call ``mark_exported`` with the same
    ``up_to``; a crash between the two gives the same rows again, which the ingest counts as
    duplicates.
    """
    stored = tables.metadata.tables[table]
    after = _exported(log, table)
    while True:
        with log.reading() as connection:
            page = connection.execute(
                select(stored)
                .where(stored.c.seq > after, stored.c.seq <= up_to)
                .order_by(stored.c.seq)
                .limit(_AT_ONCE)
            ).all()
        if not page:
            return
        for row in page:
            yield _contract_row(table, dict(row._mapping))
        after = page[-1].seq


def mark_exported(log: Log, table: Exported, up_to: int) -> None:
    """Never offer rows up to number ``up_to`` again; marks only ever go forward."""

    def work(connection: Connection) -> None:
        mark = upsert.insert(connection, tables.exports).values(name=table, seq=up_to)
        stood = tables.exports.c.seq
        seq = case((stood > mark.excluded.seq, stood), else_=mark.excluded.seq)
        connection.execute(mark.on_conflict_do_update(index_elements=["name"], set_={"seq": seq}))

    log.write(work)


def _exported(log: Log, table: Exported) -> int:
    with log.reading() as connection:
        mark = select(tables.exports.c.seq).where(tables.exports.c.name == table)
        return connection.execute(mark).scalar_one_or_none() or 0


def _contract_row(table: Exported, stored: dict[str, Any]) -> dict[str, Any]:
    if table == "decisions":
        row = {name: stored[name] for name in _COLUMNS}
        return {**row, "candidates": json.loads(row["candidates"])}
    return {"received_at": stored["received_at"], **json.loads(stored["row"])}
