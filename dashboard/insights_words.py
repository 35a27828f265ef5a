"""What stages, tiers and reasons of the analyses are called on pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.charts.figure import Words
from dashboard.web.language import noted

STAGES: Mapping[str, str] = {
    "never_bought": noted("never bought"),
    "new": noted("new"),
    "active": noted("active"),
    "loyal": noted("loyal"),
    "slipping": noted("slipping"),
    "lapsed": noted("lapsed"),
    "joined": noted("just joined"),
}
TIERS: Mapping[str, str] = {
    "gold": noted("gold"),
    "silver": noted("silver"),
    "bronze": noted("bronze"),
    "none": noted("no tier"),
    "joined": noted("just joined"),
}
REASONS: Mapping[str, str] = {
    "too_early": noted("too early to say"),
    "too_few_members": noted("too few members"),
    "no_joining_dates": noted("no member says when they joined"),
    "no_holdout": noted("cannot say: nobody was held out by chance"),
    "srm": noted("cannot say: the split of the members is wrong"),
}
_OTHER = noted("cannot say")


def named(names: Mapping[str, str], words: Words) -> dict[str, str]:
    """``names`` in the reader's language, by code."""
    return {code: words(name) for code, name in names.items()}


def why(untold: Mapping[str, Any], words: Words) -> str:
    """Why something cannot be told, by its reason."""
    return words(REASONS.get(untold["reason"], _OTHER))


def day(moment: str) -> str:
    """The day of a moment in ISO 8601, as every reader writes it."""
    return moment[:10]
