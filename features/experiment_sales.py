"""What the members of an experiment bought, and which of them left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
from ibis import _

from features.exposures import Counting, known_rows, length
from features.moments import only
from features.money_lines import money_lines
from features.tables import MONEY, Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir

GONE = ("unsubscribed", "complained")


def bought(tables: Tables, exposed: ir.Table, counting: Counting) -> ir.Table:
    """What the members bought in their windows and in the time before, refunds taken off.

    A refund counts where its order does, whenever it comes; a refund of an order that is not known
    counts at its own moment. Nothing that came after the first decision counts before it.

    Args:
        exposed: ``member_id``, ``first``, ``until``; ``bought_from``, null where nothing counts.

    Returns:
        ``member_id``, ``orders``, ``revenue``, ``margin``; ``before_orders``, ``before_revenue``,
        ``before_margin``. Only of members who bought.
    """
    lines = money_lines(tables, counting.as_of, counting.margin_rate).select(
        "member_id", "occurred_at", "order", "revenue", "margin",
        order_key=ibis.coalesce(_.order_id, _.event_id),
    )  # fmt: skip
    lines = lines.filter(_.occurred_at < ibis.literal(counting.as_of))
    back = lines.filter(_.order == 0).select("member_id", "order_key").distinct()
    sales = lines.filter(_.order == 1).semi_join(back, ["member_id", "order_key"])
    sales = sales.group_by("member_id", "order_key").agg(sold_at=_.occurred_at.min())
    lines = lines.left_join(sales, ["member_id", "order_key"])
    lines = lines.select(
        "member_id", "occurred_at", "order", "revenue", "margin", "order_key",
        sold_at=ibis.ifelse(_.order == 1, _.occurred_at, ibis.coalesce(_.sold_at, _.occurred_at)),
    )  # fmt: skip
    met = lines.join(exposed, "member_id")
    counts = (met.sold_at >= met.bought_from) & (met.sold_at < met.until)
    early = (met.sold_at >= met.first - length(counting.before_days)) & (
        ibis.greatest(met.sold_at, met.occurred_at) < met.first
    )
    met = met.mutate(counts=counts.fill_null(False), early=early)
    met = met.filter(met.counts | met.early)
    orders = met.group_by("member_id", "order_key").agg(
        orders=only(_.order, _.counts).max(),
        before_orders=only(_.order, _.early).max(),
        **{name: only(met[name], met.counts).sum().cast(MONEY) for name in ("revenue", "margin")},
        **{
            f"before_{name}": only(met[name], met.early).sum().cast(MONEY)
            for name in ("revenue", "margin")
        },
    )
    return orders.group_by("member_id").agg(
        orders=_.orders.sum(),
        before_orders=_.before_orders.sum(),
        **{
            name: orders[name].sum().cast(MONEY)
            for name in ("revenue", "margin", "before_revenue", "before_margin")
        },
    )


def gone(tables: Tables, exposed: ir.Table, counting: Counting) -> ir.Table:
    """Who unsubscribed or complained in their window, whatever push they say it of.

    Returns:
        ``member_id``, ``unsubscribed``, ``complained``: 0 or 1. Only of members who did either.
    """
    heard = known_rows(tables.outcomes, counting, "occurred_at").filter(_["type"].isin(GONE))
    heard = heard.select("type", "occurred_at", "decision_id", told_of="member_id")
    named = heard.filter(_.told_of.isnull())
    made = tables.decisions.select("decision_id", told_of="member_id")
    made = made.semi_join(named, "decision_id")
    found = ibis.union(
        heard.filter(_.told_of.notnull()).select("type", "occurred_at", "told_of"),
        named.drop("told_of").join(made, "decision_id").select("type", "occurred_at", "told_of"),
    )
    inside = found.join(exposed, found.told_of == exposed.member_id)
    inside = inside.filter(_.occurred_at >= _.first, _.occurred_at < _.until)
    return inside.group_by("member_id").agg(
        **{name: (inside["type"] == name).cast("int64").max() for name in GONE}
    )
