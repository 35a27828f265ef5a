"""Which feature views there are, when a workspace has them, and what they are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import ibis.expr.types as ir

from features.activity import activity, categorised
from features.affinity import affinity, category_interest
from features.clickstream import clickstream
from features.contacts import attributed_outcomes, contacts, sent_decisions
from features.contract import Kind
from features.lifecycle import lifecycle
from features.membership import first_known, membership, roster
from features.moments import newest
from features.popularity import popularity
from features.purchases import purchase_habits, purchase_lines, purchases
from features.tables import Tables, any_row
from features.vocabulary import LARGEST, Vocabulary

Keep = Callable[[str, ir.Table], ir.Table]


@dataclass(frozen=True, slots=True)
class Ground:
    """What all views of one build stand on: tables derived once, of no moment yet."""

    tables: Tables
    attributes: Mapping[str, Kind]
    vocabulary: Vocabulary
    first: ir.Table
    activity: ir.Table
    lines: ir.Table
    sent: ir.Table
    outcomes: ir.Table


@dataclass(frozen=True, slots=True)
class Moment:
    """What several views share about one moment."""

    as_of: datetime
    roster: ir.Table
    habits: ir.Table
    items: ir.Table


@dataclass(frozen=True, slots=True)
class View:
    """One feature view.

    key: ``member_id`` or ``item_id``, whichever a row describes.
    absent: why a workspace does not have this view; empty when it does.
    rows: the features as of a moment, one row per key.
    """

    name: str
    key: str
    absent: Callable[[Ground], str]
    rows: Callable[[Ground, Moment], ir.Table]


def ground(tables: Tables, attributes: Mapping[str, Kind], keep: Keep) -> Ground:
    """Derive what views share. ``keep`` stores a table under a name and gives it back."""
    return Ground(
        tables=tables,
        attributes=attributes,
        vocabulary=Vocabulary((), ()),
        first=keep("first_known", first_known(tables.members, tables.events, tables.decisions)),
        activity=keep("activity", activity(tables.events)),
        lines=keep("purchase_lines", purchase_lines(tables.events)),
        sent=keep("sent_decisions", sent_decisions(tables.decisions)),
        outcomes=keep("outcomes", attributed_outcomes(tables.outcomes, tables.decisions)),
    )


def largest_categories(ground: Ground, as_of: datetime) -> tuple[str, ...]:
    """The categories touched by most members before ``as_of``, at most 24; by name among equals."""
    items = newest(ground.tables.items, "item_id", as_of)
    touched = categorised(ground.activity, items, as_of)
    members = touched.group_by("category").agg(members=touched.member_id.nunique())
    first = members.order_by(members.members.desc(), members.category.asc()).limit(LARGEST)
    return tuple(first.execute()["category"])


def at(ground: Ground, as_of: datetime, keep: Keep) -> Moment:
    """Derive what views share as of one moment."""
    return Moment(
        as_of=as_of,
        roster=keep("roster", roster(ground.first, as_of)),
        habits=keep("habits", purchase_habits(ground.lines, as_of)),
        items=keep("known_items", newest(ground.tables.items, "item_id", as_of)),
    )


def _interest(ground: Ground, moment: Moment) -> ir.Table:
    known = categorised(ground.activity, moment.items, moment.as_of)
    return category_interest(known, moment.as_of)


def _no_purchases(ground: Ground) -> str:
    return "" if any_row(ground.lines) else "no purchase events in this workspace"


VIEWS = (
    View(
        "purchases",
        "member_id",
        _no_purchases,
        lambda ground, moment: purchases(moment.roster, moment.habits, moment.as_of),
    ),
    View(
        "clickstream",
        "member_id",
        lambda ground: (
            "" if ground.tables.has_clickstream else "no clickstream events in this workspace"
        ),
        lambda ground, moment: clickstream(
            moment.roster, ground.activity, moment.items, moment.as_of
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
            _interest(ground, moment),
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
            moment.roster, ground.tables.members, ground.attributes, moment.as_of
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
        "lifecycle",
        "member_id",
        _no_purchases,
        lambda ground, moment: lifecycle(moment.roster, moment.habits, moment.as_of),
    ),
    View(
        "popularity",
        "item_id",
        lambda ground: (
            ""
            if any_row(ground.activity.filter(ground.activity.item_id.notnull()))
            else "no events with an item in this workspace"
        ),
        lambda ground, moment: popularity(
            ground.activity, moment.items, moment.as_of, ground.tables.has_clickstream
        ),
    ),
)
