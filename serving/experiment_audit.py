"""The audit trail of experiments: who changed what, when and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from serving.experiment_entry import Entry
from serving.moments import iso
from serving.preconditions import Conditions
from serving.tables import experiment_audit


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something, when and why.

    by: id of the API key, or who is at the command line; None where the scorer asks for no key.
    """

    at: datetime
    by: str | None
    why: str = ""
    conditions: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True, slots=True)
class Audited:
    """One change. version: that it made. changed: before and after, by field."""

    seq: int
    version: int
    at: datetime
    by: str | None
    action: str
    changed: Mapping[str, Any]
    why: str


def write_down(
    connection: Connection, before: Entry | None, after: Entry | None, action: str, change: Change
) -> None:
    """A line about what ``change`` made of an experiment, in the transaction that makes it.

    Args:
        before, after: None where there is none; not both.
    """
    known = after or before
    assert known is not None  # noqa: S101 - the caller changes something
    line = {
        "experiment_id": known.experiment_id,
        "version": known.version if after is not None else known.version + 1,
        "at": iso(change.at),
        "by": change.by,
        "action": action,
        "changed": json.dumps(_changed(before, after)),
        "why": change.why,
    }
    connection.execute(experiment_audit.insert(), [line])


def _changed(before: Entry | None, after: Entry | None) -> dict[str, Any]:
    """Before and after, by field; of an experiment made or deleted, the whole."""
    old = None if before is None else before.facts()
    new = None if after is None else after.facts()
    if old is None or new is None:
        return {"experiment": {"before": old, "after": new}}
    return {
        name: {"before": old[name], "after": new[name]} for name in new if old[name] != new[name]
    }


def audited(row: Row[Any]) -> Audited:
    """A row of the table ``experiment_audit``."""
    return Audited(
        seq=row.seq,
        version=row.version,
        at=datetime.fromisoformat(row.at),
        by=row.by,
        action=row.action,
        changed=json.loads(row.changed),
        why=row.why,
    )
