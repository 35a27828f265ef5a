"""What members want: their searches, views, carts and purchases by category and price band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

from features.moments import only, seen_at
from features.tables import MONEY, Tables

BUYING = "purchase"
WANTING = ("view", "search", "wishlist", "add_to_cart", BUYING)
BANDS = 5
ANY_PRICE = 0  # the band of what names no price, by members whose usual prices are not known
SERVED_DAYS = 14


@dataclass(frozen=True, slots=True)
class Windows:
    """Two windows of equal length, the later one up to ``as_of``. Moments in UTC.

    judged_until: who wanted something before it had ``SERVED_DAYS`` to buy it by ``as_of``.
    """

    as_of: datetime
    days: int

    @property
    def start(self) -> datetime:
        return self.as_of - timedelta(days=2 * self.days)

    @property
    def split(self) -> datetime:
        return self.as_of - timedelta(days=self.days)

    @property
    def judged_until(self) -> datetime:
        return self.as_of - timedelta(days=SERVED_DAYS)


def priced_items(items: ir.Table, rows: ir.Table) -> ir.Table:
    """Items with a category, and what they cost: their price, else the mean one they went for.

    Args:
        items: the newest version of each item. rows: of ``wanted``.

    Returns:
        ``item_id``, ``category``, ``price`` (money; null = neither is known), ``listed_at``,
        ``delisted_at``.
    """
    paid = rows.filter(rows.own_price.notnull(), rows.item_id.notnull())
    paid = paid.group_by("item_id").agg(usual_price=paid.own_price.mean().cast(MONEY))
    joined = items.filter(items.category.notnull()).left_join(paid, "item_id")
    return joined.select(
        "item_id",
        "category",
        "listed_at",
        "delisted_at",
        price=ibis.coalesce(joined.price.nullif(0), joined.usual_price),
    )


def wanted(
    tables: Tables, items: ir.Table, windows: Windows, kinds: Sequence[str] = WANTING
) -> ir.Table:
    """Every event of the two windows, known at ``as_of``, by which a member wants something.

    Args:
        items: the newest version of each item known at ``as_of``. kinds: types of events.

    Returns:
        ``member_id``, ``at``, ``bought`` (a purchase), ``item_id``; ``category``, of the event,
        else of its item; ``own_price``, the event's unit price; ``price``, that one, else the
        item's (money; null = none is named). Events without a category are left out.
    """
    events, as_of = tables.events, ibis.literal(windows.as_of)
    seen = events.filter(
        events["type"].isin(kinds),
        events.occurred_at >= ibis.literal(windows.start),
        seen_at(events) < as_of,
    )
    named = items.select(
        listed_item="item_id", listed_category="category", listed_price=items.price.nullif(0)
    )
    joined = seen.left_join(named, seen.item_id == named.listed_item)
    own = joined.unit_price.nullif(0)
    rows = joined.select(
        "member_id",
        "item_id",
        at=joined.occurred_at,
        bought=joined["type"] == BUYING,
        category=ibis.coalesce(joined.category, joined.listed_category),
        own_price=own,
        price=ibis.coalesce(own, joined.listed_price),
    )
    return rows.filter(rows.category.notnull())


def assortment(rows: ir.Table, edges: ir.Table, windows: Windows) -> ir.Table:
    """How many items members wanted in each category and band, in either window.

    Returns:
        ``category``, ``band``; ``items_before``, ``items_now``; ``items_gone``: of the former,
        those that nobody wants now.
    """
    named = banded(rows.filter(rows.item_id.notnull(), rows.price.notnull()), edges)
    later = named.at >= ibis.literal(windows.split)
    items = named.group_by("category", "band", "item_id").agg(
        before=(~later).cast("int64").max(), now=later.cast("int64").max()
    )
    return items.group_by("category", "band").agg(
        items_before=items.before.sum(),
        items_now=items.now.sum(),
        items_gone=(items.before * (1 - items.now)).sum(),
    )


def looks(rows: ir.Table, windows: Windows) -> ir.Table:
    """Which member looked at which price of a category, and when: one row for each such three.

    Args:
        rows: of ``wanted``.

    Returns:
        ``member_id``, ``category``, ``price``; ``before``, ``now``: 1 where it was in the earlier,
        the later window; ``first``: the first time in the later window that can be judged, null =
        none; ``last``: the last time of all.
    """
    later = rows.at >= ibis.literal(windows.split)
    judged = later & (rows.at < ibis.literal(windows.judged_until))
    return rows.group_by("member_id", "category", "price").agg(
        before=(~later).cast("int64").max(),
        now=later.cast("int64").max(),
        first=only(rows.at, judged).min(),
        last=rows.at.max(),
    )


def band_edges(looked: ir.Table) -> ir.Table:
    """Where the price bands of each category end: at fifths of the prices that members look at.

    A member counts once for each price, however often they look. ``edge_1`` is the least price
    that a fifth of the looks do not exceed, and so on: one band may be empty, a price is never in
    two.

    Args:
        looked: of ``looks``.
    """
    priced = looked.filter(looked.price.notnull())
    counted = priced.group_by("category", "price").agg(looks=priced.count())
    up_to = ibis.cumulative_window(group_by="category", order_by="price")
    counted = counted.mutate(
        up_to=counted.looks.sum().over(up_to),
        every=counted.looks.sum().over(ibis.window(group_by="category")),
    )
    return counted.group_by("category").agg(
        **{
            f"edge_{band}": only(counted.price, counted.up_to * BANDS >= counted.every * band).min()
            for band in range(1, BANDS)
        }
    )


def banded(priced: ir.Table, edges: ir.Table) -> ir.Table:
    """``priced`` with the ``band`` of each ``price`` in its ``category``, from 1 to ``BANDS``.

    Null where no price is given, or nobody looked at a price of the category.
    """
    joined = priced.left_join(
        edges.rename(edge_category="category"), [("category", "edge_category")]
    )
    above = sum((joined.price > joined[f"edge_{band}"]).cast("int64") for band in range(1, BANDS))
    return joined.select(*priced.columns, band=above + 1)


def by_need(looked: ir.Table, edges: ir.Table) -> ir.Table:
    """What each member wants: a row for each category and price band.

    What names no price counts for the member's usual band in the category: the mean of those they
    looked at there, else in all categories, rounded; else for ``ANY_PRICE``.

    Args:
        looked: of ``looks``. edges: of ``band_edges``.

    Returns:
        ``member_id``, ``category``, ``band``; ``before``, ``now``, ``first``, ``last`` of
        ``looks``.
    """
    rows = banded(looked, edges)
    known = rows.filter(rows.band.notnull())
    here = known.group_by("member_id", "category").agg(here=_usual(known))
    anywhere = known.group_by("member_id").agg(anywhere=_usual(known))
    told = known.select(*rows.columns)
    silent = rows.filter(rows.band.isnull()).drop("band")
    silent = silent.left_join(here, ["member_id", "category"]).drop(
        "member_id_right", "category_right"
    )
    silent = silent.left_join(anywhere, "member_id").drop("member_id_right")
    ends = edges.select(edge_category="category", has_bands=edges.edge_1.notnull())
    silent = silent.left_join(ends, [("category", "edge_category")])
    guessed = only(ibis.coalesce(silent.here, silent.anywhere), silent.has_bands.fill_null(False))
    silent = silent.mutate(band=guessed.fill_null(ANY_PRICE)).select(*rows.columns)
    every = told.union(silent)
    return every.group_by("member_id", "category", "band").agg(
        before=every.before.max(),
        now=every.now.max(),
        first=every["first"].min(),
        last=every["last"].max(),
    )


def _usual(known: ir.Table) -> ir.IntegerValue:
    """The mean band, halves upward: exactly, as engines round halves in ways of their own."""
    count, total = known.count(), known.band.sum()
    usual: ir.IntegerValue = ((total * 2 + count) // (count * 2)).cast("int64")
    return usual


def ranges(looked: ir.Table, edges: ir.Table) -> ir.Table:
    """The prices looked at in each category and band: ``low``, ``high``, and their mean,
    ``middle``."""
    rows = banded(looked.filter(looked.price.notnull()), edges)
    return rows.group_by("category", "band").agg(
        low=rows.price.min().cast("float64"),
        high=rows.price.max().cast("float64"),
        middle=rows.price.mean().cast("float64"),
    )
