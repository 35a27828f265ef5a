"""Which categories a member cares for."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from features.vocabulary import Vocabulary
from tests.features.given import Given, Row, ago, events, one, shown

BEACH_AND_CITY = Vocabulary.of(["beach", "city trip"])


def did(kind: str, days: float, category: str | None = None, **more: object) -> Row:
    row = {"member_id": "anna", "type": kind, "occurred_at": ago(days), "category": category}
    return {**row, **more}


def view(
    given: Given, *rows: Row, items: tuple[Row, ...] = (), clicks: bool = True
) -> pd.DataFrame:
    tables = given.tables(
        events=events(*rows),
        items=list(items),
        members=[{"member_id": "anna"}, {"member_id": "ben"}],
    )
    tables = replace(tables, has_clickstream=clicks)
    return shown(tables, "affinity", vocabulary=BEACH_AND_CITY)


def test_interest_weighs_buying_above_looking_and_halves_in_thirty_days(given: Given) -> None:
    anna = one(view(given, did("view", 30.5, "beach"), did("purchase", 60.5, "beach")), "anna")
    assert anna["interest__beach"] == pytest.approx(1 / 2 + 5 / 4)
    assert anna["interest__city_trip"] == 0
    assert anna["seen_days__beach"] == 30.5
    assert anna["bought_days__beach"] == 60.5
    assert pd.isna(anna["seen_days__city_trip"])


def test_an_event_without_a_category_takes_its_items(given: Given) -> None:
    anna = one(
        view(
            given,
            did("view", 1, item_id="i1"),
            items=({"item_id": "i1", "category": "city trip"},),
        ),
        "anna",
    )
    assert anna["top_category"] == "city trip"
    assert anna["seen_days__city_trip"] == 1


def test_an_items_category_is_the_one_known_then(given: Given) -> None:
    versions = (
        {"item_id": "i1", "category": "beach", "known_at": None},
        {"item_id": "i1", "category": "city trip", "known_at": ago(-1)},
    )
    anna = one(view(given, did("view", 1, item_id="i1"), items=versions), "anna")
    assert anna["top_category"] == "beach"


def test_a_favourite_outside_the_vocabulary_is_other(given: Given) -> None:
    shown = view(given, did("view", 1, "ski"))
    assert shown["top_category"]["anna"] == "other"
    assert pd.isna(shown["top_category"]["ben"])
    assert shown["interest__beach"]["ben"] == 0


def test_novelty_is_the_share_of_recent_categories_never_touched_before(given: Given) -> None:
    anna = one(
        view(given, did("view", 200, "beach"), did("view", 1, "beach"), did("view", 1, "ski")),
        "anna",
    )
    assert anna["novelty_90d"] == 0.5


def test_price_level_compares_with_the_category(given: Given) -> None:
    shown = view(
        given,
        did("purchase", 1, "beach", unit_price=30),
        did("purchase", 1, "beach", unit_price=10, member_id="ben"),
    )
    assert shown["price_level"].to_dict() == {"anna": 1.5, "ben": 0.5}


def test_without_clickstream_there_is_no_seeing(given: Given) -> None:
    shown = view(given, did("purchase", 1, "beach"), clicks=False)
    assert not [name for name in shown.columns if name.startswith("seen_days")]
    assert shown["bought_days__beach"]["anna"] == 1


def test_names_of_features_are_plain_and_unique() -> None:
    made = Vocabulary.of(["home & garden", "home/ garden", "toys_y", "旅行"])
    assert made.features == ("home___garden", "home__garden", "toys_y_", "旅行")
    assert Vocabulary.of(["a b", "a/b"]).features == ("a_b", "a_b_")


def test_small_prices_are_compared_as_exactly_as_large_ones(given: Given) -> None:
    shown = view(
        given,
        did("purchase", 1, "beach", unit_price="0.0001"),
        did("purchase", 1, "beach", unit_price="0.0002", member_id="ben"),
    )
    assert shown["price_level"]["anna"] == pytest.approx(2 / 3)
