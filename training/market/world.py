"""What the shop sells and sends: destinations, trips, offers and pushes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Offer, Push
from training.market.clock import shopping_days
from training.market.closed import Closed, drawn_closed
from training.market.config import MarketConfig

ATTRIBUTES = ("beach", "city", "nature", "culture", "food", "snow", "family")
ITEMS_EACH = 6
ATTRIBUTION_DAYS = 14.0
HISTORY_DAYS = 364.0
CONTACT_COST = 0.05
# Money the demo push may spend per member of the shop: about one contact in ten at the cost of
# the offers a good plan chooses.
BUDGET_PER_MEMBER = 0.05

# name: attributes in the order of ATTRIBUTES, popularity, month of the peak, swing of the season,
# price of a middling trip per traveller.
_DESTINATIONS: dict[str, tuple[tuple[float, ...], float, float, float, float]] = {
    "hualien": ((0.2, 0.0, 1.0, 0.3, 0.2, 0.0, 0.2), 1.4, 7.5, 0.35, 95.0),
    "taitung": ((0.4, 0.0, 0.9, 0.4, 0.2, 0.0, 0.2), 0.7, 7.5, 0.30, 90.0),
    "alishan": ((0.0, 0.0, 1.0, 0.4, 0.1, 0.1, 0.2), 0.7, 4.0, 0.30, 80.0),
    "kenting": ((1.0, 0.0, 0.4, 0.0, 0.2, 0.0, 0.4), 0.9, 7.5, 0.50, 85.0),
    "tainan": ((0.0, 0.4, 0.1, 0.8, 1.0, 0.0, 0.2), 0.9, 2.0, 0.20, 65.0),
    "taipei": ((0.0, 1.0, 0.1, 0.5, 0.9, 0.0, 0.3), 1.1, 12.0, 0.15, 70.0),
    "okinawa": ((1.0, 0.1, 0.3, 0.2, 0.3, 0.0, 0.6), 1.2, 7.5, 0.50, 140.0),
    "kyoto": ((0.0, 0.3, 0.3, 1.0, 0.5, 0.1, 0.1), 1.2, 4.0, 0.40, 130.0),
    "tokyo": ((0.0, 1.0, 0.0, 0.5, 0.8, 0.1, 0.6), 1.5, 4.0, 0.20, 135.0),
    "hokkaido": ((0.0, 0.1, 0.8, 0.1, 0.5, 1.0, 0.3), 1.1, 1.0, 0.50, 150.0),
    "seoul": ((0.0, 1.0, 0.1, 0.4, 0.8, 0.3, 0.1), 1.2, 10.0, 0.25, 115.0),
    "jeju": ((0.5, 0.1, 0.9, 0.2, 0.3, 0.0, 0.3), 0.9, 9.0, 0.30, 110.0),
    "bangkok": ((0.1, 0.8, 0.0, 0.6, 1.0, 0.0, 0.2), 1.1, 12.0, 0.25, 100.0),
    "bali": ((0.9, 0.1, 0.5, 0.5, 0.2, 0.0, 0.3), 1.0, 8.0, 0.30, 130.0),
}
DESTINATIONS = tuple(_DESTINATIONS)
_TRIPS = ("day-tour", "rail-and-walk", "guesthouse", "hotel", "hotel-and-tour", "resort")
_PRICE_STEPS = np.array([0.5, 0.8, 1.1, 1.5, 2.1, 3.0])

# Past pushes, oldest first, one every PUSH_EVERY days: destination and offers by short name.
PUSH_EVERY = 15.0
_PAST = (
    ("kyoto", "percent-5", "percent-10", "content"),
    ("hualien", "percent-5", "percent-10", "points", "content"),
    ("okinawa", "percent-5", "percent-20", "amount", "content"),
    ("seoul", "percent-10", "points", "content"),
    ("hualien", "percent-5", "percent-10", "percent-20", "amount", "content"),
    ("taitung", "percent-5", "percent-10", "amount", "content"),
    ("bali", "percent-5", "percent-10", "percent-20", "points", "content"),
    ("hualien", "amount", "percent-5", "percent-20", "points", "content"),
    ("hokkaido", "percent-10", "amount", "content"),
    ("jeju", "percent-5", "percent-10", "points", "content"),
)
# The first is the campaign's default: what the hand-written rule sends.
_PLANNED = ("hualien", "percent-5", "amount", "percent-10", "points", "content")
PLANNED_PUSH = "hualien-summer"
# Share of members a past push left alone, by its number of offers; the rest is split equally.
NO_SEND = {3: 0.25, 4: 0.28, 5: 0.25}


@dataclass(frozen=True, slots=True)
class Destinations:
    """Arrays of length 14 in the order of ``DESTINATIONS``."""

    attributes: NDArray[np.float64]  # (destinations, attributes), rows of length 1
    popularity: NDArray[np.float64]
    peak: NDArray[np.float64]  # day of the year
    swing: NDArray[np.float64]

    def season(self, day: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
        """Demand at shopping ``day`` for ``place``, 1 on a year's average. Aligned arrays."""
        # The clock starts on the first of January.
        turn = 2 * np.pi * (day - self.peak[place]) / 365.25
        return 1 + self.swing[place] * np.cos(turn)


@dataclass(frozen=True, slots=True)
class Items:
    """Trips, (destinations, 6) each, the cheapest first."""

    cents: NDArray[np.int64]  # price per traveller
    margin_rate: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sending:
    """A push with what the simulation needs of it."""

    push: Push
    offers: tuple[Offer, ...]
    place: int  # row in DESTINATIONS
    day: float  # send time in shopping days

    @property
    def no_send(self) -> float:
        return NO_SEND[len(self.offers)]


@dataclass(frozen=True, slots=True)
class World:
    """items: that were ever sold. closed: those that are sold no more."""

    destinations: Destinations
    items: Items
    closed: Closed
    offers: tuple[Offer, ...]
    past: tuple[Sending, ...]
    planned: Sending
    start: float  # of the history, shopping days
    end: float

    @property
    def on_sale(self) -> Items:
        """What stands at each place of ``items`` once the shop has closed what it closes."""
        if self.closed.none:
            return self.items
        place = np.arange(len(DESTINATIONS))[:, None]
        instead = self.closed.instead
        return Items(self.items.cents[place, instead], self.items.margin_rate[place, instead])


def make_world(config: MarketConfig) -> World:
    """The shop of ``config``; only prices and margins depend on the seed."""
    rng = np.random.default_rng([config.seed, 1])
    rows = _DESTINATIONS.values()
    attributes = np.array([row[0] for row in rows])
    destinations = Destinations(
        attributes=attributes / np.linalg.norm(attributes, axis=1, keepdims=True),
        popularity=np.array([row[1] for row in rows]),
        peak=np.array([(row[2] - 0.5) * 365.25 / 12 for row in rows]),
        swing=np.array([row[3] for row in rows]),
    )
    middle = np.array([row[4] for row in rows])
    shape = (len(DESTINATIONS), ITEMS_EACH)
    prices = middle[:, None] * _PRICE_STEPS * rng.uniform(0.94, 1.06, shape)
    items = Items(
        cents=np.rint(prices).astype(np.int64) * 100,
        margin_rate=np.round(rng.uniform(0.22, 0.34, shape), 3),
    )
    offers = tuple(offer for name in DESTINATIONS for offer in _offers(name))
    end = shopping_days(config.history_end)
    past = tuple(
        _sending(
            offers,
            names,
            config.history_end - timedelta(days=PUSH_EVERY * (len(_PAST) - i)),
            f"{names[0]}-{i + 1:02d}",
        )
        for i, names in enumerate(_PAST)
    )
    planned = _sending(offers, _PLANNED, config.history_end, PLANNED_PUSH, config.members)
    closed = drawn_closed(config, shape, end)
    return World(destinations, items, closed, offers, past, planned, end - HISTORY_DAYS, end)


def _offers(place: str) -> list[Offer]:
    scope, channels = (place,), ("push",)

    def offer(short: str, kind: str, value: float, least: float = 0, extra: float = 0) -> Offer:
        return Offer(
            f"{place}-{short}", kind, value, least, scope, (), extra, CONTACT_COST, channels
        )

    return [
        offer("percent-5", "percent_off", 5),
        offer("percent-10", "percent_off", 10),
        offer("percent-20", "percent_off", 20),
        offer("amount", "amount_off", 8, least=80),
        offer("points", "points", 800, extra=8),
        offer("content", "content", 0),
    ]


def _sending(
    offers: tuple[Offer, ...],
    names: tuple[str, ...],
    send_at: datetime,
    push_id: str,
    members: int | None = None,
) -> Sending:
    place, *shorts = names
    offer_ids = tuple(f"{place}-{short}" for short in shorts)
    by_id = {offer.offer_id: offer for offer in offers}
    push = Push(
        push_id,
        channel="push",
        send_at=send_at,
        offer_ids=offer_ids,
        campaign_id=place,
        attribution_days=ATTRIBUTION_DAYS,
        budget=None if members is None else round(BUDGET_PER_MEMBER * members, 2),
        max_audience=None if members is None else members // 10,
    )
    chosen = tuple(by_id[offer_id] for offer_id in offer_ids)
    return Sending(push, chosen, DESTINATIONS.index(place), shopping_days(send_at))


def sending_of(world: World, push: Push) -> Sending:
    """A push of the shop's own offers, all of one destination, ready to be sent."""
    by_id = {offer.offer_id: offer for offer in world.offers}
    offers = tuple(by_id[offer_id] for offer_id in push.offer_ids)
    place = DESTINATIONS.index(offers[0].categories[0])
    return Sending(push, offers, place, shopping_days(push.send_at))


def trip_name(place: int, item: int) -> str:
    """Title of an item, such as ``hualien resort``."""
    return f"{DESTINATIONS[place]} {_TRIPS[item]}"


def item_id(place: int, item: int) -> str:
    return f"{DESTINATIONS[place]}-{item + 1}"


def trip_kind(item: int) -> str:
    return _TRIPS[item]
