"""What the catalogue holds for a need, day by day, and what a purchase of it earns."""

from __future__ import annotations

from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

from features.demand_wants import ANY_PRICE, BANDS, SERVED_DAYS, Windows, banded
from features.moments import micros, newest, only
from features.money_lines import money_lines
from features.tables import Tables

_DAY = 86_400_000_000
MARGIN_DAYS = 365


def sold_out(tables: Tables, as_of: datetime) -> ir.Table:
    """Items of which none is left: offers valid at ``as_of`` name them, and none has stock left.

    An item that no offer names is in stock as far as anything tells. One column, ``item_id``.
    """
    offers, moment = newest(tables.offers, "offer_id", as_of), ibis.literal(as_of)
    valid = offers.filter(
        offers.valid_from.isnull() | (offers.valid_from <= moment),
        offers.valid_to.isnull() | (offers.valid_to > moment),
    )
    named = valid.select(
        item_id=valid.item_ids.unnest(), left=(valid.stock.fill_null(1) > 0).cast("int64")
    )
    counted = named.group_by("item_id").agg(left=named.left.max())
    return counted.filter(counted.left == 0).select("item_id")


def supply(items: ir.Table, gone: ir.Table, edges: ir.Table, windows: Windows) -> ir.Table:
    """What is for sale in each category and band on each day of the later window.

    An item is for sale on a day from ``listed_at`` to ``delisted_at``, any part of the day; without
    one of them it always was, always will be. One whose price nobody knows is in every band.

    Args:
        items: of ``demand_wants.priced_items``. gone: of ``sold_out``.

    Returns:
        ``category``, ``band`` (``ANY_PRICE`` holds them all), ``day`` (0 begins at the split);
        ``listed``: items for sale; ``in_stock``: those not sold out; ``cheapest``, ``dearest``:
        their prices, currency.
    """
    sold = gone.mutate(none_left=ibis.literal(True)).rename(gone_item="item_id")
    stocked = banded(items, edges).left_join(sold, [("item_id", "gone_item")])
    stocked = stocked.mutate(stock=stocked.none_left.isnull().cast("int64"))
    bands = _numbers("for_band", range(BANDS + 1))
    placed = stocked.cross_join(bands)
    placed = placed.filter(
        (placed.for_band == ANY_PRICE) | placed.band.isnull() | (placed.for_band == placed.band)
    )
    days = _numbers("day", range(windows.days))
    each = placed.cross_join(days)
    begins = ibis.literal(int(windows.split.timestamp()) * 1_000_000) + each.day * _DAY
    each = each.filter(
        each.listed_at.isnull() | (micros(each.listed_at) < begins + _DAY),
        each.delisted_at.isnull() | (micros(each.delisted_at) > begins),
    )
    return each.group_by("category", "day", band=each.for_band).agg(
        listed=each.count(),
        in_stock=each.stock.sum(),
        cheapest=each.price.min().cast("float64"),
        dearest=each.price.max().cast("float64"),
    )


def judged(needs: ir.Table, rows: ir.Table, on_sale: ir.Table, windows: Windows) -> ir.Table:
    """``needs`` with how each one that can be judged ended, each 0 or 1.

    Args:
        needs: of ``demand_wants.by_need``. rows: of ``demand_wants.wanted``.
        on_sale: of ``supply``.

    Returns:
        The columns of ``needs`` and ``judged``; ``bought``: something of the category within 14
        days; of the others ``no_item``: nothing of the band was for sale that day; ``no_stock``:
        there was, but none is left; ``not_bought``: there was, and it was not bought.
    """
    bought = rows.filter(rows.bought, rows.at >= ibis.literal(windows.split))
    bought = bought.select(buyer="member_id", bought_category="category", bought_at="at")
    asked = needs.filter(needs["first"].notnull())
    met = asked.inner_join(bought, [("member_id", "buyer"), ("category", "bought_category")])
    waited = micros(met.bought_at) - micros(met["first"])
    met = met.filter(waited >= 0, waited <= SERVED_DAYS * _DAY)
    met = met.select("member_id", "category", "band").distinct().mutate(met=ibis.literal(1))
    joined = needs.left_join(met, ["member_id", "category", "band"]).select(*needs.columns, "met")
    begins = int(windows.split.timestamp()) * 1_000_000
    joined = joined.mutate(on_day=((micros(joined["first"]) - begins) // _DAY).cast("int64"))
    offered = on_sale.select(
        "listed", "in_stock", "day", sold_category="category", sold_band="band"
    )
    joined = joined.left_join(
        offered, [("category", "sold_category"), ("band", "sold_band"), ("on_day", "day")]
    )
    was = joined["first"].notnull()
    open_ = was & joined.met.isnull()
    none, empty = joined.listed.fill_null(0) == 0, joined.in_stock.fill_null(0) == 0
    return joined.select(
        *needs.columns,
        judged=was.cast("int64"),
        bought=(was & joined.met.notnull()).cast("int64"),
        no_item=(open_ & none).cast("int64"),
        no_stock=(open_ & ~none & empty).cast("int64"),
        not_bought=(open_ & ~empty).cast("int64"),
    )


def earnings(
    tables: Tables, items: ir.Table, edges: ir.Table, as_of: datetime, margin_rate: float
) -> ir.Table:
    """What purchases of the last 365 days earned, by category and band.

    Returns:
        ``category``, ``band`` (null: their price is not known); ``orders``, ``margin`` and
        ``revenue`` (currency), before refunds.
    """
    lines = money_lines(tables, as_of, margin_rate)
    since = ibis.literal(as_of - timedelta(days=MARGIN_DAYS))
    bought = lines.filter(
        lines.order == 1,
        lines.occurred_at >= since,
        lines.occurred_at < ibis.literal(as_of),
        lines.category.notnull(),
    )
    priced = items.select(priced_item="item_id", item_price="price")
    bought = bought.left_join(priced, [("item_id", "priced_item")])
    bought = bought.select(
        "category",
        "revenue",
        "margin",
        order_key=ibis.coalesce(bought.order_id, bought.event_id),
        price=ibis.coalesce(bought.unit_price.nullif(0), bought.item_price),
    )
    placed = banded(bought, edges)
    return placed.group_by("category", "band").agg(
        orders=placed.order_key.nunique(),
        margin=placed.margin.sum().cast("float64"),
        revenue=placed.revenue.sum().cast("float64"),
    )


def tells_supply(items: ir.Table, gone: ir.Table) -> ir.Table:
    """One row: ``items``, and ``ends``, those that were delisted or sold out."""
    ended = only(items.item_id, items.delisted_at.notnull() | items.item_id.isin(gone.item_id))
    return items.agg(items=items.count(), ends=ended.count())


def _numbers(name: str, numbers: range) -> ir.Table:
    schema = ibis.schema({name: "int64"})
    return ibis.memtable([(number,) for number in numbers], schema=schema)
