"""Who was in an experiment before, by what the log says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from serving import tables
from serving.among import among

Seated = Mapping[str, tuple[str, datetime]]
"""Arm and moment of the first decision in an experiment, by member."""


def seated(connection: Connection, experiment_id: str, members: Sequence[str]) -> Seated:
    """Those of ``members`` who were in the experiment before."""
    given = {"experiment": experiment_id, "members": members}
    found: dict[str, tuple[str, datetime]] = {}
    for row in connection.execute(_first(connection.dialect.name), given):
        found.setdefault(row.member_id, (row.arm, datetime.fromisoformat(row.decided_at)))
    return found


@cache
def _first(dialect: str) -> Select[Any]:
    made = tables.decisions.c
    return (
        select(made.member_id, made.arm, made.decided_at)
        .where(
            made.experiment == bindparam("experiment"), among(dialect, made.member_id, "members")
        )
        .order_by(made.seq)
    )
