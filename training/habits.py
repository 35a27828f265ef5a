"""Habits at a moment: what each order held, as what the repeat model knows of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.tables import Tables
from models.histories import Histories
from models.repeat import OWN, Habits, Near
from training.errors import TrainingError
from training.graph_filter_fit import nearest_items, normalised
from training.interactions import POPULAR_DAYS, numbered, order_lines

NEAREST = 60  # kept of each item
YEAR = 365.0
LATELY = 5  # of a member's orders
TOGETHER_DAYS = 365.0  # orders older than that say nothing about what goes together


@dataclass(frozen=True, eq=False)
class Lines:
    """One row per member, order and item before a moment, in order of member, item and order."""

    member_ids: NDArray[np.bytes_]  # (members,) UTF-8, sorted, unique
    item_ids: NDArray[np.bytes_]  # (items,) UTF-8, sorted, unique
    members: NDArray[np.int64]  # (n,) row numbers
    items: NDArray[np.int64]  # (n,) row numbers
    orders: NDArray[np.int64]  # (n,) numbers of orders, from 0
    ages: NDArray[np.float64]  # (n,) days before the moment, above 0


def lines_before(tables: Tables, moment: datetime) -> Lines:
    """As known at ``moment``.

    Raises:
        TrainingError: nobody bought an item that has an id.
    """
    rows = order_lines(tables, moment)
    if not rows.num_rows:
        raise TrainingError(
            f"no purchase with an item_id before {moment:%Y-%m-%d}; habits are made of those"
        )
    member_ids, members = numbered(rows["member_id"])
    item_ids, items = numbered(rows["item_id"])
    # An order id alone may name orders of two members.
    baskets, place = numbered(rows["basket"])
    _, orders = np.unique(members * len(baskets) + place, return_inverse=True)
    ages = rows["age_days"].to_numpy().astype(np.float64)
    return Lines(member_ids, item_ids, members, items, orders.astype(np.int64), ages)


def habits_of(lines: Lines, horizon_days: int) -> Habits:
    """What ``Habits`` holds; a year ago means the horizon that follows the moment, a year before.

    Orders and counts fade by half in 30 and in 180 days; gaps are mean days between orders, and
    overdue is the days since the last of them over the gap.
    """
    n_items = len(lines.item_ids)
    pairs, entry = np.unique(lines.members * n_items + lines.items, return_inverse=True)
    members, items = pairs // n_items, pairs % n_items
    member = _member_values(lines)
    own = _own_values(lines, entry, horizon_days)
    own[:, OWN.index("orders_since") :] = _among_orders(lines, entry)
    own[:, OWN.index("share_of_orders")] = own[:, 0] / member[members, 0]
    own[:, OWN.index("since_last_order_days")] = own[:, 3] - member[members, 1]
    own[:, OWN.index("place")] = _places(members, own[:, 2])
    from scipy.sparse import csr_matrix

    def near(rows: NDArray[np.int64], columns: NDArray[np.int64], weights: NDArray[Any]) -> Near:
        shape = (int(rows.max(initial=0)) + 1, n_items)
        matrix = csr_matrix((weights.astype(np.float32), (rows, columns)), shape=shape)
        return Near(*nearest_items(normalised(matrix), NEAREST, np.ones(n_items)))

    recent = lines.ages <= TOGETHER_DAYS
    return Habits(
        lines.member_ids,
        lines.item_ids,
        Histories.of(len(lines.member_ids), members, items, own[:, 0]),
        own.astype(np.float32),
        member.astype(np.float32),
        _item_values(lines, items, own[:, 0], horizon_days).astype(np.float32),
        near(members, items, own[:, 2]),
        near(lines.orders[recent], lines.items[recent], np.ones(int(recent.sum()))),
        _buyers(lines, 0, POPULAR_DAYS).astype(np.float32),
    )


def _own_values(lines: Lines, entry: NDArray[np.int64], horizon_days: int) -> NDArray[np.float64]:
    """(pairs, ``OWN``), zeros where it takes the member's other pairs to tell."""
    n = int(entry.max()) + 1
    ages = lines.ages

    def total(weights: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(entry, weights, n), dtype=np.float64)

    orders = total(np.ones(len(ages)))
    last, first = np.full(n, np.inf), np.zeros(n)
    np.minimum.at(last, entry, ages)
    np.maximum.at(first, entry, ages)
    gap = np.where(orders > 1, (first - last) / np.maximum(orders - 1, 1), np.nan)
    return np.column_stack(
        [
            orders,
            total(2.0 ** (-ages / 30)),
            np.maximum(total(2.0 ** (-ages / 180)), 1e-6),  # faded away, but it was bought
            last,
            first,
            gap,
            last / np.maximum(gap, 1.0),
            np.zeros(n),
            total(_a_year_ago(ages, horizon_days)),
            *np.zeros((len(OWN) - 9, n)),
        ]
    )


def _among_orders(lines: Lines, entry: NDArray[np.int64]) -> NDArray[np.float64]:
    """(pairs, 3): the member's orders since the item was last in one, the share that held it of
    those since it first was, and of the last five."""
    n = int(entry.max()) + 1
    order, first_line = np.unique(lines.orders, return_index=True)
    age = np.full(len(order), np.inf)
    np.minimum.at(age, lines.orders, lines.ages)
    back = _places(lines.members[first_line], -age)[lines.orders]  # 1 is the last order
    last, first = np.full(n, np.inf), np.zeros(n)
    np.minimum.at(last, entry, back)
    np.maximum.at(first, entry, back)
    held = np.bincount(entry, minlength=n)
    lately = np.bincount(entry, back <= LATELY, n)
    member_orders = np.bincount(lines.members[first_line])[lines.members]
    most = np.zeros(n)
    np.maximum.at(most, entry, np.minimum(member_orders, LATELY))
    return np.column_stack([last - 1, held / first, lately / most])


def _member_values(lines: Lines) -> NDArray[np.float64]:
    """(members, ``MEMBER``)."""
    n = len(lines.member_ids)
    order, first_line = np.unique(lines.orders, return_index=True)
    owner, age = lines.members[first_line], np.full(len(order), np.inf)
    np.minimum.at(age, lines.orders, lines.ages)
    orders = np.bincount(owner, minlength=n).astype(np.float64)
    last, first = np.full(n, np.inf), np.zeros(n)
    np.minimum.at(last, owner, age)
    np.maximum.at(first, owner, age)
    gap = np.where(orders > 1, (first - last) / np.maximum(orders - 1, 1), np.nan)
    entries = np.bincount(lines.members, minlength=n).astype(np.float64)
    pairs = np.unique(lines.members * len(lines.item_ids) + lines.items)
    distinct = np.bincount(pairs // len(lines.item_ids), minlength=n).astype(np.float64)
    return np.column_stack([orders, last, gap, distinct, entries / orders, 1 - distinct / entries])


def _item_values(
    lines: Lines, items: NDArray[np.int64], orders: NDArray[np.float64], horizon_days: int
) -> NDArray[np.float64]:
    """(items, ``ITEM``); ``items`` and ``orders`` are of the pairs."""
    n = len(lines.item_ids)
    lately, longer = _buyers(lines, 0, 30), _buyers(lines, 0, 90)
    buyers = np.bincount(items, minlength=n)
    again = np.bincount(items, orders > 1, n)
    first, last = np.zeros(n), np.full(n, np.inf)
    np.maximum.at(first, lines.items, lines.ages)
    np.minimum.at(last, lines.items, lines.ages)
    return np.column_stack(
        [
            _buyers(lines, 0, 7),
            lately,
            longer,
            (lately + 1) / (longer / 3 + 1),
            again / np.maximum(buyers, 1),
            first,
            last,
            _buyers(lines, YEAR - horizon_days, YEAR),
        ]
    )


def _buyers(lines: Lines, youngest: float, oldest: float) -> NDArray[np.int64]:
    """(items,) members who bought the item between so many days ago."""
    inside = (lines.ages > youngest) & (lines.ages <= oldest)
    n = len(lines.item_ids)
    pairs = np.unique(lines.members[inside] * n + lines.items[inside])
    return np.bincount(pairs % n, minlength=n)


def _places(members: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(pairs,) from 1: where a pair stands among those of its member, the heaviest first."""
    order = np.lexsort((-weights, members))
    starts = np.searchsorted(members[order], members[order], side="left")
    places = np.empty(len(members))
    places[order] = np.arange(len(members)) - starts + 1
    return places


def _a_year_ago(ages: NDArray[np.float64], horizon_days: int) -> NDArray[np.bool_]:
    return (ages > YEAR - horizon_days) & (ages <= YEAR)
