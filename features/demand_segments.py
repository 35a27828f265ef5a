"""The segments that demand is told by: where members stood before what is compared began."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.contract import Kind
from features.errors import FeatureError
from features.lifecycle import lifecycle
from features.membership import membership, roster
from features.moments import newest
from features.purchases import purchase_habits
from features.record import BuildRecord, view_file
from features.rolled import lines, people, phase, typed
from features.tables import Tables
from features.workspace import Workspace
from features.worth import buying_files, known_buying, learned_buying

BY_DEFAULT = ("lifecycle", "value_tier")
_MEMBERSHIP = ("tier", "gender", "region", "timezone")
UNKNOWN = "unknown"


class SegmentError(FeatureError):
    """A name that members cannot be told apart by."""


def segments(
    workspace: Workspace, tables: Tables, names: Sequence[str], as_of: datetime
) -> ir.Table:
    """The members known at ``as_of``, and where they stood then: a column for each of ``names``.

    ``lifecycle`` and ``value_tier`` are made as the view lifecycle makes them, whether or not it
    was built of that moment. What the programme says of a member (``tier``, ``gender``, ``region``,
    ``timezone``, a declared attribute that is a category or a flag) is read from the version known
    then. Any other feature that is a category is read from the newest build not after ``as_of``.
    A value that nobody knows is ``UNKNOWN``.

    Raises:
        SegmentError: no such name, one given twice, or none at all; a feature of which nothing was
            built by then.
    """
    if not names or len(set(names)) < len(names):
        raise SegmentError(f"segments by {', '.join(names) or 'nothing'}, wanted different names")
    events = typed(tables.events, phase(as_of))
    everybody = tables.engine.keep(
        "demand_roster", roster(tables.members, people(events), tables.decisions, as_of)
    )
    attributes = workspace.conventions.attributes
    told = [name for name in names if name in _MEMBERSHIP or attributes.get(name) in _TELLING]
    found = everybody
    if set(names) & set(BY_DEFAULT):
        stood = _lifecycle(workspace, tables, everybody, events, as_of)
        found = _beside(found, stood, [name for name in names if name in BY_DEFAULT])
    if told:
        version = newest(tables.members, "member_id", as_of)
        known = membership(everybody, version, attributes, as_of)
        found = _beside(found, known, told)
    for name in names:
        if name not in (*BY_DEFAULT, *told):
            found = _beside(found, _built(workspace, tables, name, as_of), [name])
    return found.select("member_id", **{name: _value(found[name]) for name in names})


_TELLING: tuple[Kind | None, ...] = ("category", "flag")


def _value(column: ir.Column) -> ir.StringValue:
    if not column.type().is_string():  # flags, as features have them: 1 or 0
        column = (column == 1.0).ifelse("yes", column.notnull().ifelse("no", None))
    value: ir.StringValue = column.fill_null(UNKNOWN)
    return value


def _beside(found: ir.Table, more: ir.Table, names: Sequence[str]) -> ir.Table:
    return found.left_join(more.select("member_id", *names), "member_id").drop("member_id_right")


def _lifecycle(
    workspace: Workspace, tables: Tables, everybody: ir.Table, events: ir.Table, as_of: datetime
) -> ir.Table:
    habits = tables.engine.keep("demand_habits", purchase_habits(lines(events), as_of))
    buying = None
    if buying_files(workspace):
        buying = known_buying(learned_buying(workspace, tables.engine), as_of)
    return lifecycle(everybody, habits, as_of, buying)


def _built(workspace: Workspace, tables: Tables, name: str, as_of: datetime) -> ir.Table:
    record = BuildRecord.load(workspace)
    views = [
        view
        for view, columns in record.columns.items()
        if columns.get(name) == "category" and view not in ("popularity", "offers")
    ]
    if not views:
        raise SegmentError(
            f"--segment {name!r} is no category that members have; wanted lifecycle, value_tier, "
            f"{', '.join(_MEMBERSHIP)}, a declared attribute, or a built feature that is a category"
        )
    moments = [
        at
        for at, built in record.moments.items()
        if at <= as_of and views[0] in built.rows and view_file(workspace, views[0], at).exists()
    ]
    if not moments:
        raise SegmentError(
            f"--segment {name}: the view {views[0]} was not built as of {as_of.isoformat()} or "
            f"before; run `pushwise features build --as-of {as_of.isoformat()}`"
        )
    parts = tables.engine.read(views[0], [view_file(workspace, views[0], max(moments))])
    return ibis.union(*parts) if len(parts) > 1 else parts[0]
