"""Only the rows of a log that an experiment needs, to be read for many moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import ibis
from ibis import _

from features.tables import Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir


def of_members(
    tables: Tables, exposed: ir.Table, keep: Callable[[str, ir.Table], ir.Table]
) -> Tables:
    """``tables`` with the decisions, outcomes, purchases and refunds of the members ``exposed``."""
    members = exposed.select("member_id")
    decisions = keep("of_members_decisions", tables.decisions.semi_join(members, "member_id"))
    heard = tables.outcomes
    outcomes = ibis.union(
        heard.filter(_.decision_id.notnull()).semi_join(decisions, "decision_id"),
        heard.filter(_.decision_id.isnull()).semi_join(members, "member_id"),
    )
    lines = tables.events.filter(_["type"].isin(["purchase", "refund"]))
    return replace(
        tables,
        decisions=decisions,
        outcomes=keep("of_members_outcomes", outcomes),
        events=keep("of_members_events", lines.semi_join(members, "member_id")),
    )
