"""How many members want an item."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from tests.features.given import Given, Row, ago, events, one, shown


def did(kind: str, days: float, member: str, item: str | None = "i1", **more: object) -> Row:
    row = {"member_id": member, "type": kind, "occurred_at": ago(days), "item_id": item}
    return {**row, **more}


def view(
    given: Given, *rows: Row, items: tuple[Row, ...] = (), clicks: bool = True
) -> pd.DataFrame:
    tables = given.tables(events=events(*rows), items=list(items))
    return shown(replace(tables, has_clickstream=clicks), "popularity")


def test_counts_buyers_not_purchases(given: Given) -> None:
    item = one(
        view(
            given,
            did("purchase", 5, "anna"),
            did("purchase", 6, "anna"),
            did("purchase", 7, "ben"),
            did("purchase", 50, "anna"),
            did("purchase", 50, "cleo"),
            did("purchase", 50, "dora"),
            did("purchase", 50, "emil"),
            did("view", 3, "emil"),
        ),
        "i1",
    )
    assert item[["buyers_30d", "buyers_90d", "views_30d"]].tolist() == [2, 5, 1]
    assert item["trend"] == pytest.approx(math.log(3 / 3))


def test_price_and_category_come_from_the_item_else_from_its_events(given: Given) -> None:
    shown = view(
        given,
        did("purchase", 5, "anna", "i1", unit_price=10, category="events' own"),
        did("purchase", 5, "anna", "i2", unit_price=20, category="beach"),
        did("purchase", 5, "ben", "i2", unit_price=40, category="beach"),
        items=(
            {"item_id": "i1", "price": 12, "category": "city", "margin_rate": 0.2},
            {"item_id": "i3", "price": 5},
        ),
    )
    assert shown["price"].to_dict() == {"i1": 12, "i2": 30, "i3": 5}
    assert shown["category"].to_dict() == {"i1": "city", "i2": "beach", "i3": None}
    assert shown["margin_rate"]["i1"] == 0.2
    assert shown["buyers_90d"]["i3"] == 0


def test_events_without_an_item_are_no_item(given: Given) -> None:
    shown = view(given, did("view", 1, "anna", None), did("view", 1, "anna"), clicks=False)
    assert shown.index.tolist() == ["i1"]
    assert "views_30d" not in shown.columns
