"""The text of a rule, read: tokens and grammar.

rule       = every { "or" every }
every      = single { "and" single }
single     = "not" single | "(" rule ")" | condition
condition  = name ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) literal
           | name "in" "[" literal { "," literal } "]"
           | name "between" literal "and" literal
           | ( "known" | "missing" ) "(" name ")"
           | function "(" text [ "," number ] ")"
literal    = number | duration | date | text | "true" | "false"
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

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
)

MAX_LENGTH = 4096
MAX_DEPTH = 32
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")
_TESTS = ("known", "missing")
_DAYS = {"d": 1.0, "w": 7.0, "h": 1 / 24}
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
_MOMENT = re.compile(f"{_DATE}(?:[T ]{_TIME})?")
_TOKEN = re.compile(
    rf"\s*(?:(?P<date>{_DATE}(?:T{_TIME})?)(?![\w.:])"
    rf"|(?P<duration>{_NUMBER}[dwh])(?![\w.])"
    rf"|(?P<number>{_NUMBER}(?:[eE][+-]?[0-9]+)?)(?![\w.])"
    r"|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<name>[^\W\d]\w*|`[^`]+`)"
    r"|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,))"
)


def parse(text: str) -> Rule:
    """Read a rule. Raises ``RuleError`` with the place where it stops making sense."""
    if len(text) > MAX_LENGTH:
        raise RuleError(f"the rule has {len(text)} characters, at most {MAX_LENGTH} are read")
    return _Parser(text).whole()


def moment(text: str) -> date | None:
    """A day or an instant, without an offset of UTC; None for text that is no date.

    Raises:
        RuleError: it looks like a date, and the calendar has no such day or time.
    """
    if not _MOMENT.fullmatch(text):
        return None
    try:
        if len(text) == len("2026-05-01"):
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise RuleError(f"no such date: {text} ({error})") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """What may have been meant, to end a message with; empty where nothing is near."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(near)}" if near else ""


@dataclass(frozen=True, slots=True)
class _Token:
    """at: character of the text, counted from 1."""

    kind: str
    text: str
    at: int


class _Parser:
    """Recursive descent over the tokens of one rule."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def whole(self) -> Rule:
        rule = self._some(0)
        if self._peek().kind != "end":
            raise self._stuck("and, or, or the end")
        return rule

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

    def _need(self, word: str, wanted: str) -> None:
        if not self._word(word):
            raise self._stuck(wanted)

    def _stuck(self, wanted: str) -> RuleError:
        token = self._peek()
        return RuleError(f"the rule has {token.text!r} at character {token.at}, wanted {wanted}")

    def _some(self, depth: int) -> Rule:
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
        if depth > MAX_DEPTH:
            raise RuleError(
                f"the rule nests deeper than {MAX_DEPTH} at character {self._peek().at}"
            )
        if self._word("not"):
            return Not(self._single(depth + 1))
        if self._word("("):
            inner = self._some(depth + 1)
            self._need(")", "a closing bracket")
            return inner
        return self._condition()

    def _condition(self) -> Rule:
        token = self._peek()
        name = self._name("a feature name")
        if self._peek().text == "(":
            return self._function(token)
        if self._word("in"):
            return Among(name, self._listed(), token.at)
        if self._word("between"):
            low = self._literal()
            self._need("and", "and")
            return Between(name, low, self._literal(), token.at)
        if self._peek().text not in _OPERATORS:
            raise self._stuck(f"{', '.join(_OPERATORS)}, in or between")
        return Compare(name, self._take().text, self._literal(), token.at)

    def _name(self, wanted: str) -> str:
        if self._peek().kind != "name":
            raise self._stuck(wanted)
        return self._take().text.strip("`")

    def _function(self, called: _Token) -> Rule:
        if called.text not in (*_TESTS, *FUNCTIONS):
            near = nearest(called.text, (*_TESTS, *FUNCTIONS))
            raise RuleError(f"no function {called.text!r} at character {called.at}{near}")
        self._need("(", "an opening bracket")
        if called.text in _TESTS:
            known = Known(self._name("a feature name"), called.at)
            self._need(")", "a closing bracket")
            return known if called.text == "known" else Not(known)
        if self._peek().kind != "text":
            raise self._stuck("a category in quotes")
        category, number = self._take().text[1:-1], None
        if self._word(","):
            number = self._number()
        elif not FUNCTIONS[called.text][2]:
            raise self._stuck("a comma and a number")
        self._need(")", "a closing bracket")
        return Does(called.text, category, number, called.at)

    def _listed(self) -> tuple[Literal, ...]:
        self._need("[", "a list such as [1, 2]")
        values = [self._literal()]
        while self._word(","):
            values.append(self._literal())
        self._need("]", "a closing ]")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._peek()
        if token.kind == "text":
            return self._take().text[1:-1]
        if token.kind == "name" and token.text in ("true", "false"):
            return float(self._take().text == "true")
        if token.kind == "date":
            try:
                return moment(self._take().text) or token.text
            except RuleError as error:
                raise RuleError(f"{error} at character {token.at}") from error
        return self._number("a number, a date, true, false or text in quotes")

    def _number(self, wanted: str = "a number") -> float:
        token = self._peek()
        if token.kind == "duration":
            value = float(token.text[:-1]) * _DAYS[token.text[-1]]
        elif token.kind == "number":
            value = float(token.text)
        else:
            raise self._stuck(wanted)
        if not math.isfinite(value):
            raise self._stuck("a number that is not endless")
        self._next += 1
        return value


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            hint = "; to compare, write ==" if text[at] == "=" else ""
            raise RuleError(
                f"cannot read the rule at character {at + 1}: {text[at : at + 20]!r}{hint}"
            )
        kind = str(found.lastgroup)
        yield _Token(kind, found.group(kind), found.start(kind) + 1)
        at = found.end()
    yield _Token("end", "the end", end + 1)
