"""Where every member stands at a moment, past ones included, without a build of features for it."""

from __future__ import annotations

from datetime import datetime

import ibis.expr.types as ir

from features.lifecycle import lifecycle
from features.purchases import purchase_habits
from features.views import Keep
from features.worth import known_buying

_READ = (
    "member_id", "first_day", "last_second", "orders_life", "orders_365d", "net_365d",
    "buying_days_365d", "gaps", "gap_sum", "bought", "refunded",
)  # fmt: skip


def standings(
    since: ir.Table, lines: ir.Table, learned: ir.Table | None, as_of: datetime, keep: Keep
) -> ir.Table:
    """Lifecycle stage and value tier of each member who exists before ``as_of``.

    The same as the view lifecycle of a build: both call ``features.lifecycle``.

    Args:
        since: of ``membership.first_known``.
        lines: of ``rolled.lines``, by UTC days; ``as_of`` is a midnight UTC.
        learned: of ``worth.learned_buying``; None where no lifetime values were trained.
        keep: stores a table under a name and gives it back.

    Returns:
        One row per member: ``member_id``, ``lifecycle``, ``value_tier``, and ``spend`` of the last
        365 days (net of refunds, money; 0 for who never bought).
    """
    roster = since.filter(since.since < as_of).select("member_id")
    habits = keep("standing_habits", purchase_habits(lines, as_of).select(*_READ))
    buying = None if learned is None else known_buying(learned, as_of)
    stands = lifecycle(roster, habits, as_of, buying)
    spent = habits.select("member_id", spend=habits.net_365d.cast("float64"))
    joined = stands.left_join(spent, "member_id").drop("member_id_right")
    return joined.mutate(spend=joined.spend.fill_null(0.0))
