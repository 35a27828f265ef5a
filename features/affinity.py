"""Affinity features: which categories a member cares for, how new that is, at what price."""

from __future__ import annotations

import math
from datetime import datetime

import ibis
import ibis.expr.types as ir

from features.moments import days_since, only
from features.rolled import day_of
from features.vocabulary import OTHER, Vocabulary

HALF_LIFE_DAYS = 30.0
# Weights decay in whole billionths, so that a sum does not depend on the order of its rows.
_UNIT = 1_000_000_000


def category_interest(rolled: ir.Table, items: ir.Table, as_of: datetime) -> ir.Table:
    """What each member did in each category, as known at ``as_of``.

    Args:
        rolled: of ``rolled.interest``, with the days of ``as_of``.
        items: the newest version of each item known at ``as_of``, with ``item_id``, ``category``:
            the category of an event that names none of its own.

    Returns:
        One row per member and category with a view, search, wishlist, cart or purchase event.
        interest: Σ weight × 2^(−d / 30), d = 0 for an event of the last 24 hours, 1 for one of the
            24 hours before, and so on; the weights of ``rolled.WEIGHTS``.
        seen, bought: the last event other than a purchase, the last purchase, in ``seconds``.
        first_day, last_day: of all these events.
        priced, paid: purchase lines with a unit price in the last 365 days, and Σ unit price.
    """
    today = day_of(as_of)
    cared = _categorised(rolled.filter(rolled.known_day < today), items)
    age = ibis.literal(today - 1, type="int32") - cared.day
    decay = (age.cast("float64") * (-math.log(2) / HALF_LIFE_DAYS)).exp()
    decayed = (decay * _UNIT).round().cast("int64") * cared.weight
    priced = cared.day >= today - 365
    return cared.group_by("member_id", "category").agg(
        interest=decayed.sum().cast("float64") / _UNIT,
        seen=cared.seen.max(),
        bought=cared.bought.max(),
        first_day=cared.day.min(),
        last_day=cared.day.max(),
        priced=only(cared.priced, priced).sum().fill_null(0),
        paid=only(cared.paid, priced).sum().cast("float64").fill_null(0.0),
    )


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
        top_category: the category of most interest, the first by name among equals; ``other`` for
            one outside the vocabulary; missing without any event.
        novelty_90d: of the categories touched in the last 90 days, the share never touched before;
            missing = none touched.
        price_level: Σ unit price of the purchase lines of the last 365 days / Σ over the same
            lines of the mean unit price in their category; 1 = buys at average prices, above 1 =
            dearer; missing without a priced purchase.
    """
    parts = [_wide(interest, vocabulary, as_of, has_clickstream), _top(interest, vocabulary)]
    parts.append(_breadth(interest, as_of))
    joined = roster
    for part in parts:
        joined = joined.left_join(part, "member_id").drop("member_id_right")
    filled = {
        f"interest__{name}": joined[f"interest__{name}"].fill_null(0.0)
        for name in vocabulary.features
    }
    return joined.mutate(**filled)


def _wide(
    interest: ir.Table, vocabulary: Vocabulary, as_of: datetime, has_clickstream: bool
) -> ir.Table:
    listed = interest.filter(interest.category.isin(vocabulary.categories))
    # Small numbers compare faster than names, and there are three columns a category.
    place = {category: number for number, category in enumerate(vocabulary.categories)}
    listed = listed.mutate(
        place=listed.category.cases(*place.items(), else_=-1),
        seen_days=days_since(listed.seen, as_of),
        bought_days=days_since(listed.bought, as_of),
    )
    seen = ("seen_days",) if has_clickstream else ()
    return listed.group_by("member_id").agg(
        **{
            f"{measure}__{name}": only(listed[measure], listed.place == number).max()
            for measure in ("interest", *seen, "bought_days")
            for number, name in enumerate(vocabulary.features)
        }
    )


def _top(interest: ir.Table, vocabulary: Vocabulary) -> ir.Table:
    most_first = [ibis.desc(interest.interest), ibis.asc(interest.category)]
    place = ibis.row_number().over(ibis.window(group_by=interest.member_id, order_by=most_first))
    ranked = interest.mutate(place=place)
    best = ranked.filter(ranked.place == 0)
    named = best.category.isin(vocabulary.categories).ifelse(best.category, OTHER)
    return best.select("member_id", top_category=named)


def _breadth(interest: ir.Table, as_of: datetime) -> ir.Table:
    category_mean = interest.group_by(of_category=interest.category).agg(
        mean_price=_exact(interest.paid) / interest.priced.sum().nullif(0).cast("float64")
    )
    joined = interest.join(category_mean, interest.category == category_mean.of_category)
    usual = joined.mean_price.fill_null(0.0) * joined.priced.cast("float64")
    joined = joined.mutate(
        touched=joined.last_day >= day_of(as_of) - 90,
        new=joined.first_day >= day_of(as_of) - 90,
        usual=usual,
    )
    return joined.group_by("member_id").agg(
        novelty_90d=joined.new.sum().cast("float64")
        / joined.touched.sum().nullif(0).cast("float64"),
        price_level=_exact(joined.paid) / _exact(joined.usual).nullif(0.0),
    )


def _exact(column: ir.Column) -> ir.Value:
    """Sum in money's four decimals, whatever the order of the rows."""
    return column.cast("decimal(38, 4)").sum().cast("float64")
