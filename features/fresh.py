"""Fresh features: what a member did and was sent lately, folded row by row, without a build.

A state only ever grows towards the newest: folding the same row again changes nothing, and the
order of rows does not matter. So rows may come twice, late and mixed, and the values are right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

HORIZON = timedelta(days=30)
"""Fresh features look back so far, like ``abandoned_carts_30d``; what is older, a build tells."""
SKEW = timedelta(minutes=5)
"""How far ahead a clock may be. What claims to be later than that is not believed."""

SEEN_TYPES = frozenset(
    {"view", "search", "add_to_cart", "remove_from_cart", "wishlist", "app_open", "purchase"}
)
_OUT_TYPES = frozenset({"remove_from_cart", "purchase"})
_BOUGHT = "purchase"
# Whose category counts for ``seen_days__*``, as in ``features.rolled.WEIGHTS``.
_CARED_TYPES = frozenset({"view", "search", "wishlist", "add_to_cart"})


@dataclass(frozen=True, slots=True)
class Did:
    """An event of a member, of one of ``SEEN_TYPES``.

    category: the event's own, else its item's. worth: quantity × unit price, else the item's price;
    currency; None where neither is known.
    """

    type: str
    at: datetime
    item_id: str | None = None
    category: str | None = None
    worth: float | None = None


@dataclass(frozen=True, slots=True)
class Contacted:
    """A decision that chose an offer, or the news that its message failed: ``at`` of both is the
    moment of the decision."""

    decision_id: str
    at: datetime
    failed: bool = False


Row = Did | Contacted


@dataclass(frozen=True, slots=True)
class Line:
    """One item and the cart. ``added``, ``out``: when it was last added, and last removed or
    bought. worth: of the newest add, the largest among equally new ones."""

    added: datetime | None = None
    worth: float = 0.0
    out: datetime | None = None

    def open(self, after: datetime) -> bool:
        """In the cart, and added at ``after`` or later."""
        if self.added is None or self.added < after:
            return False
        return self.out is None or self.out < self.added


@dataclass(frozen=True, slots=True)
class MemberState:
    """What the fresh features of one member are made of.

    seen: the newest event. category: the newest event with a category, and that category.
    clicked: the newest event other than a purchase. cared: as ``category``, of the events that
        show interest. cart_at: the newest event that touched the cart. contacts: decisions,
        whether they failed.
    """

    seen: datetime | None = None
    category: tuple[datetime, str] | None = None
    clicked: datetime | None = None
    cared: tuple[datetime, str] | None = None
    cart: Mapping[str, Line] = field(default_factory=lambda: MappingProxyType({}))
    cart_at: datetime | None = None
    contacts: Mapping[str, tuple[datetime, bool]] = field(
        default_factory=lambda: MappingProxyType({})
    )


def fold(state: MemberState, row: Row) -> MemberState:
    """The state with one more row of its member. Any order, any repetition: the same state."""
    if isinstance(row, Contacted):
        at, failed = state.contacts.get(row.decision_id, (row.at, False))
        told = (max(at, row.at), failed or row.failed)
        return replace(state, contacts={**state.contacts, row.decision_id: told})
    clicked = state.clicked if row.type == _BOUGHT else _newer(state.clicked, row.at)
    state = replace(
        state,
        seen=_newer(state.seen, row.at),
        category=_newest(state.category, row),
        clicked=clicked,
        cared=_newest(state.cared, row) if row.type in _CARED_TYPES else state.cared,
    )
    if row.item_id is None or (row.type != "add_to_cart" and row.type not in _OUT_TYPES):
        return state
    line = _touched(state.cart.get(row.item_id, Line()), row)
    cart = {**state.cart, row.item_id: line}
    return replace(state, cart=cart, cart_at=_newer(state.cart_at, row.at))


def forget(state: MemberState, now: datetime) -> MemberState:
    """The state without what no fresh feature at ``now`` or later looks at."""
    before = now - HORIZON
    cart = {
        item: line
        for item, line in state.cart.items()
        if max(one for one in (line.added, line.out) if one is not None) >= before
    }
    contacts = {key: one for key, one in state.contacts.items() if one[0] >= before}
    return replace(state, cart=cart, contacts=contacts)


@dataclass(frozen=True, slots=True)
class FreshRow:
    """The fresh features of one member, each with the moment since which it stands.

    last_seen_at: the newest click or purchase.
    last_category: category of the newest click or purchase that has one, the last by name among
        equally new ones; at ``last_category_at``, that event.
    open_cart_items, open_cart_value: items added to the cart in the last 30 days and since neither
        removed nor bought; Σ over them of quantity × unit price of the newest add, currency, items
        of unknown price left out. At ``open_cart_at``, the newest event that touched the cart;
        missing where none did.
    contacts_today: contacts on the UTC day of ``contacts_at``, the newest decision to contact: the
        contacts since the last UTC midnight if that is today, else there were none. A message that
        is known to have failed is no contact.
    last_click_at: the newest click: as ``last_seen_at``, without purchases.
    cared_category: as ``last_category``, of views, searches, wishlist and add-to-cart events alone.
    """

    last_seen_at: datetime | None = None
    last_category: str | None = None
    last_category_at: datetime | None = None
    open_cart_items: float | None = None
    open_cart_value: float | None = None
    open_cart_at: datetime | None = None
    contacts_today: float | None = None
    contacts_at: datetime | None = None
    last_click_at: datetime | None = None
    cared_category: str | None = None
    cared_category_at: datetime | None = None


def fresh_row(state: MemberState, now: datetime) -> FreshRow:
    """The features of a member in ``state`` at ``now``."""
    after = now - HORIZON
    still_open = [line for line in state.cart.values() if line.open(after)]
    touched = state.cart_at is not None
    newest = max((at for at, _ in state.contacts.values()), default=None)
    today = [
        not failed
        for at, failed in state.contacts.values()
        if newest is not None and utc_day(at) == utc_day(newest)
    ]
    return FreshRow(
        last_seen_at=state.seen,
        last_category=None if state.category is None else state.category[1],
        last_category_at=None if state.category is None else state.category[0],
        open_cart_items=float(len(still_open)) if touched else None,
        open_cart_value=math.fsum(line.worth for line in still_open) if touched else None,
        open_cart_at=state.cart_at,
        contacts_today=None if newest is None else float(sum(today)),
        contacts_at=newest,
        last_click_at=state.clicked,
        cared_category=None if state.cared is None else state.cared[1],
        cared_category_at=None if state.cared is None else state.cared[0],
    )


def due(state: MemberState, now: datetime) -> datetime | None:
    """When the features change by time alone next: the oldest item leaves the open cart."""
    lines = (line for line in state.cart.values() if line.open(now - HORIZON))
    oldest = min((line.added for line in lines if line.added is not None), default=None)
    return None if oldest is None else oldest + HORIZON + timedelta.resolution


def newest_of(stored: FreshRow, mine: FreshRow, not_after: datetime) -> FreshRow:
    """``mine``, with every value of ``stored`` that is newer than its own.

    What is stored for a moment after ``not_after`` is no truth: it never wins.
    """

    def wins(name: str) -> bool:
        theirs, ours = getattr(stored, name), getattr(mine, name)
        return theirs is not None and theirs <= not_after and (ours is None or theirs > ours)

    kept = {
        name: getattr(stored, name)
        for moment, names in VALUES_AT.items()
        if wins(moment)
        for name in (moment, *names)
    }
    return replace(mine, **kept)


VALUES_AT: Mapping[str, tuple[str, ...]] = {
    "last_seen_at": (),
    "last_category_at": ("last_category",),
    "open_cart_at": ("open_cart_items", "open_cart_value"),
    "contacts_at": ("contacts_today",),
    "last_click_at": (),
    "cared_category_at": ("cared_category",),
}
"""Each moment of a ``FreshRow`` and the values that stand since then."""


def utc_day(at: datetime) -> datetime:
    """The UTC midnight at or before ``at``."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _touched(line: Line, row: Did) -> Line:
    if row.type in _OUT_TYPES:
        return replace(line, out=_newer(line.out, row.at))
    mine = (row.at, row.worth or 0.0)
    newest = mine if line.added is None else max(mine, (line.added, line.worth))
    return replace(line, added=newest[0], worth=newest[1])


def _newest(known: tuple[datetime, str] | None, row: Did) -> tuple[datetime, str] | None:
    """The newer category; of two of one moment the last by name."""
    if row.category is None:
        return known
    mine = (row.at, row.category)
    return mine if known is None else max(known, mine)


def _newer(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)
