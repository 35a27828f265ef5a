"""Rules: what they mean, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.rules import RuleError, features_of, matches, parse
from tests.decisions.conftest import Names, members

PEOPLE = members(
    (1, 10, 0, 0), (1, 90, 1, 2), (0, 200, 1, 0), (1, np.nan, np.nan, 1)
)  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "who"),
    [
        ('lifecycle == "slipping"', [1, 2]),
        ("lifecycle != 'slipping'", [0]),
        ("recency_days between 10 and 90", [0, 1]),
        ("recency_days > 50 and consent_push == true", [1]),
        ("recency_days > 150 or contacts_7d >= 2", [1, 2]),
        ("not recency_days > 50", [0, 3]),
        ("contacts_7d in [1, 2]", [1, 3]),
        ('lifecycle in ["slipping", "active"]', [0, 1, 2]),
        ("recency_days < 20 or recency_days > 50 and consent_push == 0", [0, 2]),
        ("(recency_days < 20 or recency_days > 50) and consent_push == 0", [2]),
        ("`recency_days` == 1e1", [0]),
    ],
)
def test_a_rule_selects_the_members_it_describes(rule: str, who: list[int]) -> None:
    found = matches(parse(rule), PEOPLE.values, PEOPLE.encoding)
    assert np.flatnonzero(found).tolist() == who


def test_a_missing_value_satisfies_no_comparison() -> None:
    for operator in ("==", "!=", "<", "<=", ">", ">="):
        found = matches(parse(f"recency_days {operator} 5"), PEOPLE.values, PEOPLE.encoding)
        assert not found[3]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("recency_dys > 3", "no feature 'recency_dys'; nearest: recency_days"),
        ('lifecycle == "sliping"', "lifecycle never is 'sliping'; nearest: slipping"),
        ('lifecycle in ["active", "gone"]', "lifecycle never is 'gone'"),
        ("recency_days >", "wanted a number or text in quotes"),
        ("recency_days > 3 consent_push == 1", "wanted and, or, or the end"),
        ("(recency_days > 3", "a closing bracket"),
        ("recency_days = 3", "cannot read the rule at character 14"),
        ('recency_days > "3"', "wanted a number"),
        ("lifecycle == 3", "wanted text in quotes"),
        ('lifecycle > "active"', "compare it with ==, != or in"),
        ("contacts_7d in []", "wanted a number or text in quotes"),
        ("", "a feature name"),
        ("__import__('os')", "at character 11"),
        ("(" * 100 + "recency_days > 1" + ")" * 100, "nests deeper"),
        ("not " * 100 + "recency_days > 1", "nests deeper"),
        ("recency_days > " + "1" * 5000, "at most 4096"),
    ],
)
def test_a_wrong_rule_says_what_was_wanted(rule: str, message: str) -> None:
    with pytest.raises(RuleError, match=message.replace("(", r"\(").replace("[", r"\[")):
        matches(parse(rule), PEOPLE.values, PEOPLE.encoding)


def test_a_rule_names_its_features() -> None:
    assert list(features_of(parse("not (a > 1 or b in [1]) and c between 1 and 2"))) == [
        "a", "b", "c",
    ]  # fmt: skip


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused_with_a_rule_error(text: str) -> None:
    try:
        rule = parse(text)
    except RuleError:
        return
    assert all(isinstance(name, str) for name in features_of(rule))


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30), st.floats(-1e6, 1e6))
def test_a_rule_and_its_negation_split_the_members(recency: list[float], limit: float) -> None:
    people = members(*[(1.0, days, 0.0, 0.0) for days in recency])
    rule = f"recency_days <= {limit:f}"
    inside = matches(parse(rule), people.values, Names())
    outside = matches(parse(f"not ({rule})"), people.values, Names())
    assert (inside ^ outside).all()
