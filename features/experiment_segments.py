"""The segments of an experiment's members, as they were when each came in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import ibis

from features.engine import Engine
from features.record import BuildRecord, view_file
from features.views import LIFECYCLE
from features.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

SEGMENTS = ("lifecycle", "value_tier")


def with_segments(workspace: Workspace, engine: Engine, exposed: ir.Table) -> ir.Table:
    """``exposed`` with each member's ``lifecycle`` and ``value_tier`` at their first decision.

    They are read from the newest view ``lifecycle`` that was built of a moment not after ``first``;
    "" where there is none, and of members whom it does not know.
    """
    built = _moments(workspace, exposed)
    if not built:
        return exposed.mutate(**dict.fromkeys(SEGMENTS, ibis.literal("")))
    newest = [(exposed.first >= ibis.literal(at), ibis.literal(at)) for at in built]
    exposed = exposed.mutate(seen_as_of=ibis.cases(*newest, else_=ibis.null()))
    files = [view_file(workspace, LIFECYCLE, at) for at in built]
    parts = [
        part.select("member_id", "feature_time", *SEGMENTS)
        for part in engine.read(LIFECYCLE, files)
    ]
    stored = ibis.union(*parts) if len(parts) > 1 else parts[0]
    joined = exposed.left_join(
        stored,
        (exposed.member_id == stored.member_id) & (exposed.seen_as_of == stored.feature_time),
    )
    known = {name: joined[name].fill_null("") for name in SEGMENTS}
    columns = [name for name in exposed.columns if name != "seen_as_of"]
    return joined.select(*columns, **known)


def _moments(workspace: Workspace, exposed: ir.Table) -> list[datetime]:
    """Those that some member needs, newest first."""
    record = BuildRecord.load(workspace)
    at = sorted(
        (one for one in record.moments if view_file(workspace, LIFECYCLE, one).exists()),
        reverse=True,
    )
    if not at:
        return []
    span = exposed.agg(first=exposed.first.min(), last=exposed.first.max()).to_pyarrow().to_pylist()
    first, last = span[0]["first"], span[0]["last"]
    if first is None:
        return []
    needed = [one for one in at if one <= last]
    before = next((place for place, one in enumerate(needed) if one <= first), len(needed) - 1)
    return needed[: before + 1]
