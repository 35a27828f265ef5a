"""Where a member stands, by their own rhythm of buying, and how much they are worth."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.moments import days_since
from features.rolled import day_of
from features.worth import expected_spend

STAGES = ("never_bought", "new", "lapsed", "slipping", "loyal", "active")
TIERS = ("gold", "silver", "bronze", "none")
NEW_DAYS = 30
SHORTEST_GAP = 7.0
USUAL_GAP = 90.0
SLIPPING_AFTER = 1.5
LAPSED_AFTER = 3.0
# Logarithms give ten days as 9.99…: what is this near to a threshold has not passed it.
_NEAR = 1e-9
_DIGITS = 9  # of a logarithm; its last bits depend on the machine, these do not
LOYAL_BUYING_DAYS = 4
GOLD_SHARE = 0.1
SILVER_SHARE = 0.4


def lifecycle(
    roster: ir.Table, habits: ir.Table, as_of: datetime, buying: ir.Table | None = None
) -> ir.Table:
    """Lifecycle and value tier of each member of ``roster``, as known at ``as_of``.

    The *expected gap* of a member with *n* gaps between buying days is
    ``exp((n ln(own mean gap) + ln m) / (n + 1))`` days, at least 7: their own rhythm, shrunk by one
    gap to *m*, the median of the mean gaps of all members who have one (90 where nobody has).
    *Lateness* is days since the last purchase / expected gap.

    Args:
        habits: of ``purchase_habits`` at the same ``as_of``.
        buying: of ``worth.known_buying`` at the same ``as_of``; None where no training of lifetime
            values has left any.

    Returns:
        One row per member.
        lifecycle: the first that holds of
            never_bought: no order known;
            new: first order in the last 30 days;
            lapsed: lateness above 3;
            slipping: lateness above 1.5;
            loyal: at least 4 buying days with an order in the last 365 days;
            active: everyone else.
        value_tier: among members with an order in the last 365 days: gold the top 10 %, silver the
            next 30 %, bronze the rest; none = no order in 365 days. By what they are expected to
            spend, see ``features/worth.py``, from the moment on whose knowledge lifetime values
            were first trained; before, and among equals, by spend (net of refunds) of the last 365
            days. Equal spend is ordered by latest purchase, then by member id.
    """
    own_gap = habits.gap_sum.cast("float64") / habits.gaps.nullif(0).cast("float64")
    usual = habits.agg(usual_gap=own_gap.median())
    habits = habits.mutate(own_gap=own_gap)
    if buying is None:
        habits = habits.mutate(worth=ibis.null("float64"))
    else:
        expected = expected_spend(habits, buying, as_of)
        worth = expected.expected_spend.nullif(0.0).ln().round(_DIGITS)
        expected = expected.select("member_id", worth=worth)
        habits = habits.left_join(expected, "member_id").drop("member_id_right")
    joined = roster.left_join(habits, "member_id").drop("member_id_right").cross_join(usual)
    gaps = joined.gaps.fill_null(0).cast("float64")
    own = joined.own_gap.fill_null(1.0).ln() * gaps
    expected = ((own + joined.usual_gap.fill_null(USUAL_GAP).ln()) / (gaps + 1.0)).exp()
    lateness = days_since(joined.last_second, as_of) / ibis.greatest(expected, SHORTEST_GAP)
    stage = ibis.cases(
        (joined.orders_life.fill_null(0) == 0, "never_bought"),
        (joined.first_day >= day_of(as_of) - NEW_DAYS, "new"),
        (lateness > LAPSED_AFTER + _NEAR, "lapsed"),
        (lateness > SLIPPING_AFTER + _NEAR, "slipping"),
        (joined.buying_days_365d >= LOYAL_BUYING_DAYS, "loyal"),
        else_="active",
    )
    return _with_tier(joined.mutate(lifecycle=stage)).select("member_id", "lifecycle", "value_tier")


def _with_tier(joined: ir.Table) -> ir.Table:
    buyer = joined.orders_365d.fill_null(0) > 0
    joined = joined.mutate(buyer=buyer)
    best_first = [
        ibis.desc(joined.worth, nulls_first=False),
        ibis.desc(joined.net_365d),
        ibis.desc(joined.last_second),
        ibis.asc(joined.member_id),
    ]
    place = ibis.row_number().over(ibis.window(group_by=joined.buyer, order_by=best_first))
    buyers = joined.member_id.count().over(ibis.window(group_by=joined.buyer))
    joined = joined.mutate(share=place.cast("float64") / buyers.cast("float64"))
    return joined.mutate(
        value_tier=ibis.cases(
            (~joined.buyer, "none"),
            (joined.share < GOLD_SHARE, "gold"),
            (joined.share < SILVER_SHARE, "silver"),
            else_="bronze",
        )
    )
