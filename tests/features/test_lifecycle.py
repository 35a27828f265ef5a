"""Where a member stands by their own rhythm."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.features.given import Given, Row, ago, events, shown


def view(given: Given, orders: dict[str, list[float]], price: float = 10) -> pd.DataFrame:
    """orders: member to the days ago on which they bought."""
    rows: list[Row] = [
        {"member_id": name, "type": "purchase", "occurred_at": ago(day), "unit_price": price}
        for name, days in orders.items()
        for day in days
    ]
    tables = given.tables(events=events(*rows), members=[{"member_id": name} for name in orders])
    return shown(tables, "lifecycle")


@pytest.mark.parametrize(
    ("stage", "days"),
    [
        ("never_bought", []),
        ("new", [3, 10]),
        ("loyal", [10, 40, 70, 100]),
        ("active", [20, 50, 80]),
        ("slipping", [60, 90, 120]),
        ("lapsed", [120, 150, 180]),
    ],
)
def test_a_member_who_buys_monthly(given: Given, stage: str, days: list[float]) -> None:
    others = {f"other{number}": [5.0, 35.0] for number in range(3)}  # the usual gap is 30 days
    assert view(given, {"anna": days, **others})["lifecycle"]["anna"] == stage


def test_the_same_recency_is_late_for_one_and_early_for_another(given: Given) -> None:
    shown = view(given, {"weekly": [40, 47, 54, 61, 68, 75], "yearly": [40, 400, 760]})
    assert shown["lifecycle"].to_dict() == {"weekly": "lapsed", "yearly": "active"}


def test_one_order_is_measured_by_the_usual_gap(given: Given) -> None:
    monthly = {f"m{number}": [5.0, 35.0] for number in range(3)}
    shown = view(given, {**monthly, "once": [40.0], "long_ago": [100.0]})
    assert shown["lifecycle"]["once"] == "active"
    assert shown["lifecycle"]["long_ago"] == "lapsed"


def test_ninety_days_are_usual_where_nobody_came_back(given: Given) -> None:
    shown = view(given, {"anna": [100.0], "ben": [200.0], "cleo": [300.0]})
    assert shown["lifecycle"].to_dict() == {"anna": "active", "ben": "slipping", "cleo": "lapsed"}


def test_tiers_split_the_buyers_of_a_year_by_spend(given: Given) -> None:
    rows = [
        {"member_id": f"m{n}", "type": "purchase", "occurred_at": ago(9), "unit_price": 100 - n}
        for n in range(10)
    ]
    old = {"member_id": "old", "type": "purchase", "occurred_at": ago(400), "unit_price": 9999}
    tables = given.tables(
        events=events(*rows, old),
        members=[{"member_id": name} for name in [*(f"m{n}" for n in range(10)), "old", "never"]],
    )
    tiers = shown(tables, "lifecycle")["value_tier"]
    assert tiers[[f"m{n}" for n in range(10)]].tolist() == (
        ["gold"] + ["silver"] * 3 + ["bronze"] * 6
    )
    assert tiers["old"] == tiers["never"] == "none"


def test_equal_spend_is_ordered_by_recency_then_name(given: Given) -> None:
    shown = view(given, {"a": [5], "b": [5], "c": [4], **{f"x{n}": [50] for n in range(7)}})
    assert shown["value_tier"]["c"] == "gold"
    assert shown["value_tier"][["a", "b", "x0"]].tolist() == ["silver"] * 3


@pytest.mark.parametrize(("days", "stage"), [(24, "slipping"), (24.1, "lapsed")])
def test_three_expected_gaps_are_late_and_more_are_lapsed(
    given: Given, days: float, stage: str
) -> None:
    assert view(given, {"anna": [days, days + 8]})["lifecycle"]["anna"] == stage
