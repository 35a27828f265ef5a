"""Affinity once more, slowly and plainly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from itertools import chain

from tests.features.oracle.knowledge import WEIGHTS, Features, Known, Row, exact, share

HALF_LIFE = 30
OTHER = "other"


def largest_categories(known: Known) -> list[str]:
    """``features.views.largest_categories``: those of interest to most members, at most 24."""
    members = {
        category: {event["member_id"] for event in events}
        for category, events in _cared(known, known.events).items()
    }
    return sorted(members, key=lambda name: (-len(members[name]), name))[:24]


def affinity(known: Known, vocabulary: Mapping[str, str]) -> dict[str, Features]:
    """``features.affinity.affinity``. ``vocabulary``: category to its name inside a feature's."""
    usual = _usual_prices(known)
    return {
        member: _member(known, _cared(known, known.of(member)), vocabulary, usual)
        for member in known.roster
    }


def _cared(known: Known, events: Sequence[Row]) -> dict[str, list[Row]]:
    """The events that say something about a category, by category."""
    found: dict[str, list[Row]] = defaultdict(list)
    for event in events:
        category = known.category(event)
        if event["type"] in WEIGHTS and category is not None:
            found[category].append(event)
    return found


def _member(
    known: Known,
    cared: dict[str, list[Row]],
    vocabulary: Mapping[str, str],
    usual: Mapping[str, Fraction],
) -> Features:
    features: Features = {}
    for category, name in vocabulary.items():
        events = cared.get(category, [])
        seen = [event["occurred_at"] for event in events if event["type"] != "purchase"]
        bought = [event["occurred_at"] for event in events if event["type"] == "purchase"]
        features[f"interest__{name}"] = interest(known, events)
        features[f"seen_days__{name}"] = known.days_since(max(seen, default=None))
        features[f"bought_days__{name}"] = known.days_since(max(bought, default=None))
    return {
        **features,
        "top_category": _top(known, cared, vocabulary),
        "novelty_90d": _novelty(known, cared),
        "price_level": _price_level(known, cared, usual),
    }


def interest(known: Known, events: Sequence[Row]) -> Fraction:
    """Σ weight × 2^(−d / 30) to nine decimals, d = the 24-hour windows that lie between."""
    total = Fraction(0)
    for event in events:
        age = known.as_of - event["occurred_at"] - timedelta(microseconds=1)
        total += WEIGHTS[event["type"]] * _decay(age.days)
    return total


@cache
def _decay(days: int) -> Fraction:
    with localcontext() as context:
        context.prec = 40
        return round(Fraction(Decimal(2) ** (Decimal(-days) / HALF_LIFE)), 9)


def _top(known: Known, cared: dict[str, list[Row]], vocabulary: Mapping[str, str]) -> str | None:
    """Of most interest, the first by name among equals, of which the others are the last."""
    best: tuple[str, Fraction] | None = None
    for category in sorted(cared, key=lambda name: (name not in vocabulary, name)):
        own = interest(known, cared[category])
        if best is None or own > best[1]:
            best = category, own
    if best is None:
        return None
    return best[0] if best[0] in vocabulary else OTHER


def _novelty(known: Known, cared: dict[str, list[Row]]) -> Fraction | None:
    touched = new = 0
    for events in cared.values():
        times = [event["occurred_at"] for event in events]
        touched += known.within(max(times), 90)
        new += known.within(min(times), 90)
    return share(new, touched)


def _priced(known: Known, events: Sequence[Row]) -> list[Fraction]:
    """Unit prices of the purchase lines of the last 365 days."""
    return [
        exact(event["unit_price"])
        for event in events
        if event["type"] == "purchase"
        and event.get("unit_price") is not None
        and known.within(event["occurred_at"], 365)
    ]


def _usual_prices(known: Known) -> dict[str, Fraction]:
    """The mean unit price in each category."""
    prices = {
        category: _priced(known, events) for category, events in _cared(known, known.events).items()
    }
    return {name: sum(own, Fraction(0)) / len(own) for name, own in prices.items() if own}


def _price_level(
    known: Known, cared: dict[str, list[Row]], usual: Mapping[str, Fraction]
) -> Fraction | None:
    own = {category: _priced(known, events) for category, events in cared.items()}
    paid = sum(chain.from_iterable(own.values()), Fraction(0))
    at_usual = sum(
        (usual[category] * len(prices) for category, prices in own.items() if prices), Fraction(0)
    )
    return share(paid, at_usual)
