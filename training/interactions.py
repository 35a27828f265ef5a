"""Who looked at, took to the cart and bought which item, as weights that fade with time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from features.moments import days_since, known, seconds, seen_at
from features.tables import Tables
from models.histories import Histories
from models.plain import PersonalFrequency, Popularity
from training.errors import TrainingError

if TYPE_CHECKING:
    import pyarrow as pa

# A purchase says most. Looking says less, and says it about the moment more than about taste.
WEIGHTS: Mapping[str, float] = {"view": 0.2, "wishlist": 0.5, "add_to_cart": 0.5, "purchase": 1.0}
# On Online Retail (before 2011-10, horizon 30 days) 30 to 60 days ranked best, 365 worst.
HALF_LIFE_DAYS = 45.0
POPULAR_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Interactions:
    """One entry per member and item that ever met, in order of member and item.

    member_ids, item_ids: UTF-8, sorted, unique.
    members, items: (n,) row numbers into them.
    weights: (n,) above 0: per type its weight × log(1 + faded count), summed over types.
    popularity: (items,) members who bought the item in the last 30 days.
    """

    member_ids: NDArray[np.bytes_]
    item_ids: NDArray[np.bytes_]
    members: NDArray[np.int64]
    items: NDArray[np.int64]
    weights: NDArray[np.float64]
    popularity: NDArray[np.float32]


def interactions(
    tables: Tables, as_of: datetime, half_life_days: float = HALF_LIFE_DAYS
) -> Interactions:
    """What was known at ``as_of``. A count fades by half in ``half_life_days``; an order's lines of
    one item count once.

    Raises:
        TrainingError: no event that names an item.
    """
    counts = _faded_counts(tables, as_of, half_life_days).to_pyarrow()
    if not counts.num_rows:
        raise TrainingError(
            f"no view, cart or purchase with an item_id before {as_of:%Y-%m-%d}; "
            "a recommender learns from items"
        )
    member_ids, members = numbered(counts["member_id"])
    item_ids, items = numbered(counts["item_id"])
    type_weights = np.array([WEIGHTS[name] for name in counts["type"].to_pylist()])
    weights = type_weights * np.log1p(counts["faded"].cast("float64").to_numpy())
    pairs, entry = np.unique(members * len(item_ids) + items, return_inverse=True)
    # Added in order of pair and weight, so that the sums do not depend on the order of the rows.
    order = np.lexsort((weights, entry))
    total = np.bincount(entry[order], weights=weights[order], minlength=len(pairs))
    return Interactions(
        member_ids,
        item_ids,
        pairs // len(item_ids),
        pairs % len(item_ids),
        np.maximum(total, 1e-6),  # faded away, but they did meet
        _popularity(tables, as_of, item_ids),
    )


def item_purchases(
    tables: Tables, start: datetime | None, end: datetime, closed: datetime
) -> dict[str, set[str]]:
    """Items bought by each member in ``[start, end)``, as known by ``closed``."""
    bought = _purchases(tables, start, end, closed)
    return _by_member(bought)


def next_orders(
    tables: Tables, start: datetime, end: datetime, closed: datetime
) -> dict[str, set[str]]:
    """Items of each member's first order in ``[start, end)``, as known by ``closed``.

    Purchases without an order id make one order a day, in UTC; of orders that began at the same
    moment the one with the lesser id is first.
    """
    bought = _purchases(tables, start, end, closed)
    named = bought.mutate(
        basket=ibis.coalesce(bought.order_id, bought.occurred_at.strftime("%Y-%m-%d"))
    )
    began = named.group_by("member_id", "basket").agg(at=named.occurred_at.min())
    place = ibis.row_number().over(
        ibis.window(group_by="member_id", order_by=[began["at"], began.basket])
    )
    ranked = began.mutate(place=place)
    first = ranked.filter(ranked.place == 0).select("member_id", "basket")
    return _by_member(named.join(first, ["member_id", "basket"]))


def order_lines(tables: Tables, as_of: datetime) -> pa.Table:
    """What every order held, as known at ``as_of``: one row per member, order and item.

    Returns:
        member_id, item_id, basket (the order's id, else the day), and age_days: days from the
        line to ``as_of``, above 0. In order of member, item and basket.
    """
    bought = _purchases(tables, None, as_of, as_of)
    basket = ibis.coalesce(bought.order_id, bought.occurred_at.strftime("%Y-%m-%d"))
    lines = bought.group_by("member_id", "item_id", basket=basket).agg(at=bought.occurred_at.min())
    aged = lines.select(
        "member_id", "item_id", "basket", age_days=days_since(seconds(lines["at"]), as_of)
    )
    return aged.order_by("member_id", "item_id", "basket").to_pyarrow()


def plain_recommenders(
    tables: Tables, as_of: datetime, met: Interactions
) -> tuple[Popularity, PersonalFrequency]:
    """The baselines of every list, as known at ``as_of``, over the members and items of ``met``.

    Popular is what most members bought in the last 30 days; frequency counts a member's orders.
    """
    bought = _purchases(tables, None, as_of, as_of)
    occasion = ibis.coalesce(bought.order_id, bought.event_id)
    counted = bought.group_by("member_id", "item_id").agg(orders=occasion.nunique()).to_pyarrow()
    member_ids, members = numbered(counted["member_id"])
    item_ids, items = numbered(counted["item_id"])
    # Purchases are among what members met, so that every id has its place.
    counts = Histories.of(
        len(met.member_ids),
        np.searchsorted(met.member_ids, member_ids)[members],
        np.searchsorted(met.item_ids, item_ids)[items],
        counted["orders"].to_numpy().astype(np.float64),
    )
    frequency = PersonalFrequency(met.member_ids, met.item_ids, counts, met.popularity)
    return Popularity(met.item_ids, met.popularity), frequency


def some_members(met: Interactions, most_pairs: int, seed: int) -> Interactions:
    """All of ``met``, or so many members drawn from it that about ``most_pairs`` pairs are left."""
    n = len(met.weights)
    if n <= most_pairs:
        return met
    kept = np.random.default_rng(seed).random(len(met.member_ids)) < most_pairs / n
    pairs = kept[met.members]
    members, member_rows = np.unique(met.members[pairs], return_inverse=True)
    items, item_rows = np.unique(met.items[pairs], return_inverse=True)
    return Interactions(
        met.member_ids[members],
        met.item_ids[items],
        member_rows.astype(np.int64),
        item_rows.astype(np.int64),
        met.weights[pairs],
        met.popularity[items],
    )


def _by_member(bought: ir.Table) -> dict[str, set[str]]:
    pairs = bought.select("member_id", "item_id").distinct().to_pyarrow()
    found: dict[str, set[str]] = {}
    for member, item in zip(
        pairs["member_id"].to_pylist(), pairs["item_id"].to_pylist(), strict=True
    ):
        found.setdefault(member, set()).add(item)
    return found


def _faded_counts(tables: Tables, as_of: datetime, half_life_days: float) -> ir.Table:
    events = tables.events.filter(
        tables.events.item_id.notnull(), tables.events["type"].isin(tuple(WEIGHTS))
    )
    seen = known(events.mutate(seen_at=seen_at(events)), as_of)
    occasion = ibis.coalesce(seen.order_id, seen.event_id)
    once = seen.group_by("member_id", "item_id", "type", occasion=occasion).agg(
        at=seen.occurred_at.min()
    )
    kept = ibis.literal(2.0).pow(-days_since(seconds(once["at"]), as_of) / half_life_days)
    # Exact decimals: a sum of floats would depend on the order in which the threads add.
    counted = once.mutate(kept=kept.cast("decimal(18, 9)"))
    return counted.group_by("member_id", "item_id", "type").agg(faded=counted.kept.sum())


def _purchases(tables: Tables, start: datetime | None, end: datetime, closed: datetime) -> ir.Table:
    events = tables.events
    bought = events.filter(
        events["type"] == "purchase",
        events.item_id.notnull(),
        events.occurred_at < ibis.literal(end),
    )
    if start is not None:
        bought = bought.filter(bought.occurred_at >= ibis.literal(start))
    return known(bought.mutate(seen_at=seen_at(bought)), closed)


def _popularity(
    tables: Tables, as_of: datetime, item_ids: NDArray[np.bytes_]
) -> NDArray[np.float32]:
    recent = _purchases(tables, as_of - timedelta(days=POPULAR_DAYS), as_of, as_of)
    buyers = recent.group_by("item_id").agg(buyers=recent.member_id.nunique()).to_pyarrow()
    popularity = np.zeros(len(item_ids), dtype=np.float32)
    names = np.array([item.encode() for item in buyers["item_id"].to_pylist()], dtype=np.bytes_)
    if len(names):
        popularity[np.searchsorted(item_ids, names)] = buyers["buyers"].to_numpy()
    return popularity


def numbered(column: pa.ChunkedArray) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """The sorted distinct ids as UTF-8, and the row number of each value among them."""
    coded = column.combine_chunks().dictionary_encode()
    ids = np.array([name.encode() for name in coded.dictionary.to_pylist()], dtype=np.bytes_)
    order = np.argsort(ids)
    place = np.empty(len(ids), dtype=np.int64)
    place[order] = np.arange(len(ids))
    return ids[order], place[coded.indices.to_numpy()]
