"""Pairs and taste once more, slowly and plainly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction

from tests.features.oracle.contacts import contacts_of
from tests.features.oracle.knowledge import WEIGHTS, Features, Known, Row
from tests.features.oracle.tastes import interest

Vectors = Mapping[str, Sequence[Fraction]]


def pairs(known: Known, members: Sequence[str], offers: Sequence[str]) -> dict[str, Features]:
    """``features.pairs.pairs``: ``member offer`` to the features of that pair."""
    return {
        f"{member} {offer}": _pair(known, member, offer) for member in members for offer in offers
    }


def _pair(known: Known, member: str, offer: str) -> Features:
    terms = known.offers.get(offer)
    events = [] if terms is None else [e for e in known.of(member) if _inside(known, terms, e)]
    seen = [event["occurred_at"] for event in events if event["type"] != "purchase"]
    bought = [event["occurred_at"] for event in events if event["type"] == "purchase"]
    sent = [
        row["decided_at"]
        for row in contacts_of(known)
        if (row["member_id"], row["offer_id"]) == (member, offer)
    ]
    return {
        "scope_interest": None if terms is None else interest(known, events),
        "scope_seen_days": known.days_since(max(seen, default=None)),
        "scope_bought_days": known.days_since(max(bought, default=None)),
        "offered_before": Fraction(len(sent)),
        "offered_days": known.days_since(max(sent, default=None)),
    }


def _inside(known: Known, terms: Row, event: Row) -> bool:
    """Whether an event says something about what an offer is for."""
    category = known.category(event)
    if event["type"] not in WEIGHTS or category is None:
        return False
    named, items = terms.get("categories") or [], terms.get("item_ids") or []
    of_items = {known.items.get(item, {}).get("category") for item in items}
    return not (named or items) or category in named or category in of_items


def taste(known: Known, versions: Mapping[datetime, Vectors]) -> dict[str, Features]:
    """``features.taste.taste``. ``versions``: item vectors, by the moment they are good from."""
    good = [moment for moment in versions if moment <= known.as_of]
    vectors = versions[max(good)] if good else {}
    return {member: _taste(known, known.of(member), vectors) for member in known.roster}


def _taste(known: Known, events: Sequence[Row], vectors: Vectors) -> Features:
    touched: dict[str, list[Row]] = defaultdict(list)
    for event in events:
        if event["type"] in WEIGHTS and event.get("item_id") in vectors:
            touched[event["item_id"]].append(event)
    weights = {item: interest(known, own) for item, own in touched.items()}
    whole = sum(weights.values(), Fraction(0))
    mean: Features = {}
    for place in range(8):
        total = sum((weights[item] * vectors[item][place] for item in weights), Fraction(0))
        mean[f"taste_{place + 1}"] = total / whole if whole else None
    return mean
