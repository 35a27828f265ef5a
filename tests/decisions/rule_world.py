"""Features to write rules over, rules at random, and what they mean in plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import strategies as st

from decisions.rule_tree import (
    Among,
    Between,
    Compare,
    Does,
    Every,
    Known,
    Literal,
    Not,
    Rule,
    Some,
)
from tests.decisions.conftest import Names

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
WORLD = Names(
    names=(
        "points_balance", "lifecycle", "joined", "points_expire_days", "seen_days__new-york",
        "bought_days__new-york", "interest__new-york", "odd name",
    ),
    categories={"lifecycle": ("active", "slipping", 'the "new"')},
    since=("joined", "seen_days__new-york", "bought_days__new-york"),
    until=("points_expire_days",),
    vocabulary={"new-york": "new-york", "São Paulo (SP)": "new-york"},
)  # fmt: skip
DATED = (*WORLD.since, *WORLD.until)
OPERATORS = ("==", "!=", "<", "<=", ">", ">=")

_numbers = st.integers(-3, 40).map(float) | st.sampled_from([0.5, 1 / 24, 1e-7, 1e30])
_days = st.dates(date(2026, 4, 1), date(2026, 6, 10))
_instants = st.builds(
    lambda hours: AS_OF + timedelta(hours=hours), st.integers(-900, 900)
)  # fmt: skip
_texts = st.sampled_from(WORLD.categories["lifecycle"])
_plain = st.sampled_from([n for n in WORLD.names if n != "lifecycle" and n not in DATED])
_counting = st.sampled_from(DATED)


def _values(name: str) -> st.SearchStrategy[Literal]:
    if name == "lifecycle":
        return _texts
    return _numbers | _days | _instants if name in DATED else _numbers


def _conditions(name: str) -> st.SearchStrategy[Rule]:
    values = _values(name)
    operators = st.sampled_from(OPERATORS[:2] if name == "lifecycle" else OPERATORS)
    choices: list[st.SearchStrategy[Rule]] = [
        st.builds(Compare, st.just(name), operators, values),
        st.builds(Among, st.just(name), st.lists(values, min_size=1, max_size=3).map(tuple)),
        st.builds(Known, st.just(name)),
    ]
    if name != "lifecycle":
        ends = [_numbers, _days, _instants] if name in DATED else [_numbers]
        choices += [
            st.builds(lambda a, b: Between(name, min(a, b), max(a, b)), kind, kind) for kind in ends
        ]
    return st.one_of(choices)


_does = st.builds(
    Does,
    st.sampled_from(["viewed_category", "bought_category"]),
    st.sampled_from(list(WORLD.vocabulary)),
    st.none() | _numbers,
) | st.builds(Does, st.just("interested_in"), st.just("new-york"), _numbers)
RULES: st.SearchStrategy[Rule] = st.recursive(
    st.sampled_from(WORLD.names).flatmap(_conditions) | _does,
    lambda rules: st.one_of(
        rules.map(Not),
        st.lists(rules, min_size=2, max_size=3).map(tuple).map(Every),
        st.lists(rules, min_size=2, max_size=3).map(tuple).map(Some),
    ),
    max_leaves=12,
)


def _row(numbers: tuple[float | None, ...], code: int | None) -> tuple[float, ...]:
    row = [np.nan if number is None else number for number in numbers]
    row[1] = np.nan if code is None else code
    return tuple(row)


# Whole hours, so that the slow meaning of a date is exact.
_cells = st.none() | st.integers(-3, 40).map(float) | st.integers(-900, 900).map(lambda h: h / 24)
ROWS = st.lists(
    st.builds(_row, st.tuples(*[_cells] * len(WORLD.names)), st.none() | st.integers(0, 2)),
    max_size=8,
)


def holds(rule: Rule, row: Mapping[str, float]) -> bool:
    """Whether one member satisfies ``rule``: slow, and written from docs/rules.md."""
    match rule:
        case Not(inner):
            return not holds(inner, row)
        case Every(rules):
            return all(holds(part, row) for part in rules)
        case Some(rules):
            return any(holds(part, row) for part in rules)
        case Known(name):
            return not math.isnan(row[name])
        case Does("interested_in", category, number):
            return bool(row[f"interest__{WORLD.vocabulary[category]}"] >= np.float32(number or 0))
        case Does(function, category, number):
            kind = "seen_days__" if function == "viewed_category" else "bought_days__"
            days = row[kind + WORLD.vocabulary[category]]
            if number is None:
                return not math.isnan(days)
            return bool(days <= np.float32(number))
        case Among(name, values):
            return any(_compares(row[name], name, "==", value) for value in values)
        case Between(name, low, high):
            return _compares(row[name], name, ">=", low) and _compares(row[name], name, "<=", high)
        case Compare(name, operator, value):
            return _compares(row[name], name, operator, value)


def _compares(found: float, name: str, operator: str, value: Literal) -> bool:
    if math.isnan(found):
        return False
    if isinstance(value, str):
        return _sign(WORLD.categories[name][int(found)], value, operator)
    if not isinstance(value, date):
        return _sign(float(found), float(np.float32(value)), operator)
    seconds = 3_600 * round(float(found) * 24)
    away = timedelta(seconds=-seconds if name in WORLD.since else seconds)
    moment = AS_OF + away
    if isinstance(value, datetime):
        return _sign(moment, value, operator)
    return _sign(moment.date(), value, operator)


def _sign(found: object, wanted: object, operator: str) -> bool:
    return bool({
        "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    }[operator](found, wanted))  # fmt: skip
