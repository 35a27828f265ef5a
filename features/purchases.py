"""Purchase features: how lately, how often and for how much a member buys."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.moments import days_since, only, utc_day
from features.rolled import day_of

WINDOWS = (7, 30, 90, 365)
_TOTAL = "decimal(38, 4)"


def purchase_habits(lines: ir.Table, as_of: datetime) -> ir.Table:
    """Everything about a member's buying that several views need, as known at ``as_of``.

    An *order* is the purchase lines of one member with one ``order_key``; its moment is its first
    line. A refund takes off spend at its own moment and is no order. A *buying day* is a UTC
    calendar day with an order; a *gap* is the number of days from one buying day to the next.
    ``buying_days_365d`` are those with an order in the last 365 days.

    Args:
        lines: of ``rolled.lines``, with the days of ``as_of``.

    Returns:
        One row per member with any line. ``orders_*`` and ``net_*`` per window; ``bought``,
        ``gross``, ``discounted`` (gross of the lines with a discount), ``discount`` (of those
        lines), ``refunded``, ``biggest`` over life (money); ``first_day`` (of the first order) and
        ``last_second`` (last purchase line, ``seconds``); ``buying_days_365d``, ``gaps``,
        ``gap_sum`` (days) and ``gap_squares`` (days²). Sums are exact.
    """
    today = day_of(as_of)
    seen = lines.filter(lines.known_day < today)
    signed = seen.is_purchase.ifelse(seen.amount, -seen.amount)
    reduced = seen.is_purchase & (seen.discount > 0)
    orders = seen.group_by("member_id", "order_key").agg(
        first_day=only(seen.day, seen.is_purchase).min(),
        first_second=only(seen.second, seen.is_purchase).min(),
        last_second=only(seen.second, seen.is_purchase).max(),
        bought=_sum(seen.amount, seen.is_purchase),
        gross=_sum(seen.gross, seen.is_purchase),
        discounted=_sum(seen.gross, reduced),
        discount=_sum(seen.discount, reduced),
        refunded=_sum(seen.amount, ~seen.is_purchase),
        **{f"net_{days}d": _sum(signed, seen.day >= today - days) for days in WINDOWS},
    )
    orders = orders.mutate(date=utc_day(orders.first_second))
    daily = orders.group_by("member_id", "date").agg(
        first_day=orders.first_day.min(),
        newest_day=orders.first_day.max(),
        last_second=orders.last_second.max(),
        orders_life=orders.first_day.count(),
        biggest=only(orders.bought, orders.first_day.notnull()).max(),
        **{
            f"orders_{days}d": (orders.first_day >= today - days).sum().fill_null(0)
            for days in WINDOWS
        },
        **{name: _sum(orders[name]) for name in (*_NET, *_LIFE)},
    )
    date_before = daily.date.lag().over(group_by=daily.member_id, order_by=daily.date)
    daily = daily.mutate(gap=daily.date - date_before)
    return daily.group_by("member_id").agg(
        first_day=daily.first_day.min(),
        last_second=daily.last_second.max(),
        orders_life=daily.orders_life.sum(),
        biggest=daily.biggest.max(),
        buying_days_365d=(daily.newest_day >= today - 365).sum().fill_null(0),
        gaps=daily.gap.count(),
        gap_sum=daily.gap.sum(),
        gap_squares=(daily.gap * daily.gap).sum(),
        **{f"orders_{days}d": daily[f"orders_{days}d"].sum() for days in WINDOWS},
        **{name: _sum(daily[name]) for name in (*_NET, *_LIFE)},
    )


_NET = tuple(f"net_{days}d" for days in WINDOWS)
_LIFE = ("bought", "gross", "discounted", "discount", "refunded")


def purchases(roster: ir.Table, habits: ir.Table, as_of: datetime) -> ir.Table:
    """Recency, frequency and spend of each member of ``roster``, as known at ``as_of``.

    Returns:
        One row per member.
        recency_days: days since the last purchase; missing = never bought.
        orders_7d … orders_365d, orders_life: orders whose first line lies in the window; 0 = none.
        spend_7d … spend_365d, spend_life: Σ amount of purchase lines − Σ amount of refunds in the
            window, currency; may fall below 0 where an older purchase is refunded.
        average_order: Σ amount of purchase lines / orders, life, currency; refunds left out.
        gap_mean_days, gap_sd_days: mean and sample standard deviation of the gaps between buying
            days, life; missing under one (two) gaps.
        overdue_ratio: recency_days / gap_mean_days; above 1 = later than this member's habit.
        refund_share: refunded / bought, life; missing without purchases.
        biggest_order_share: largest order / bought, life; near 1 = a one-off bulk buyer.
        r_quintile, f_quintile, m_quintile: 1 to 5, 5 = best, among members with an order in life,
            by last purchase, ``orders_365d`` and ``spend_365d``; equal values share the quintile
            of their middle place; missing = never bought.
    """
    joined = roster.left_join(habits, "member_id").drop("member_id_right")
    buyer = joined.orders_life.fill_null(0) > 0
    joined = joined.mutate(
        buyer=buyer,
        recency_days=days_since(joined.last_second, as_of),
        gap_mean_days=joined.gap_sum.cast("float64") / joined.gaps.nullif(0).cast("float64"),
        net_life=joined.bought - joined.refunded,
    )
    bought = buyer.ifelse(joined.bought.cast("float64"), None).nullif(0.0)
    return joined.select(
        "member_id",
        "recency_days",
        **{f"orders_{days}d": _count(joined[f"orders_{days}d"]) for days in WINDOWS},
        orders_life=_count(joined.orders_life),
        **{f"spend_{days}d": _money(joined[f"net_{days}d"]) for days in WINDOWS},
        spend_life=_money(joined.net_life),
        average_order=joined.bought.cast("float64")
        / joined.orders_life.cast("float64").nullif(0.0),
        gap_mean_days=joined.gap_mean_days,
        gap_sd_days=_standard_deviation(joined.gaps, joined.gap_sum, joined.gap_squares),
        overdue_ratio=joined.recency_days / joined.gap_mean_days,
        refund_share=joined.refunded.cast("float64") / bought,
        biggest_order_share=joined.biggest.cast("float64") / bought,
        r_quintile=_quintile(joined.last_second, joined.buyer),
        f_quintile=_quintile(joined.orders_365d, joined.buyer),
        m_quintile=_quintile(joined.net_365d, joined.buyer),
    )


def _sum(column: ir.Column, where: ir.BooleanValue | None = None) -> ir.Value:
    counted = column if where is None else only(column, where)
    return counted.sum().cast(_TOTAL).fill_null(0)


def _count(column: ir.Column) -> ir.Value:
    return column.fill_null(0).cast("float64")


def _money(column: ir.Column) -> ir.Value:
    return column.cast("float64").fill_null(0.0)


def _standard_deviation(n: ir.Column, total: ir.Column, squares: ir.Column) -> ir.Value:
    """Sample standard deviation from exact sums; null under two values."""
    count = n.cast("float64")
    spread = squares.cast("float64") - total.cast("float64") * total.cast("float64") / count
    several = (n > 1).ifelse(count - 1.0, None)
    return (ibis.greatest(spread, 0.0) / several).sqrt()


def _quintile(value: ir.Column, among: ir.BooleanColumn) -> ir.Value:
    """1 to 5 by the middle place of equal values among the rows where ``among`` holds."""
    ordered = ibis.window(group_by=among, order_by=value)
    total = among.count().over(ibis.window(group_by=among)).cast("int64")
    below = ibis.rank().over(ordered).cast("int64")
    upto = (ibis.cume_dist().over(ordered) * total.cast("float64")).round().cast("int64")
    # Of whole numbers: shares such as .4 are no floating-point numbers, and fell a quintile short.
    quintile = ibis.least((5 * (below + upto)) // (2 * total), 4) + 1
    return among.ifelse(quintile.cast("float64"), None)
