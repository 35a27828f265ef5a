"""What a rule means over given features: columns and the float32 numbers to compare them with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decisions.rule_text import moment, nearest
from decisions.rule_tree import (
    FUNCTIONS,
    Among,
    Between,
    Compare,
    Does,
    Every,
    Known,
    Literal,
    Not,
    Rule,
    RuleError,
    Some,
    shown,
)

_DAY = 86_400
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
# Day d is [start, end): how a moment before, in or after it compares with the two.
_OF_DAY = {"<": ("<", 0), "<=": ("<", 1), ">": (">=", 1), ">=": (">=", 0)}


class FeatureNames(Protocol):
    """What a rule needs to know of the features.

    categories: the values of each category feature.
    since, until: the features that count days since a moment, or until one.
    vocabulary: categories as the data call them, to the name that each has inside the names of
        features (``seen_days__<name>``).
    """

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def since(self) -> tuple[str, ...]: ...
    @property
    def until(self) -> tuple[str, ...]: ...
    @property
    def vocabulary(self) -> Mapping[str, str]: ...
    def code(self, name: str, value: str) -> float: ...


@dataclass(frozen=True, slots=True)
class Test:
    """A column compared with one number; false where the column is NaN."""

    column: int
    operator: str
    number: np.float32


@dataclass(frozen=True, slots=True)
class Listed:
    column: int
    numbers: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Present:
    column: int


@dataclass(frozen=True, slots=True)
class Group:
    """every: all parts must hold, else one. negated: what is true becomes false."""

    parts: tuple[Bound, ...]
    every: bool = True
    negated: bool = False


Bound = Test | Listed | Present | Group


def bound(rule: Rule, features: FeatureNames, as_of: datetime) -> Bound:
    """``rule`` over the columns of ``features``, whose values show the knowledge of ``as_of``.

    Raises:
        RuleError: it names a feature, a category or a category's value that does not exist, or
            compares a feature with what it cannot be.
    """
    if as_of.tzinfo is None:
        raise RuleError(f"as_of {as_of.isoformat()} has no offset; add one, such as +00:00")
    columns = {name: column for column, name in enumerate(features.names)}
    return _Binding(features, columns, math.floor(as_of.timestamp())).bound(rule)


@dataclass(frozen=True, slots=True)
class _Binding:
    """columns: by feature. as_of: seconds since 1970, whole, as features count them."""

    features: FeatureNames
    columns: Mapping[str, int]
    as_of: int

    def bound(self, rule: Rule) -> Bound:
        match rule:
            case Compare(name, operator, value):
                return self._compared(name, operator, self._typed(name, value, rule.at), rule.at)
            case Among(name, values):
                return self._among(name, [self._typed(name, v, rule.at) for v in values], rule.at)
            case Between(name, low, high):
                return self._between(rule, name, low, high)
            case Known(name):
                return Present(self._column(name, rule.at))
            case Does():
                return self._does(rule)
            case Not(inner):
                return Group((self.bound(inner),), negated=True)
            case Every(rules):
                return Group(tuple(map(self.bound, rules)))
            case Some(rules):
                return Group(tuple(map(self.bound, rules)), every=False)

    def _column(self, name: str, at: int) -> int:
        column = self.columns.get(name)
        if column is None:
            raise RuleError(f"no feature {name!r}{_where(at)}{nearest(name, self.columns)}")
        return column

    def _typed(self, name: str, value: Literal, at: int) -> float | date:
        """``value`` as what ``name`` can be compared with: a number, a code, a day, an instant."""
        self._column(name, at)
        if name in self.features.categories:
            if not isinstance(value, str):
                raise _unlike(name, value, "text in quotes", at)
            values = self.features.categories[name]
            if value not in values:
                raise RuleError(f"{name} never is {value!r}{_where(at)}{nearest(value, values)}")
            return self.features.code(name, value)
        dated = name in self.features.since or name in self.features.until
        day = _day(value, at) if isinstance(value, str) else value
        if isinstance(day, date) and not dated:
            raise RuleError(
                f"{name} does not count days since or until a moment: it cannot be compared with "
                f"the date {shown(day)}{_where(at)}"
            )
        if day is None:
            raise _unlike(name, value, "a date or a number of days" if dated else "a number", at)
        return day

    def _compared(self, name: str, operator: str, value: float | date, at: int) -> Bound:
        if name in self.features.categories and operator not in ("==", "!="):
            raise RuleError(f"{name}{_where(at)} is a category: compare it with ==, != or in")
        if not isinstance(value, date):
            return Test(self.columns[name], operator, _narrow(value))
        if isinstance(value, datetime):
            return self._moment(name, operator, math.floor(value.timestamp()))
        start = math.floor(datetime.combine(value, time(), UTC).timestamp())
        ends = (start, start + _DAY)
        if operator == "==":
            return Group((self._moment(name, ">=", ends[0]), self._moment(name, "<", ends[1])))
        if operator == "!=":
            outside = (self._moment(name, "<", ends[0]), self._moment(name, ">=", ends[1]))
            return Group(outside, every=False)
        operator, end = _OF_DAY[operator]
        return self._moment(name, operator, ends[end])

    def _moment(self, name: str, operator: str, second: int) -> Test:
        """The moment of a feature against another one, in seconds since 1970.

        Days since grow as the moment gets older, so there the comparison turns round.
        """
        days = (self.as_of - second) / _DAY
        if name in self.features.since:
            return Test(self.columns[name], _MIRRORED[operator], _narrow(days))
        return Test(self.columns[name], operator, _narrow(-days))

    def _among(self, name: str, values: list[float | date], at: int) -> Bound:
        numbers = [value for value in values if not isinstance(value, date)]
        listed = Listed(self.columns[name], np.array([_narrow(n) for n in numbers], np.float32))
        days = [self._compared(name, "==", v, at) for v in values if isinstance(v, date)]
        return Group((listed, *days), every=False) if days else listed

    def _between(self, rule: Between, name: str, low: Literal, high: Literal) -> Bound:
        if name in self.features.categories:
            raise RuleError(f"{name}{_where(rule.at)} is a category: compare it with ==, != or in")
        ends = self._typed(name, low, rule.at), self._typed(name, high, rule.at)
        if isinstance(ends[0], date) != isinstance(ends[1], date):
            raise RuleError(f"{name}{_where(rule.at)} is between a date and a number")
        if _order(ends[0]) > _order(ends[1]):
            raise RuleError(
                f"{name}{_where(rule.at)} cannot be between {shown(low)} and {shown(high)}: write "
                "the smaller one first"
            )
        return Group(
            (
                self._compared(name, ">=", ends[0], rule.at),
                self._compared(name, "<=", ends[1], rule.at),
            )
        )

    def _does(self, rule: Does) -> Bound:
        prefix, operator, _ = FUNCTIONS[rule.function]
        vocabulary = self.features.vocabulary
        if rule.category not in vocabulary:
            known = nearest(rule.category, vocabulary) or f" (there are {len(vocabulary)})"
            raise RuleError(f"no category {rule.category!r}{_where(rule.at)}{known}")
        column = self.columns.get(prefix + vocabulary[rule.category])
        if column is None:
            raise RuleError(
                f"{rule.function}{_where(rule.at)} reads features {prefix}*, which this workspace "
                "does not have"
            )
        if rule.number is None:
            return Present(column)
        return Test(column, operator, _narrow(rule.number))


def _day(text: str, at: int) -> date | None:
    try:
        return moment(text)
    except RuleError as error:
        raise RuleError(f"{error}{_where(at)}") from error


def _order(value: float | date) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC).timestamp()
    return value


def _narrow(value: float) -> np.float32:
    with np.errstate(over="ignore"):  # beyond float32 is beyond every feature
        return np.float32(value)


def _unlike(name: str, value: Literal, wanted: str, at: int) -> RuleError:
    return RuleError(f"{name} is compared with {shown(value)}{_where(at)}, wanted {wanted}")


def _where(at: int) -> str:
    return f" at character {at}" if at else ""
