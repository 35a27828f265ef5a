"""Places in the log by time: rows have numbers in the order of commits, and moments that follow
them, so a moment is found by halving, without an index of moments and without a scan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select

from serving.moments import iso

_RUN = 50  # rows read in a row


def newest(connection: Connection, table: Table) -> int:
    """The greatest number given so far; 0 in an empty table."""
    return int(connection.scalar(select(func.max(table.c.seq))) or 0)


def first_since(connection: Connection, table: Table, moments: str, since: datetime) -> int:
    """Number of the first row whose moment is ``since`` or later; one behind the newest where
    there is none. Rows that were committed a little out of the order of time may be missed."""
    wanted, low, high = iso(since), 1, newest(connection, table) + 1
    column = table.c[moments]
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(
            select(table.c.seq, column).where(table.c.seq >= middle).order_by(table.c.seq).limit(1)
        ).one_or_none()
        if found is None or found[1] >= wanted:
            high = middle
        else:
            low = int(found[0]) + 1
    return low


def spread_rows(
    connection: Connection, table: Table, names: Sequence[str], between: tuple[int, int], most: int
) -> list[Row[Any]]:
    """At most about ``most`` rows numbered from the first of ``between`` to before the second, in
    short runs spread evenly over them: what is read does not grow with the log.

    Args:
        names: of the columns wanted.
    """
    first, stop = between
    asked = select(*(table.c[name] for name in names)).order_by(table.c.seq)
    if stop - first <= most:
        inside = asked.where(table.c.seq >= first, table.c.seq < stop)
        return list(connection.execute(inside))
    rows: list[Row[Any]] = []
    runs = max(1, most // _RUN)
    for run in range(runs):
        start = first + (stop - first) * run // runs
        part = asked.where(table.c.seq >= start, table.c.seq < min(start + _RUN, stop))
        rows.extend(connection.execute(part))
    return rows
