"""What a member's buying looks like as of a moment."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from tests.features.given import Given, Row, ago, events, one, shown


def bought(member: str, days: float, price: float = 10, **more: object) -> Row:
    line = {"member_id": member, "type": "purchase", "occurred_at": ago(days), "unit_price": price}
    return {**line, **more}


def refunded(member: str, days: float, price: float, **more: object) -> Row:
    return {**bought(member, days, price), "type": "refund", **more}


def view(given: Given, *rows: Row, members: Sequence[str] = ("anna",)) -> pd.DataFrame:
    tables = given.tables(events=events(*rows), members=[{"member_id": one} for one in members])
    return shown(tables, "purchases")


def test_counts_orders_not_lines(given: Given) -> None:
    anna = one(
        view(
            given,
            bought("anna", 5, order_id="o1"),
            bought("anna", 5, order_id="o1", quantity=3.0),
            bought("anna", 20),
            bought("anna", 200),
        ),
        "anna",
    )
    assert anna[["orders_7d", "orders_30d", "orders_90d", "orders_365d"]].tolist() == [1, 2, 2, 3]
    assert anna["orders_life"] == 3
    assert anna["spend_7d"] == 40
    assert anna["spend_life"] == 60
    assert anna["average_order"] == 20
    assert anna["recency_days"] == 5


def test_a_discount_lowers_spend(given: Given) -> None:
    anna = one(view(given, bought("anna", 1, 100, discount=30), bought("anna", 2, 100)), "anna")
    assert anna["spend_7d"] == 170


@pytest.mark.parametrize("quantity", [1.0, -1.0])
def test_a_refund_takes_off_spend_and_is_no_order(given: Given, quantity: float) -> None:
    anna = one(
        view(
            given,
            bought("anna", 10, 100, order_id="o1"),
            refunded("anna", 2, 40, order_id="o1", quantity=quantity),
        ),
        "anna",
    )
    assert anna["spend_7d"] == -40
    assert anna["spend_30d"] == 60
    assert anna["orders_7d"] == 0
    assert anna["orders_life"] == 1
    assert anna["refund_share"] == 0.4
    assert anna["recency_days"] == 10


def test_who_only_has_refunds_never_bought(given: Given) -> None:
    anna = one(view(given, refunded("anna", 2, 40)), "anna")
    assert anna["orders_life"] == 0
    assert anna["spend_life"] == -40
    assert anna[["recency_days", "refund_share", "average_order", "r_quintile"]].isna().all()


def test_gaps_are_between_buying_days(given: Given) -> None:
    rows = [bought("anna", days) for days in (30.1, 30.2, 20.1, 5.1)]
    anna = one(view(given, *rows), "anna")
    assert anna["gap_mean_days"] == pytest.approx((10 + 15) / 2)
    assert anna["gap_sd_days"] == pytest.approx(5 / 2**0.5)
    assert anna["overdue_ratio"] == pytest.approx(5.1 / 12.5)


def test_one_order_has_no_rhythm(given: Given) -> None:
    anna = one(view(given, bought("anna", 5)), "anna")
    assert anna[["gap_mean_days", "gap_sd_days", "overdue_ratio"]].isna().all()
    assert anna["biggest_order_share"] == 1


def test_a_member_without_events_has_counts_of_zero(given: Given) -> None:
    ben = one(view(given, bought("anna", 5), members=("anna", "ben")), "ben")
    assert ben["orders_life"] == 0
    assert ben["spend_life"] == 0
    assert pd.isna(ben["recency_days"])


def test_equal_values_share_a_quintile_and_five_is_best(given: Given) -> None:
    names = [f"m{number}" for number in range(10)]
    rows = [bought(name, 1 + place, 10) for place, name in enumerate(names)]
    shown = view(given, *rows, members=names)
    assert shown.loc[names, "r_quintile"].tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert set(shown["f_quintile"]) == {3.0}


def test_a_middle_place_on_the_edge_belongs_to_the_quintile_above(given: Given) -> None:
    """One below and six equal of ten: their middle lies at two fifths, exactly."""
    orders = [1, 2, 2, 2, 2, 2, 2, 3, 3, 3]
    names = [f"m{number}" for number in range(10)]
    rows = [
        bought(n, 1 + k, 10) for n, many in zip(names, orders, strict=True) for k in range(many)
    ]
    shown = view(given, *rows, members=names)
    assert shown.loc[names, "f_quintile"].tolist() == [1, 3, 3, 3, 3, 3, 3, 5, 5, 5]


def test_the_window_holds_its_first_moment_and_not_its_last(given: Given) -> None:
    anna = one(view(given, bought("anna", 7), bought("anna", 0)), "anna")
    assert anna["orders_7d"] == 1
    assert anna["orders_life"] == 1
