"""Hand-written rules as data: a small safe language over feature names.

    lifecycle == "slipping" and orders_365d >= 2 and not (region in ["north", "east"])
    recency_days between 60 and 180 or tier != "gold"

A name is a feature; one with other characters than letters, digits and ``_`` is written in
backticks. A comparison with a missing value is false, whatever the operator.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decisions.errors import DecisionError

Literal = float | str
MAX_LENGTH = 4096
MAX_DEPTH = 32


class RuleError(DecisionError):
    """A rule that does not parse, or that names a feature which does not exist."""


class FeatureNames(Protocol):
    """What a rule needs to know of the features: their columns and category codes."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]: ...
    def code(self, name: str, value: str) -> float: ...


@dataclass(frozen=True, slots=True)
class Compare:
    name: str
    operator: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Among:
    name: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Both ends count as inside."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Not:
    rule: Rule


@dataclass(frozen=True, slots=True)
class Every:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Some:
    rules: tuple[Rule, ...]


Rule = Compare | Among | Between | Not | Every | Some

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])"
    r"|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<name>[^\W\d]\w*|`[^`]+`)"
    r"|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,))"
)
_COMPARE: Mapping[str, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def parse(text: str) -> Rule:
    """Read a rule. Raises ``RuleError`` with the place where it stops making sense."""
    if len(text) > MAX_LENGTH:
        raise RuleError(f"the rule has {len(text)} characters, at most {MAX_LENGTH} are read")
    return _Parser(text).whole()


def features_of(rule: Rule) -> Iterator[str]:
    """The feature names that ``rule`` reads, in order of appearance."""
    match rule:
        case Not(inner):
            yield from features_of(inner)
        case Every(rules) | Some(rules):
            for part in rules:
                yield from features_of(part)
        case Compare() | Among() | Between():
            yield rule.name


def check(rule: Rule, features: FeatureNames) -> None:
    """Raises ``RuleError`` when ``rule`` names a feature or a category's value that does not exist,
    or compares a feature with what it cannot be."""
    for name in features_of(rule):
        if name not in features.names:
            raise RuleError(f"no feature {name!r}{_nearest(name, features.names)}")
    _check_types(rule, features)


def _check_types(rule: Rule, features: FeatureNames) -> None:
    match rule:
        case Not(inner):
            _check_types(inner, features)
        case Every(rules) | Some(rules):
            for part in rules:
                _check_types(part, features)
        case Compare(name, operator, value):
            _check_type(name, [value], features)
            if isinstance(value, str) and operator not in ("==", "!="):
                raise RuleError(f"{name} is a category: compare it with ==, != or in")
        case Among(name, values):
            _check_type(name, values, features)
        case Between(name, low, _):
            _check_type(name, [low], features)


def _check_type(name: str, values: Sequence[Literal], features: FeatureNames) -> None:
    category = name in features.categories
    for value in values:
        if isinstance(value, str) != category:
            wanted = "text in quotes" if category else "a number"
            raise RuleError(f"{name} is compared with {value!r}, wanted {wanted}")
        if isinstance(value, str) and value not in features.categories[name]:
            raise RuleError(
                f"{name} never is {value!r}{_nearest(value, features.categories[name])}"
            )


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"; nearest: {', '.join(near)}" if near else ""


def matches(rule: Rule, values: NDArray[np.float32], features: FeatureNames) -> NDArray[np.bool_]:
    """Which rows of ``values``, shape (members, features), satisfy ``rule``.

    Raises:
        RuleError: as ``check``.
    """
    check(rule, features)
    columns = {
        name: values[:, features.names.index(name)].astype(np.float64)
        for name in set(features_of(rule))
    }
    return _evaluate(rule, columns, features)


def _evaluate(
    rule: Rule, columns: Mapping[str, NDArray[np.float64]], features: FeatureNames
) -> NDArray[np.bool_]:
    match rule:
        case Not(inner):
            return ~_evaluate(inner, columns, features)
        case Every(rules):
            return np.asarray(np.all([_evaluate(r, columns, features) for r in rules], axis=0))
        case Some(rules):
            return np.asarray(np.any([_evaluate(r, columns, features) for r in rules], axis=0))
        case Compare(name, operator, value):
            wanted = features.code(name, value) if isinstance(value, str) else value
            column = columns[name]
            return _COMPARE[operator](column, wanted) & ~np.isnan(column)
        case Among(name, listed):
            codes = [features.code(name, v) if isinstance(v, str) else v for v in listed]
            return np.isin(columns[name], [code for code in codes if not np.isnan(code)])
        case Between(name, low, high):
            return (columns[name] >= low) & (columns[name] <= high)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    """Recursive descent over the tokens of one rule."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._read(text))
        self._next = 0

    def whole(self) -> Rule:
        rule = self._some(0)
        if self._peek().kind != "end":
            raise self._stuck("and, or, or the end")
        return rule

    def _read(self, text: str) -> Iterator[_Token]:
        at = 0
        end = len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                at += len(text[at:]) - len(text[at:].lstrip())
                raise RuleError(
                    f"cannot read the rule at character {at + 1}: {text[at : at + 20]!r}"
                )
            kind = str(found.lastgroup)
            yield _Token(kind, found.group(kind), found.start(kind))
            at = found.end()
        yield _Token("end", "the end", end)

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _word(self, word: str) -> bool:
        """Take ``word`` if it comes next."""
        token = self._peek()
        if token.kind in ("name", "sign") and token.text == word:
            self._next += 1
            return True
        return False

    def _stuck(self, wanted: str) -> RuleError:
        token = self._peek()
        return RuleError(
            f"the rule has {token.text!r} at character {token.at + 1}, wanted {wanted}"
        )

    def _some(self, depth: int) -> Rule:
        if depth > MAX_DEPTH:
            raise RuleError(f"the rule nests deeper than {MAX_DEPTH} brackets")
        rules = [self._every(depth)]
        while self._word("or"):
            rules.append(self._every(depth))
        return rules[0] if len(rules) == 1 else Some(tuple(rules))

    def _every(self, depth: int) -> Rule:
        rules = [self._single(depth)]
        while self._word("and"):
            rules.append(self._single(depth))
        return rules[0] if len(rules) == 1 else Every(tuple(rules))

    def _single(self, depth: int) -> Rule:
        if self._word("not"):
            if depth > MAX_DEPTH:
                raise RuleError(f"the rule nests deeper than {MAX_DEPTH} times")
            return Not(self._single(depth + 1))
        if self._word("("):
            inner = self._some(depth + 1)
            if not self._word(")"):
                raise self._stuck("a closing bracket")
            return inner
        return self._comparison()

    def _comparison(self) -> Rule:
        if self._peek().kind != "name":
            raise self._stuck("a feature name")
        name = self._take().text.strip("`")
        if self._word("in"):
            return Among(name, self._listed())
        if self._word("between"):
            low = self._number()
            if not self._word("and"):
                raise self._stuck("and")
            return Between(name, low, self._number())
        if self._peek().text not in _COMPARE:
            raise self._stuck("==, !=, <, <=, >, >=, in or between")
        operator = self._take().text
        return Compare(name, operator, self._literal())

    def _listed(self) -> tuple[Literal, ...]:
        if not self._word("["):
            raise self._stuck("a list such as [1, 2]")
        values = [self._literal()]
        while self._word(","):
            values.append(self._literal())
        if not self._word("]"):
            raise self._stuck("a closing ]")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._peek()
        if token.kind == "text":
            return self._take().text[1:-1]
        if token.kind == "name" and token.text in ("true", "false"):
            return float(self._take().text == "true")
        return self._number()

    def _number(self) -> float:
        if self._peek().kind != "number":
            raise self._stuck("a number or text in quotes")
        return float(self._take().text)
