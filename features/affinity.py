"""Affinity features: which categories a member cares for, how new that is, at what price."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.moments import days_since, only
from features.rolled import day_of
from features.vocabulary import OTHER, Vocabulary

HALF_LIFE_DAYS = 30.0
# Weights decay in whole billionths, so that a sum does not depend on the order of its rows.
_UNIT = 1_000_000_000
_FORGOTTEN_DAYS = 960  # less than half a billionth is left
_LAST = 63  # among equals, after every category of the vocabulary


def category_interest(rolled: ir.Table, items: ir.Table, as_of: datetime) -> ir.Table:
    """What each member did in each category, as known at ``as_of``.

    Args:
        rolled: of ``rolled.interest``, with the days of ``as_of``.
        items: the newest version of each item known at ``as_of``, with ``item_id``, ``category``:
            the category of an event that names none of its own.

    Returns:
        One row per member and category with a view, search, wishlist, cart or purchase event.
        interest: Σ weight × 2^(−d / 30), the power to nine decimals; d = 0 for an event of the last
            24 hours, 1 for one of the 24 hours before, and so on; the weights of
            ``rolled.WEIGHTS``.
        seen, bought: the last event other than a purchase, the last purchase, in ``seconds``.
        first_day, last_day: of all these events.
        priced, paid: purchase lines with a unit price in the last 365 days, and Σ unit price.
    """
    today = day_of(as_of)
    cared = _categorised(rolled.filter(rolled.known_day < today), items)
    cared = cared.mutate(age=ibis.literal(today - 1, type="int32") - cared.day)
    cared = cared.left_join(decays(), "age")
    priced = cared.day >= today - 365
    return cared.group_by("member_id", "category").agg(
        interest=(cared.billionths.fill_null(0) * cared.weight).sum().cast("float64") / _UNIT,
        seen=cared.seen.max(),
        bought=cared.bought.max(),
        first_day=cared.day.min(),
        last_day=cared.day.max(),
        priced=only(cared.priced, priced).sum().fill_null(0),
        paid=only(cared.paid, priced).sum().cast("float64").fill_null(0.0),
    )


def decays() -> ir.Table:
    """What is left of a weight of 1 after so many days; of an older one, nothing."""
    left = [round(_UNIT * 0.5 ** (age / HALF_LIFE_DAYS)) for age in range(_FORGOTTEN_DAYS)]
    schema = ibis.schema({"age": "int32", "billionths": "int64"})
    return ibis.memtable(list(enumerate(left)), schema=schema)


def _categorised(cared: ir.Table, items: ir.Table) -> ir.Table:
    """The rows with a category: their own, else their item's."""
    own = cared.filter(cared.category.notnull()).drop("item_id")
    of_item = items.filter(items.category.notnull())
    of_item = of_item.select(listed_item="item_id", listed_category="category")
    found = cared.filter(cared.category.isnull()).drop("category")
    found = found.inner_join(of_item, found.item_id == of_item.listed_item)
    found = found.mutate(category=found.listed_category)
    return own.union(found.select(*own.columns))


def affinity(
    roster: ir.Table,
    interest: ir.Table,
    vocabulary: Vocabulary,
    as_of: datetime,
    has_clickstream: bool,
) -> ir.Table:
    """Taste of each member of ``roster`` over the categories of ``vocabulary``.

    Args:
        interest: of ``category_interest`` at the same ``as_of``.
        has_clickstream: without it there is no ``seen_days__*``.

    Returns:
        One row per member.
        interest__<c>: decayed interest in the category, see ``category_interest``; 0 = none.
        seen_days__<c>: days since the last view, search, wishlist or cart event in it.
        bought_days__<c>: days since the last purchase in it. Both missing = never.
        top_category: the category of most interest, the first by name among equals; ``other``, the
            last among equals, for all outside the vocabulary; missing without any event.
        novelty_90d: of the categories touched in the last 90 days, the share never touched before;
            missing = none touched.
        price_level: Σ unit price of the purchase lines of the last 365 days / Σ over the same
            lines of the mean unit price in their category; 1 = buys at average prices, above 1 =
            dearer; missing without a priced purchase.
    """
    known = _beside_categories(interest, vocabulary, as_of)
    joined = roster.left_join(
        _by_member(known, vocabulary, as_of, has_clickstream), "member_id"
    ).drop("member_id_right")
    names = dict(enumerate(sorted(vocabulary.categories)))
    top = (_LAST - joined.top % (_LAST + 1)).cases(*names.items(), else_=OTHER)
    filled = {
        f"interest__{name}": joined[f"interest__{name}"].fill_null(0.0)
        for name in vocabulary.features
    }
    return joined.mutate(**filled, top_category=joined.top.notnull().ifelse(top, None)).drop("top")


def _beside_categories(interest: ir.Table, vocabulary: Vocabulary, as_of: datetime) -> ir.Table:
    """``interest`` with the number of each category in the vocabulary and its mean price.

    There are few categories: what depends on one is told once and joined.
    """
    place = {category: number for number, category in enumerate(vocabulary.categories)}
    rank = {category: number for number, category in enumerate(sorted(vocabulary.categories))}
    categories = interest.group_by(of_category=interest.category).agg(
        mean_price=_exact(interest.paid) / interest.priced.sum().nullif(0).cast("float64")
    )
    categories = categories.mutate(
        place=categories.of_category.cases(*place.items(), else_=-1),
        rank=categories.of_category.cases(*rank.items(), else_=_LAST),
    )
    joined = interest.join(categories, interest.category == categories.of_category)
    units = (joined.interest * _UNIT).round().cast("int64")
    return joined.mutate(
        order=units * (_LAST + 1) + (_LAST - joined["rank"]),
        seen_days=days_since(joined.seen, as_of),
        bought_days=days_since(joined.bought, as_of),
        usual=joined.mean_price.fill_null(0.0) * joined.priced.cast("float64"),
    )


def _by_member(
    known: ir.Table, vocabulary: Vocabulary, as_of: datetime, has_clickstream: bool
) -> ir.Table:
    seen = ("seen_days",) if has_clickstream else ()
    touched, new = (day >= day_of(as_of) - 90 for day in (known.last_day, known.first_day))
    return known.group_by("member_id").agg(
        **{
            f"{measure}__{name}": only(known[measure], known.place == number).max()
            for measure in ("interest", *seen, "bought_days")
            for number, name in enumerate(vocabulary.features)
        },
        top=known.order.max(),
        novelty_90d=new.sum().cast("float64") / touched.sum().nullif(0).cast("float64"),
        price_level=_exact(known.paid) / _exact(known.usual).nullif(0.0),
    )


def _exact(column: ir.Column) -> ir.Value:
    """Sum, whatever the order of the rows; in sixteen decimals, as mean prices have many."""
    return column.cast("decimal(38, 16)").sum().cast("float64")
