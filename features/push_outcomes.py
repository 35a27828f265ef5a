"""What came of the decisions of past pushes, inside each push's window of attribution."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import ibis
from ibis import _

from features.money_lines import money_lines
from features.tables import MONEY, Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir


def decided_with_outcomes(
    tables: Tables, as_of: datetime, most: int, margin_rate: float
) -> ir.Table:
    """The decisions whose window had closed by ``as_of``, with what was known of them then.

    A decision's conversion is an outcome ``converted`` inside the push's window; where a push
    reports none at all, a purchase of anything inside the window, refunds taken off.

    Args:
        most: decisions to keep; of more, whole members are drawn, the same every time.
        margin_rate: the workspace's share of revenue, where nothing else tells the margin.

    Returns:
        One row per decision: its own columns, ``push_offers`` and ``channel`` of its push, and
        until: where its window ends.
        converted, redeemed, unsubscribed: whether it happened inside the window.
        revenue, margin: money of the conversions. coupon: money that coupons took off.
        bought_categories, bought_items: what was bought inside the window; null for nothing.
    """
    pushes = tables.pushes.select(
        "push_id",
        "channel",
        push_offers="offer_ids",
        window=(_.attribution_days.fill_null(14.0) * 86_400).cast("int64"),
    )
    decided = tables.decisions.join(pushes, "push_id").select(
        "decision_id", "push_id", "member_id", "offer_id", "probability", "decided_at",
        "push_offers", "channel", "window",
    )  # fmt: skip
    window_end = decided.decided_at + decided.window.as_interval("s")
    closed = decided.mutate(window_end=window_end).filter(_.window_end <= ibis.literal(as_of))
    share = closed.count().execute() / most
    if share > 1:
        closed = closed.filter(closed.member_id.hash().abs() % 10_000 < int(10_000 / share))
    reported = reported_outcomes(tables, closed, as_of, margin_rate)
    bought = bought_in_window(tables, closed, as_of, margin_rate)
    with_outcomes = closed.left_join(reported, "decision_id").left_join(bought, "decision_id")
    reports = with_outcomes.told.fill_null(0).max().over(group_by="push_id") > 0
    return with_outcomes.select(
        "decision_id", "push_id", "member_id", "offer_id", "probability", "decided_at",
        "push_offers", "channel",
        until=_.window_end,
        converted=ibis.ifelse(reports, _.told.fill_null(0) > 0, _.orders.fill_null(0) > 0),
        redeemed=_.used.fill_null(0) > 0,
        unsubscribed=_.left.fill_null(0) > 0,
        revenue=ibis.ifelse(reports, _.told_revenue, _.bought_revenue).fill_null(0.0),
        margin=ibis.ifelse(reports, _.told_margin, _.bought_margin).fill_null(0.0),
        coupon=_.used_money.fill_null(0.0),
        bought_categories=_.bought_categories,
        bought_items=_.bought_items,
    )  # fmt: skip


def reported_outcomes(
    tables: Tables, decided: ir.Table, as_of: datetime, margin_rate: float
) -> ir.Table:
    """Outcomes that campaign engines reported inside each window, added up by decision.

    ``decided`` has ``window_end`` beside the decisions' own columns.

    A conversion reported without its margin has the workspace's default share of its value.
    """
    outcomes = tables.outcomes.filter(_.known_at < ibis.literal(as_of)).select(
        "type", "occurred_at", "value", "margin",
        named="decision_id", of_member="member_id", of_push="push_id",
    )  # fmt: skip
    by_id = outcomes.filter(_.named.notnull())
    by_pair = outcomes.filter(_.named.isnull())
    of = decided.select("decision_id", "member_id", "push_id", "decided_at", "window_end")
    joined = ibis.union(
        by_id.join(of, by_id.named == of.decision_id),
        by_pair.join(of, (by_pair.of_member == of.member_id) & (by_pair.of_push == of.push_id)),
    )
    inside = joined.filter(_.occurred_at >= _.decided_at, _.occurred_at < _.window_end)
    converted, redeemed = inside["type"] == "converted", inside["type"] == "redeemed"
    left = inside["type"] == "unsubscribed"
    share = (inside.value.cast("float64") * margin_rate).cast(MONEY)
    margin = ibis.coalesce(inside.margin, share)
    return inside.group_by("decision_id").agg(
        told=converted.sum(),
        told_revenue=inside.value.sum(where=converted).cast("float64"),
        told_margin=margin.sum(where=converted).cast("float64"),
        used=redeemed.sum(),
        left=left.sum(),
        used_money=inside.value.sum(where=redeemed).cast("float64"),
    )


def bought_in_window(
    tables: Tables, decided: ir.Table, as_of: datetime, margin_rate: float
) -> ir.Table:
    """Purchases of the decided members inside each window, refunds taken off, by decision.

    ``decided`` as in ``reported_outcomes``.
    """
    lines = money_lines(tables, as_of, margin_rate)
    of = decided.select("decision_id", "member_id", "decided_at", "window_end")
    inside = lines.join(of, "member_id").filter(
        _.occurred_at >= _.decided_at, _.occurred_at < _.window_end
    )
    return inside.group_by("decision_id").agg(
        orders=_.order.sum(),
        bought_revenue=_.revenue.sum().cast("float64"),
        bought_margin=_.margin.sum().cast("float64"),
        bought_categories=_.category.collect(where=_.order == 1, distinct=True),
        bought_items=_.item_id.collect(where=_.order == 1, distinct=True),
    )
