"""Visits and purchases written out as a clickstream, event by event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.contract import EVENT_TYPES
from training.market.browsing import CLICK, IDLE, Visits
from training.market.buying import Purchases, draw_items, item_shares
from training.market.clock import microseconds
from training.market.members import DEVICES, Members
from training.market.world import World

_OPEN, _SEARCH, _VIEW, _CART, _BUY, _REFUND = (
    EVENT_TYPES.index(name)
    for name in ("app_open", "search", "view", "add_to_cart", "purchase", "refund")
)
BROWSING = (_SEARCH, _VIEW, _CART)
QUERIES = ("hotel", "tour", "train", "things to do")
# A refund is rare: packages are cancelled in less than 3 cases of 100 (Mirai, see README.md).
_REFUNDED, _REFUND_DAYS = 0.03, 6.0
# Share of visits with something put into the cart and left there.
_CART_SHARE = {IDLE: 0.04, CLICK: 0.08}
_CART_WITH_INTENT = 0.35
_OTHER_DEVICE = 0.15


@dataclass(frozen=True, slots=True)
class Events:
    """One entry per event, in order of time. -1 where a code, 0 where an amount does not apply."""

    member: NDArray[np.int64]
    type: NDArray[np.int64]  # row in EVENT_TYPES
    at: NDArray[np.int64]  # microseconds since 1970, UTC
    place: NDArray[np.int64]
    item: NDArray[np.int64]  # within the place
    query: NDArray[np.int64]  # row in QUERIES
    quantity: NDArray[np.int64]
    unit_cents: NDArray[np.int64]
    discount: NDArray[np.int64]  # cents; -1 unless a purchase
    margin: NDArray[np.int64]  # cents, of purchases and refunds
    purchase: NDArray[np.int64]  # number of the order
    visit: NDArray[np.int64]
    device: NDArray[np.int64]  # row in DEVICES

    def take(self, rows: NDArray[np.int64]) -> Events:
        return Events(*(getattr(self, name)[rows] for name in self.__slots__))


def clickstream(
    world: World,
    members: Members,
    visits: Visits,
    purchases: Purchases,
    rng: np.random.Generator,
) -> Events:
    """All events of ``visits`` with the purchases they end in, and refunds."""
    laid_out = _layout(members, visits, purchases, rng)
    events = _details(world, members, visits, purchases, laid_out, rng)
    refunds = _refunds(world, purchases, events, rng)
    joined = Events(
        *(
            np.concatenate([getattr(events, name), getattr(refunds, name)])
            for name in Events.__slots__
        )
    )
    return joined.take(np.lexsort((joined.type, joined.visit, joined.at)))


@dataclass(frozen=True, slots=True)
class Layout:
    """One entry per event, but for ``device`` with one per visit."""

    visit: NDArray[np.int64]
    type: NDArray[np.int64]
    at: NDArray[np.int64]
    device: NDArray[np.int64]


def _layout(
    members: Members, visits: Visits, purchases: Purchases, rng: np.random.Generator
) -> Layout:
    """Which events each visit has: app opened, search, views, cart, purchase, in this order."""
    count = len(visits.member)
    device = members.device[visits.member]
    device = np.where(rng.random(count) < _OTHER_DEVICE, rng.integers(0, 3, count), device)
    made = visits.purchase >= 0
    buys = made.copy()
    buys[made] = ~purchases.cancelled[visits.purchase[made]]
    intended = (visits.why != IDLE) & (visits.why != CLICK)
    carts = np.where(intended, _CART_WITH_INTENT, _CART_SHARE[IDLE])
    carts = np.where(visits.why == CLICK, _CART_SHARE[CLICK], carts)
    parts = np.column_stack(
        [
            (device == DEVICES.index("app")) & (rng.random(count) < 0.8),
            rng.random(count) < np.where(intended, 0.35, 0.15),
            1 + rng.poisson(np.where(intended, 2.2, 1.2)),
            made | (rng.random(count) < carts),
            buys,
        ]
    ).astype(np.int64)
    kinds = np.array([_OPEN, _SEARCH, _VIEW, _CART, _BUY])
    type_ = np.repeat(np.tile(kinds, count), parts.ravel())
    size = parts.sum(axis=1)
    visit = np.repeat(np.arange(count), size)
    from_end = np.repeat(np.cumsum(size), size) - 1 - np.arange(len(visit))
    # A visit ends with its last event; each event comes 20 to 100 seconds after the one before.
    pace = rng.integers(20_000_000, 100_000_000, count)
    at = microseconds(visits.day)[visit] - from_end * pace[visit]
    return Layout(visit, type_, at, device)


def _details(
    world: World,
    members: Members,
    visits: Visits,
    purchases: Purchases,
    laid_out: Layout,
    rng: np.random.Generator,
) -> Events:
    visit, type_ = laid_out.visit, laid_out.type
    member, place = visits.member[visit], visits.place[visit]
    shares = item_shares(members)
    main = draw_items(shares, visits.member, rng)  # what a visit is about
    party = rng.choice([1, 2, 2, 2, 3, 4], len(main))
    ends = visits.purchase >= 0
    main[ends] = purchases.item[visits.purchase[ends]]
    party[ends] = purchases.travellers[visits.purchase[ends]]

    item = main[visit]
    next_type = np.append(type_[1:], -1)
    looks_around = (type_ == _VIEW) & (next_type == _VIEW)  # the last view is of the main item
    item[looks_around] = draw_items(shares, member[looks_around], rng)
    shown = np.isin(type_, (_VIEW, _CART, _BUY))
    priced = np.isin(type_, (_CART, _BUY))
    # What is sold no more is looked at still; into the cart goes what is sold instead.
    item[priced] = world.closed.sold(place[priced], item[priced], visits.day[visit[priced]])
    bought = np.where(type_ == _BUY, visits.purchase[visit], -1)
    rows = bought[bought >= 0]
    discount, margin = np.full(len(type_), -1), np.zeros(len(type_), dtype=np.int64)
    discount[bought >= 0] = purchases.discount[rows]
    margin[bought >= 0] = purchases.margin(world)[rows]
    return Events(
        member=member,
        type=type_,
        at=laid_out.at,
        place=np.where(type_ == _OPEN, -1, place),
        item=np.where(shown, item, -1),
        query=np.where(type_ == _SEARCH, rng.integers(0, len(QUERIES), len(type_)), -1),
        quantity=np.where(priced, party[visit], 0),
        unit_cents=np.where(priced, world.items.cents[place, item], 0),
        discount=discount,
        margin=margin,
        purchase=bought,
        visit=visit,
        device=laid_out.device[visit],
    )


def _refunds(
    world: World, purchases: Purchases, events: Events, rng: np.random.Generator
) -> Events:
    """Refunds of what was paid, outside any visit, for a few purchases."""
    rows = np.flatnonzero(events.type == _BUY)
    rows = rows[rng.random(len(rows)) < _REFUNDED]
    order = events.purchase[rows]
    day = purchases.day[order] + 0.05 + rng.exponential(_REFUND_DAYS, len(rows))
    in_time = day < world.end
    rows, order, day = rows[in_time], order[in_time], day[in_time]
    bought = events.take(rows)
    none = np.full(len(rows), -1)
    return Events(
        member=bought.member,
        type=np.full(len(rows), _REFUND),
        at=microseconds(day),
        place=bought.place,
        item=bought.item,
        query=none,
        quantity=np.ones(len(rows), dtype=np.int64),
        unit_cents=bought.unit_cents * bought.quantity - bought.discount,
        discount=none,
        margin=-bought.margin,
        purchase=order,
        visit=none,
        device=none,
    )


def browsed(events: Events, count: int, place: int, span: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether each member viewed, searched or put into the cart something of ``place``.

    ``span``: microseconds since 1970, both ends included.
    """
    hit = (events.place == place) & np.isin(events.type, BROWSING)
    hit &= (events.at >= span[0]) & (events.at <= span[1])
    seen = np.zeros(count, dtype=np.bool_)
    seen[events.member[hit]] = True
    return seen
