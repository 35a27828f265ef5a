"""Where every member stands at a moment, past ones included, without a build of features for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir
from ibis import _

from features.lifecycle import lifecycle
from features.moments import newest
from features.purchases import purchase_habits
from features.views import Keep
from features.worth import known_buying

_READ = (
    "member_id", "first_day", "last_second", "orders_life", "orders_365d", "net_365d",
    "buying_days_365d", "gaps", "gap_sum", "bought", "refunded",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Who is a member since when.

    since: of ``membership.first_known``. members: the table of the contract.
    """

    since: ir.Table
    members: ir.Table

    def not_yet(self, as_of: datetime) -> ir.Table:
        """``member_id`` of those who join at ``as_of`` or later, by what was known before it."""
        rows = self.members.select("member_id", "known_at", "digest", "joined_at")
        version = newest(rows, "member_id", as_of)
        return version.filter(version.joined_at >= ibis.literal(as_of)).select("member_id")


def undated(members: ir.Table) -> int:
    """How many members have neither a time of joining nor one of any row about them: each of them
    counts as a member from the start."""
    dated = members.known_at.notnull() | members.joined_at.notnull()
    found = members.mutate(dated=dated).group_by("member_id").agg(dated=_.dated.any())
    counted: int = found.filter(~found.dated).count().to_pyarrow().as_py()
    return counted


def standings(
    people: People, lines: ir.Table, learned: ir.Table | None, as_of: datetime, keep: Keep
) -> ir.Table:
    """Lifecycle stage and value tier of each member who exists, and has joined, before ``as_of``.

    The same as the view lifecycle of a build: both call ``features.lifecycle``. Models see members
    who are yet to join too, where a list tells of them without saying since when; they are left
    out here, after places among the buyers were given, so that nobody else's tier differs.

    Args:
        people: see ``People``.
        lines: of ``rolled.lines``, by UTC days; ``as_of`` is a midnight UTC.
        learned: of ``worth.learned_buying``; None where no lifetime values were trained.
        keep: stores a table under a name and gives it back.

    Returns:
        One row per member: ``member_id``, ``lifecycle``, ``value_tier``, and ``spend`` of the last
        365 days (net of refunds, money; 0 for who never bought).
    """
    roster = people.since.filter(people.since.since < as_of).select("member_id")
    habits = keep("standing_habits", purchase_habits(lines, as_of).select(*_READ))
    buying = None if learned is None else known_buying(learned, as_of)
    stands = lifecycle(roster, habits, as_of, buying).anti_join(people.not_yet(as_of), "member_id")
    spent = habits.select("member_id", spend=habits.net_365d.cast("float64"))
    joined = stands.left_join(spent, "member_id").drop("member_id_right")
    return joined.mutate(spend=joined.spend.fill_null(0.0))
