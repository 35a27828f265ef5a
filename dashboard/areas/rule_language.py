"""Help to write a rule: features by name with what they can be compared with, and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.web.language import noted
from decisions.rules import RuleError, check, parse
from features.encoding import Encoding

_TRUE_OR_FALSE = ("consent_", "unsubscribed")
_MOST_VALUES = 30
NUMBER, DAYS_SINCE, DAYS_UNTIL, FLAG, TEXT = (
    noted("number"), noted("days since, or a date"), noted("days until, or a date"),
    noted("true or false"), noted("text"),
)  # fmt: skip
# As docs/rules.md writes them, and over features that nearly every workspace has.
_EXAMPLES = (
    'lifecycle == "slipping" and orders_365d >= 2',
    'lifecycle in ["slipping", "lapsed"] and value_tier in ["gold", "silver"]',
    "recency_days between 60 and 180 or points_balance > 1000",
    "abandoned_carts_30d > 0 and last_seen_days < 7d",
    "consent_email == true and not (contacts_7d >= 2)",
    "points_expire_days < 30d and points_balance >= 500",
    "recency_days between 10 and 60 and average_order > 50",
    "missing(recency_days)",
)


@dataclass(frozen=True, slots=True)
class Known:
    """One feature. kind: what it is compared with. values: of a text; empty of others. more: how
    many values there are beside these. example: a condition on it."""

    name: str
    kind: str
    values: Sequence[str]
    more: int
    example: str


def features(encoding: Encoding, find: str = "") -> Sequence[Known]:
    """The features whose name, or one of whose values, holds every word of ``find``."""
    asked = find.casefold().split()
    found = []
    for name in encoding.names:
        values = encoding.categories.get(name, ())
        text = " ".join((name, name.replace("_", " "), *values)).casefold()
        if all(word in text for word in asked):
            found.append(_known(name, values, encoding))
    return found


def examples(encoding: Encoding) -> Sequence[str]:
    """Rules that hold over these features."""
    category = next((name for name in encoding.vocabulary if "'" not in name), "")
    browsed = f"viewed_category('{category}', 30d) and not bought_category('{category}', 90d)"
    return [rule for rule in (*_EXAMPLES, browsed) if _holds(rule, encoding)]


def _holds(rule: str, encoding: Encoding) -> bool:
    try:
        check(parse(rule), encoding)
    except RuleError:
        return False
    return True


def _known(name: str, values: Sequence[str], encoding: Encoding) -> Known:
    written = name if name.isidentifier() else f"`{name}`"
    if values:
        shown = values[:_MOST_VALUES]
        return Known(name, TEXT, shown, len(values) - len(shown), f'{written} == "{values[0]}"')
    if name in encoding.since:
        return Known(name, DAYS_SINCE, (), 0, f"{written} <= 30d")
    if name in encoding.until:
        return Known(name, DAYS_UNTIL, (), 0, f"{written} <= 30d")
    if name.startswith(_TRUE_OR_FALSE):
        return Known(name, FLAG, (), 0, f"{written} == true")
    return Known(name, NUMBER, (), 0, f"{written} >= 2")
