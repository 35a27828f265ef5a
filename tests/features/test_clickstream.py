"""What a member did on site and in the app."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.features.given import Given, Row, ago, events, one, shown


def did(kind: str, days: float, member: str = "anna", **more: object) -> Row:
    return {"member_id": member, "type": kind, "occurred_at": ago(days), **more}


def view(given: Given, *rows: Row, items: tuple[Row, ...] = ()) -> pd.Series:
    tables = given.tables(events=events(*rows), items=list(items), members=[{"member_id": "anna"}])
    return one(shown(tables, "clickstream"), "anna")


def test_a_session_is_counted_once_and_without_an_id_one_a_day(given: Given) -> None:
    anna = view(
        given,
        did("view", 1.1, session_id="s1"),
        did("search", 1.2, session_id="s1"),
        did("view", 20.1, session_id="s2"),
        did("view", 3.1),
        did("view", 3.2),
    )
    assert anna["sessions_7d"] == 2
    assert anna["sessions_30d"] == 3
    assert anna[["views_7d", "views_30d", "views_90d", "searches_30d"]].tolist() == [3, 4, 4, 1]
    assert anna["last_seen_days"] == pytest.approx(1.1)


def test_a_cart_is_abandoned_until_bought_or_emptied(given: Given) -> None:
    anna = view(
        given,
        did("add_to_cart", 9, item_id="kept", unit_price=5, quantity=2.0),
        did("add_to_cart", 9, item_id="bought", unit_price=7),
        did("purchase", 8, item_id="bought", unit_price=7),
        did("add_to_cart", 9, item_id="removed", unit_price=9),
        did("remove_from_cart", 8, item_id="removed"),
        did("purchase", 12, item_id="again", unit_price=3),
        did("add_to_cart", 9, item_id="again"),
        did("add_to_cart", 50, item_id="old", unit_price=99),
        items=({"item_id": "again", "price": 4},),
    )
    assert anna["carts_30d"] == 4
    assert anna["abandoned_carts_30d"] == 2
    assert anna["abandoned_value_30d"] == 14


def test_buying_counts_from_the_first_view_on(given: Given) -> None:
    anna = view(
        given,
        did("view", 20, item_id="a"),
        did("purchase", 19, item_id="a"),
        did("purchase", 30, item_id="b"),
        did("view", 20, item_id="b"),
        did("view", 20, item_id="c"),
        did("view", 20, item_id="d"),
    )
    assert anna["view_to_buy_90d"] == 0.25


def test_hours_and_weekdays_are_shares_of_clicks(given: Given) -> None:
    # AS_OF is a Friday, midnight UTC.
    anna = view(
        given,
        did("view", 0.1, device="web"),  # Thursday 21:36
        did("view", 5.5, device="ios"),  # Saturday 12:00
        did("view", 4.2, device="ios"),  # Sunday 19:12
        did("app_open", 1.5, device="android"),  # Wednesday 12:00
    )
    assert anna["evening_share_90d"] == 0.5
    assert anna["weekend_share_90d"] == 0.5
    assert anna["device"] == "ios"


def test_a_member_who_never_clicked_has_zeros_and_nothing_else(given: Given) -> None:
    anna = view(given, did("view", 1, "ben"), did("purchase", 1))
    assert anna[["sessions_30d", "views_90d", "abandoned_carts_30d"]].tolist() == [0, 0, 0]
    missing = ["last_seen_days", "evening_share_90d", "view_to_buy_90d", "device"]
    assert anna[missing].isna().all()
