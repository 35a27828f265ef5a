"""Members' local time: their zones, and how far those were from UTC at each moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

_OFFSETS = ibis.schema(
    {"zone": "string", "since": "int64", "until": "int64", "offset_seconds": "int64"}
)


def zone_names(members: ir.Table) -> tuple[str, ...]:
    """The time zones that any version of a member names."""
    names = members.filter(members.timezone.notnull()).select("timezone").distinct()
    return tuple(sorted(names.execute()["timezone"]))


def member_zones(
    versions: ir.Table, names: Sequence[str], as_of: datetime, days: int = 90
) -> ir.Table:
    """Each member's distance from UTC in the ``days`` before ``as_of``, a row for each change.

    Args:
        versions: the newest version of each member known at ``as_of``.
        names: every zone that occurs; one that the time zone database does not know is left out.

    Returns:
        ``zone_member``, ``since`` and ``until`` (``seconds``, until excluded), ``offset_seconds``
        (local time − UTC). A member without a known zone has no row: UTC.
    """
    first, last = as_of - timedelta(days=days + 1), as_of + timedelta(seconds=1)
    rows = [(name, *period) for name in names for period in _periods(name, first, last)]
    offsets = ibis.memtable(rows or [("UTC", 0, 0, 0)], schema=_OFFSETS)
    members = versions.filter(versions.timezone.notnull())
    joined = members.select(zone_member="member_id", of_zone="timezone").join(
        offsets, ibis._.of_zone == offsets.zone
    )
    return joined.select("zone_member", "since", "until", "offset_seconds")


def local_second(rows: ir.Table, zones: ir.Table, column: str) -> ir.Table:
    """``rows`` with ``local_second``: ``column`` (``seconds``) in the time zone of the member."""
    joined = rows.left_join(
        zones,
        [
            rows.member_id == zones.zone_member,
            rows[column] >= zones.since,
            rows[column] < zones.until,
        ],
    )
    local = joined[column] + joined.offset_seconds.fill_null(0)
    return joined.mutate(local_second=local).drop(*zones.columns)


def _periods(name: str, first: datetime, last: datetime) -> Iterator[tuple[int, int, int]]:
    """From when to when a zone had which offset between two moments; nothing for an unknown one."""
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone; a name that is no file's; a folder's
        return
    edges = [_second(first), *_changes(zone, _second(first), _second(last)), _second(last)]
    for since, until in pairwise(edges):
        yield since, until, _offset(zone, since)


def _changes(zone: ZoneInfo, first: int, last: int) -> Iterable[int]:
    """The seconds at which the offset changes: looked for day by day, then by halves."""
    step = 86_400
    for day in range(first, last, step):
        low, high = day, min(day + step, last)
        if _offset(zone, low) == _offset(zone, high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (middle, high) if _offset(zone, middle) == _offset(zone, day) else (low, middle)
            )
        yield high


def _offset(zone: ZoneInfo, second: int) -> int:
    found = datetime.fromtimestamp(second, zone).utcoffset()
    return 0 if found is None else int(found.total_seconds())


def _second(moment: datetime) -> int:
    return int(moment.timestamp())
