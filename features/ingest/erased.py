"""Rows of members who were erased: refused, counted, and not kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from features.contract import Table
from features.ingest.check import Checked
from features.ingest.chunk import Rejected
from features.tombstones import MESSAGE, REASON, Tombstones

_MEMBER = "member_id"


def without_erased(erased: Tombstones, table: Table, checked: Checked) -> Checked:
    """The rows of others; those of erased members are rejected, without their text."""
    if not erased:
        return checked
    rejected = bared(erased, checked.rejected)
    if _MEMBER not in table.names:
        return replace(checked, rejected=rejected)
    given = checked.rows[_MEMBER]
    met = [member for member in pc.unique(given).to_pylist() if member is not None]
    found = pa.array(sorted(erased.among(met)), type=pa.string())
    gone = pc.is_in(given, value_set=found)
    mask = gone.to_numpy()
    lines = checked.lines[mask].tolist()
    rejected += [Rejected(line, REASON, _MEMBER, MESSAGE, "") for line in lines]
    return Checked(checked.rows.filter(pc.invert(gone)), checked.lines[~mask], rejected)


def bared(erased: Tombstones, rejected: Iterable[Rejected]) -> list[Rejected]:
    """Rejected rows; of those that name an erased member only where they stood."""
    return [
        Rejected(row.line, REASON, "", MESSAGE, "") if erased.named_in(row.text) else row
        for row in rejected
    ]
