"""Which feature views there are, when a workspace has them, and what they are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import ibis.expr.types as ir

from features.affinity import affinity, category_interest
from features.clickstream import clickstream, recent_sessions, touched_items
from features.contacts import attributed_outcomes, contacts, sent_decisions
from features.contract import Kind
from features.lifecycle import lifecycle
from features.local_time import member_zones, zone_names
from features.membership import membership, roster
from features.moments import newest
from features.offers import offers
from features.popularity import popularity
from features.price import price
from features.purchases import purchase_habits, purchases
from features.rolled import Rolled
from features.tables import Tables, any_row
from features.taste import item_interest, known_vectors, taste
from features.vocabulary import LARGEST, Vocabulary
from features.worth import known_buying

TASTE = "taste"
LIFECYCLE = "lifecycle"
Keep = Callable[[str, ir.Table], ir.Table]


@dataclass(frozen=True, slots=True)
class Ground:
    """What all views of one build stand on: tables derived once, of no moment yet.

    rolled: the events, by days that begin at the time of day of the moments built.
    zones: the time zones that members name.
    """

    tables: Tables
    attributes: Mapping[str, Kind]
    vocabulary: Vocabulary
    rolled: Rolled
    zones: tuple[str, ...]
    sent: ir.Table
    outcomes: ir.Table


@dataclass(frozen=True, slots=True)
class Moment:
    """What several views share about one moment."""

    as_of: datetime
    roster: ir.Table
    members: ir.Table
    items: ir.Table
    offers: ir.Table
    habits: ir.Table
    interest: ir.Table
    sessions: ir.Table
    touched: ir.Table


@dataclass(frozen=True, slots=True)
class View:
    """One feature view.

    key: ``member_id``, ``item_id`` or ``offer_id``, whichever a row describes.
    absent: why a workspace does not have this view; empty when it does.
    rows: the features as of a moment, one row per key.
    """

    name: str
    key: str
    absent: Callable[[Ground], str]
    rows: Callable[[Ground, Moment], ir.Table]


def ground(tables: Tables, rolled: Rolled, attributes: Mapping[str, Kind], keep: Keep) -> Ground:
    """Derive what views share. ``keep`` stores a table under a name and gives it back."""
    return Ground(
        tables=tables,
        attributes=attributes,
        vocabulary=Vocabulary((), ()),
        rolled=rolled,
        zones=zone_names(tables.members),
        sent=keep("sent_decisions", sent_decisions(tables.decisions)),
        outcomes=keep("outcomes", attributed_outcomes(tables.outcomes, tables.decisions)),
    )


def largest_categories(ground: Ground, as_of: datetime) -> tuple[str, ...]:
    """The categories of interest to most members before ``as_of``, at most 24.

    Of interest is what a member viewed, searched, wished for, put in the cart or bought, however
    long ago. By name among equals.
    """
    items = newest(ground.tables.items, "item_id", as_of)
    touched = category_interest(ground.rolled.interest, items, as_of)
    members = touched.group_by("category").agg(members=touched.member_id.count())
    first = members.order_by(members.members.desc(), members.category.asc()).limit(LARGEST)
    return tuple(first.execute()["category"])


def at(ground: Ground, as_of: datetime, keep: Keep) -> Moment:
    """Derive what views share as of one moment."""
    tables, rolled = ground.tables, ground.rolled
    items = keep("known_items", newest(tables.items, "item_id", as_of))
    members = keep("known_members", newest(tables.members, "member_id", as_of))
    zones = member_zones(members, ground.zones, as_of)
    return Moment(
        as_of=as_of,
        roster=keep("roster", roster(tables.members, rolled.people, tables.decisions, as_of)),
        members=members,
        items=items,
        offers=keep("known_offers", newest(tables.offers, "offer_id", as_of)),
        habits=keep("habits", purchase_habits(rolled.lines, as_of)),
        interest=keep("interest", category_interest(rolled.interest, items, as_of)),
        sessions=keep("sessions", recent_sessions(rolled.visits, zones, as_of)),
        touched=keep("touched", _priced(touched_items(tables.events, as_of), items)),
    )


def _priced(touched: ir.Table, items: ir.Table) -> ir.Table:
    listed = items.select(listed_item="item_id", listed_price=items.price.cast("float64"))
    return touched.left_join(listed, touched.item_id == listed.listed_item).drop("listed_item")


def _no_purchases(ground: Ground) -> str:
    return "" if any_row(ground.rolled.lines) else "no purchase events in this workspace"


VIEWS = (
    View(
        "purchases",
        "member_id",
        _no_purchases,
        lambda ground, moment: purchases(moment.roster, moment.habits, moment.as_of),
    ),
    View(
        "price",
        "member_id",
        _no_purchases,
        lambda ground, moment: price(
            moment.roster,
            moment.habits,
            ground.sent,
            ground.outcomes,
            moment.offers,
            moment.as_of,
        ),
    ),
    View(
        "clickstream",
        "member_id",
        lambda ground: (
            "" if ground.tables.has_clickstream else "no clickstream events in this workspace"
        ),
        lambda ground, moment: clickstream(
            moment.roster, moment.sessions, ground.rolled.people, moment.touched, moment.as_of
        ),
    ),
    View(
        "affinity",
        "member_id",
        lambda ground: (
            ""
            if ground.vocabulary.categories
            else "no events with a category, their own or their item's, in this workspace"
        ),
        lambda ground, moment: affinity(
            moment.roster,
            moment.interest,
            ground.vocabulary,
            moment.as_of,
            ground.tables.has_clickstream,
        ),
    ),
    View(
        "membership",
        "member_id",
        lambda ground: "" if any_row(ground.tables.members) else "no members in this workspace",
        lambda ground, moment: membership(
            moment.roster, moment.members, ground.attributes, moment.as_of
        ),
    ),
    View(
        "contacts",
        "member_id",
        lambda ground: (
            ""
            if ground.tables.has_pushes or any_row(ground.outcomes)
            else "no decisions in this workspace"
        ),
        lambda ground, moment: contacts(moment.roster, ground.sent, ground.outcomes, moment.as_of),
    ),
    View(
        LIFECYCLE,
        "member_id",
        _no_purchases,
        lambda ground, moment: lifecycle(moment.roster, moment.habits, moment.as_of),
    ),
    View(
        "popularity",
        "item_id",
        lambda ground: (
            "" if any_row(ground.rolled.listed) else "no events with an item in this workspace"
        ),
        lambda ground, moment: popularity(
            ground.rolled,
            moment.touched,
            moment.items,
            moment.as_of,
            ground.tables.has_clickstream,
        ),
    ),
    View(
        "offers",
        "offer_id",
        lambda ground: "" if any_row(ground.tables.offers) else "no offers in this workspace",
        lambda ground, moment: offers(moment.offers, ground.sent, ground.outcomes, moment.as_of),
    ),
)


def taste_view(vectors: ir.Table) -> View:
    """The view of the workspaces that ask for it: not the data bring it about, but a training.

    Args:
        vectors: of ``taste.item_vectors``.
    """
    return View(
        TASTE,
        "member_id",
        lambda _: "" if any_row(vectors) else "no recommender was trained yet",
        lambda ground, moment: taste(
            moment.roster,
            item_interest(ground.tables.events, moment.as_of),
            known_vectors(vectors, moment.as_of),
        ),
    )


def lifecycle_view(learned: ir.Table) -> View:
    """The view lifecycle of the workspaces whose lifetime values were trained: the same columns.

    Args:
        learned: of ``worth.learned_buying``.
    """
    return View(
        LIFECYCLE,
        "member_id",
        _no_purchases,
        lambda ground, moment: lifecycle(
            moment.roster, moment.habits, moment.as_of, known_buying(learned, moment.as_of)
        ),
    )
