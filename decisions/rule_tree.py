"""A rule as data: what its text was read into, and that text again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from decisions.errors import DecisionError

# A moment is a whole day of UTC (``date``) or an instant (``datetime``, with an offset).
Literal = float | str | date
KEYWORDS = frozenset({"and", "or", "not", "in", "between", "true", "false"})
# Each function over a category: the feature it reads, how it compares, may the number be left out.
FUNCTIONS: Mapping[str, tuple[str, str, bool]] = {
    "viewed_category": ("seen_days__", "<=", True),
    "bought_category": ("bought_days__", "<=", True),
    "interested_in": ("interest__", ">=", False),
}


class RuleError(DecisionError):
    """A rule that does not parse, or that asks what the features cannot tell."""


def _place() -> int:
    """Character of the text, counted from 1; 0 in a rule that was not read from text."""
    return field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    name: str
    operator: str
    value: Literal
    at: int = _place()


@dataclass(frozen=True, slots=True)
class Among:
    name: str
    values: tuple[Literal, ...]
    at: int = _place()


@dataclass(frozen=True, slots=True)
class Between:
    """Both ends count as inside."""

    name: str
    low: Literal
    high: Literal
    at: int = _place()


@dataclass(frozen=True, slots=True)
class Known:
    """Whether the feature has a value at all."""

    name: str
    at: int = _place()


@dataclass(frozen=True, slots=True)
class Does:
    """What a member does in a category; ``number`` None means at all.

    function: of ``FUNCTIONS``. category: as the data call it.
    """

    function: str
    category: str
    number: float | None
    at: int = _place()


@dataclass(frozen=True, slots=True)
class Not:
    rule: Rule


@dataclass(frozen=True, slots=True)
class Every:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Some:
    rules: tuple[Rule, ...]


Rule = Compare | Among | Between | Known | Does | Not | Every | Some


def show(rule: Rule) -> str:
    """The rule as text: what ``parse`` reads back as the same rule.

    Raises:
        RuleError: it holds a text with both kinds of quotes, or a name with a backtick.
    """
    match rule:
        case Compare(name, operator, value):
            return f"{_name(name)} {operator} {shown(value)}"
        case Among(name, values):
            return f"{_name(name)} in [{', '.join(map(shown, values))}]"
        case Between(name, low, high):
            return f"{_name(name)} between {shown(low)} and {shown(high)}"
        case Known(name):
            return f"known({_name(name)})"
        case Does(function, category, number):
            level = "" if number is None else f", {shown(number)}"
            return f"{function}({shown(category)}{level})"
        case Not(Known(name)):
            return f"missing({_name(name)})"
        case Not(inner):
            return f"not {_inside(inner, (Every, Some))}"
        case Every(rules):
            return " and ".join(_inside(part, (Every, Some)) for part in rules)
        case Some(rules):
            return " or ".join(_inside(part, (Some,)) for part in rules)


def _inside(rule: Rule, bracketed: tuple[type[Every | Some], ...]) -> str:
    return f"({show(rule)})" if isinstance(rule, bracketed) else show(rule)


def _name(name: str) -> str:
    if re.fullmatch(r"[^\W\d]\w*", name) and name not in KEYWORDS:
        return name
    if not name or "`" in name:
        raise RuleError(f"no rule can name a feature {name!r}")
    return f"`{name}`"


def shown(value: Literal) -> str:
    """A literal as a rule writes it."""
    match value:
        case str():
            if '"' in value and "'" in value:
                raise RuleError(f"no rule can write {value!r}: it holds both kinds of quotes")
            return f"'{value}'" if '"' in value else f'"{value}"'
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case _:
            return repr(float(value)).removesuffix(".0")
