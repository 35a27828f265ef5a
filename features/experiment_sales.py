"""What the members of an experiment bought, and which of them left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
from ibis import _

from features.exposures import Counting, known_rows
from features.moments import only
from features.money_lines import money_lines
from features.tables import MONEY, Tables

if TYPE_CHECKING:
    import ibis.expr.types as ir

GONE = ("unsubscribed", "complained")


def bought(tables: Tables, exposed: ir.Table, counting: Counting) -> ir.Table:
    """What the members bought in their windows and in the time before, refunds taken off.

    A refund counts where its order does, whenever it comes; a refund of an order that is not known
    counts at its own moment. An order of which refunds leave no money is none. Nothing that came
    after the first decision counts before it.

    Args:
        exposed: ``member_id``, ``first``, ``until``; ``bought_from``, null where nothing counts;
            ``since``, the start of the time before.

    Returns:
        ``member_id``, ``orders``, ``revenue``, ``margin``; ``before_orders``, ``before_revenue``,
        ``before_margin``. Only of members who bought.
    """
    lines = money_lines(tables, counting.as_of, counting.margin_rate).select(
        "member_id", "occurred_at", "order", "revenue", "margin",
        order_key=ibis.coalesce(_.order_id, _.event_id),
    )  # fmt: skip
    lines = lines.filter(_.occurred_at < ibis.literal(counting.as_of))
    sales, refunds = lines.filter(_.order == 1), lines.filter(_.order == 0)
    orders = sales.semi_join(refunds, ["member_id", "order_key"])
    orders = orders.group_by("member_id", "order_key").agg(sold_at=_.occurred_at.min())
    refunds = refunds.left_join(orders, ["member_id", "order_key"])
    met = ibis.union(
        _met(sales.mutate(sold_at=_.occurred_at), exposed),
        _met(refunds.mutate(sold_at=_.sold_at.fill_null(_.occurred_at)), exposed),
    )
    return _by_member(met)


def _met(lines: ir.Table, exposed: ir.Table) -> ir.Table:
    """The lines that count in the window of their member (``counts``), or before (``early``)."""
    met = lines.join(exposed, "member_id")
    counts = (met.sold_at >= met.bought_from) & (met.sold_at < met.until)
    early = (met.sold_at >= met.since) & (ibis.greatest(met.sold_at, met.occurred_at) < met.first)
    met = met.select(
        "member_id", "order_key", "order", "revenue", "margin",
        counts=counts.fill_null(False), early=early,
    )  # fmt: skip
    return met.filter(met.counts | met.early)


def _by_member(met: ir.Table) -> ir.Table:
    windows = {"": met.counts, "before_": met.early}
    totals: dict[str, ir.Value] = {}
    for before, where in windows.items():
        line = only(met.order, where)
        # The least is 0 where there is a refund, the most 0 where there is nothing else.
        totals |= {f"{before}least": line.min(), f"{before}most": line.max()}
        for name in ("revenue", "margin"):
            totals[f"{before}{name}"] = only(met[name], where).sum().cast(MONEY)
    orders = met.group_by("member_id", "order_key").agg(**totals)
    found: dict[str, ir.Value] = {}
    for before in windows:
        stays = (orders[f"{before}least"] == 1) | (orders[f"{before}revenue"] > 0)
        found[f"{before}orders"] = only(orders[f"{before}most"], stays).sum()
        for name in (f"{before}revenue", f"{before}margin"):
            found[name] = orders[name].sum().cast(MONEY)
    return orders.group_by("member_id").agg(**found)


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
