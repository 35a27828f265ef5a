"""What an offer gives, and how members took it."""

from __future__ import annotations

import pandas as pd

from features.contacts import attributed_outcomes, sent_decisions
from features.moments import newest
from features.offers import offers
from tests.features.given import AS_OF, Given, Row, ago, found, one
from tests.features.test_contacts import decided, outcome

FIVE_OFF: Row = {
    "offer_id": "coupon",
    "kind": "amount_off",
    "value": 5.0,
    "min_spend": 50,
    "redemption_cost": "0.5",
    "contact_cost": "0.01",
    "stock": 100,
    "valid_to": ago(-10),
}
RATES = ["open_rate", "click_rate", "redemption_rate", "conversion_rate"]


def view(
    given: Given,
    *versions: Row,
    decisions: list[Row] | None = None,
    outcomes: list[Row] | None = None,
) -> pd.DataFrame:
    tables = given.tables(offers=list(versions), decisions=decisions or [], outcomes=outcomes or [])
    shown = offers(
        newest(tables.offers, "offer_id", AS_OF),
        sent_decisions(tables.decisions),
        attributed_outcomes(tables.outcomes, tables.decisions),
        AS_OF,
    )
    return found(shown, "offer_id")


def test_terms_are_as_given(given: Given) -> None:
    shown = one(view(given, FIVE_OFF), "coupon")
    assert shown["kind"] == "amount_off"
    terms = ["value", "min_spend", "redemption_cost", "contact_cost", "stock", "valid_days"]
    assert shown[terms].tolist() == [5, 50, 0.5, 0.01, 100, 10]


def test_without_stock_and_end_they_are_missing(given: Given) -> None:
    shown = one(view(given, {"offer_id": "tips", "kind": "content"}), "tips")
    assert shown[["stock", "valid_days", "min_spend"]].isna().all()
    assert shown[["contacts_30d", "contacts_life"]].tolist() == [0, 0]
    assert shown[RATES].isna().all()


def test_rates_are_shares_of_the_contacts_that_did_not_fail(given: Given) -> None:
    shown = one(
        view(
            given,
            FIVE_OFF,
            decisions=[
                *(decided(n, 20 * n, member=f"m{n}") for n in range(1, 6)),
                decided(7, 1, "another"),
                decided(8, 1, None),
            ],
            outcomes=[
                outcome(1, "opened", 1),
                {**outcome(1, "opened", 1), "event_id": "again"},
                outcome(2, "opened", 1),
                outcome(2, "clicked", 1),
                outcome(3, "converted", 1),
                outcome(5, "failed", 90),
                outcome(5, "opened", 1),
                outcome(7, "redeemed", 1),
            ],
        ),
        "coupon",
    )
    assert shown[["contacts_30d", "contacts_life"]].tolist() == [1, 4]
    assert shown[RATES].tolist() == [0.5, 0.25, 0, 0.25]


def test_only_versions_decisions_and_outcomes_known_by_then_count(given: Given) -> None:
    shown = view(
        given,
        {**FIVE_OFF, "known_at": ago(9)},
        {**FIVE_OFF, "value": 9.0, "known_at": ago(0)},
        {"offer_id": "to come", "kind": "gift", "known_at": ago(-3)},
        decisions=[decided(1, 3), {**decided(2, 3), "known_at": ago(-1)}],
        outcomes=[{**outcome(1, "opened", 2), "known_at": ago(0)}],
    )
    assert list(shown.index) == ["coupon"]
    assert one(shown, "coupon")[["value", "contacts_life", "open_rate"]].tolist() == [5, 1, 0]


def test_an_offer_that_has_ended_has_days_below_zero(given: Given) -> None:
    ended = view(given, {**FIVE_OFF, "valid_to": ago(2.5)})
    assert one(ended, "coupon")["valid_days"] == -2.5
