"""Whether a member buys for the price."""

from __future__ import annotations

from decimal import Decimal

import ibis
import ibis.expr.types as ir
import pandas as pd

from features.contacts import attributed_outcomes, sent_decisions
from features.moments import newest
from features.price import price
from tests.features.given import AS_OF, Given, Row, ago, found, one
from tests.features.test_contacts import decided, outcome

MONEY = "decimal(38, 4)"


def bought(gross: str, discounted: str = "0", discount: str = "0", member: str = "anna") -> Row:
    return {
        "member_id": member,
        "gross": Decimal(gross),
        "discounted": Decimal(discounted),
        "discount": Decimal(discount),
    }


def habits(*rows: Row) -> ir.Table:
    schema = {"member_id": "string", "gross": MONEY, "discounted": MONEY, "discount": MONEY}
    return ibis.memtable(list(rows), schema=schema)


def view(
    given: Given,
    *buying: Row,
    decisions: list[Row] | None = None,
    outcomes: list[Row] | None = None,
    offers: list[Row] | None = None,
) -> pd.Series:
    tables = given.tables(
        members=[{"member_id": "anna"}],
        decisions=decisions or [],
        outcomes=outcomes or [],
        offers=offers or [],
    )
    shown = price(
        tables.members.select("member_id"),
        habits(*buying),
        sent_decisions(tables.decisions),
        attributed_outcomes(tables.outcomes, tables.decisions),
        newest(tables.offers, "offer_id", AS_OF),
        AS_OF,
    )
    return one(found(shown), "anna")


def test_share_and_depth_are_of_the_gross_value_bought(given: Given) -> None:
    anna = view(given, bought("200", "50", "10"))
    assert anna["discount_share"] == 0.25
    assert anna["discount_depth"] == 0.2


def test_who_always_paid_the_full_price_needed_no_discount(given: Given) -> None:
    anna = view(given, bought("200"))
    assert anna[["discount_share", "discount_depth"]].tolist() == [0, 0]


def test_who_never_paid_anything_has_no_price_features(given: Given) -> None:
    for buying in ([], [bought("0")], [bought("90", "90", "9", member="ben")]):
        assert view(given, *buying).isna().all()


def test_redemption_is_a_share_of_the_coupons_sent(given: Given) -> None:
    anna = view(
        given,
        decisions=[decided(n, 10 * n) for n in range(1, 5)] + [decided(9, 3, None)],
        outcomes=[outcome(1, "redeemed", 2), outcome(2, "opened", 2), outcome(4, "failed", 39)],
    )
    assert anna["coupon_redemption"] == 1 / 3


def test_content_is_no_coupon_and_an_unknown_offer_is_one(given: Given) -> None:
    decisions = [decided(1, 5, "tips"), decided(2, 6, "unheard of"), decided(3, 7, "five off")]
    offers: list[Row] = [
        {"offer_id": "tips", "kind": "content"},
        {"offer_id": "five off", "kind": "amount_off"},
    ]
    redeemed = [outcome(1, "redeemed", 2), outcome(3, "redeemed", 2)]
    anna = view(given, decisions=decisions, outcomes=redeemed, offers=offers)
    assert anna["coupon_redemption"] == 0.5
    only_tips = view(given, decisions=decisions[:1], outcomes=redeemed, offers=offers)
    assert pd.isna(only_tips["coupon_redemption"])


def test_an_offer_is_what_its_newest_known_version_says(given: Given) -> None:
    versions: list[Row] = [
        {"offer_id": "coupon", "kind": "content", "known_at": ago(20)},
        {"offer_id": "coupon", "kind": "points", "known_at": ago(10)},
        {"offer_id": "coupon", "kind": "content", "known_at": ago(0)},
    ]
    anna = view(given, decisions=[decided(1, 15)], offers=versions)
    assert anna["coupon_redemption"] == 0


def test_a_redemption_not_yet_known_is_none(given: Given) -> None:
    late = {**outcome(1, "redeemed", 2), "known_at": ago(-1)}
    assert view(given, decisions=[decided(1, 3)], outcomes=[late])["coupon_redemption"] == 0
