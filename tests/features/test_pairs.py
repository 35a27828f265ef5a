"""What is between a member and an offer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.build import build_features
from features.encode import encode, encoding
from features.errors import FeatureError
from features.inputs import vocabulary_file
from features.pairs import FEATURES, pair_frame
from features.store import MEMBER_SERVICE, training_frame
from features.tables import opened
from features.vocabulary import Vocabulary
from models.pairs import PairFeatures
from tests.features.given import AS_OF, Given, Row, ago, events, small_shop, write_batch
from tests.features.test_contacts import decided, outcome
from training.catalogue import offers_as_of

COUPON: Row = {"offer_id": "coupon", "kind": "percent_off"}


def click(days: float, **more: object) -> Row:
    return {"member_id": "anna", "type": "view", "occurred_at": ago(days), **more}


def asked(*pairs: tuple[str, str]) -> pd.DataFrame:
    members, offers = zip(*pairs, strict=True)
    return pd.DataFrame(
        {"row_id": range(len(pairs)), "member_id": members, "offer_id": offers, "as_of": AS_OF}
    )


def of_anna(given: Given, offer: Row, *done: Row, **tables: list[Row]) -> pd.Series:
    given.tables(events=events(*done), offers=[offer], **tables)
    return pair_frame(given.workspace, asked(("anna", str(offer["offer_id"])))).iloc[0]


DONE = (
    click(30.5, category="beach"),
    click(10.5, category="beach", type="purchase", unit_price=5),
    click(60.5, category="city"),
    click(3.5, category="alps"),
)


def test_an_offer_is_about_its_categories(given: Given) -> None:
    shown = of_anna(given, {**COUPON, "categories": ["beach", "city"]}, *DONE)
    assert shown["scope_interest"] == pytest.approx(0.5 + 5 * 2 ** (-1 / 3) + 0.25)
    assert shown[["scope_seen_days", "scope_bought_days"]].tolist() == [30.5, 10.5]


def test_an_offer_is_about_the_categories_of_its_items(given: Given) -> None:
    items: list[Row] = [
        {"item_id": "i1", "category": "city", "known_at": ago(90)},
        {"item_id": "i1", "category": "alps", "known_at": ago(1)},
        {"item_id": "i1", "category": "beach", "known_at": ago(-1)},
    ]
    shown = of_anna(given, {**COUPON, "item_ids": ["i1", "unheard of"]}, *DONE, items=items)
    assert shown["scope_interest"] == pytest.approx(2 ** (-3 / 30))
    assert shown["scope_seen_days"] == 3.5
    assert pd.isna(shown["scope_bought_days"])
    both = {**COUPON, "item_ids": ["i1"], "categories": ["alps", "city"]}
    shown = of_anna(given, both, *DONE, items=items)
    assert shown["scope_interest"] == pytest.approx(2 ** (-3 / 30) + 0.25)


@pytest.mark.parametrize("scope", [{}, {"categories": [], "item_ids": []}])
def test_without_a_scope_an_offer_is_about_everything(given: Given, scope: Row) -> None:
    shown = of_anna(given, {**COUPON, **scope}, *DONE)
    total = 0.5 + 5 * 2 ** (-1 / 3) + 0.25 + 2 ** (-3 / 30)
    assert shown["scope_interest"] == pytest.approx(total)
    assert shown[["scope_seen_days", "scope_bought_days"]].tolist() == [3.5, 10.5]


def test_items_without_a_known_category_are_about_nothing(given: Given) -> None:
    shown = of_anna(given, {**COUPON, "item_ids": ["unheard of"]}, *DONE)
    assert shown["scope_interest"] == 0
    assert shown[["scope_seen_days", "scope_bought_days"]].isna().all()


def test_an_offer_not_known_yet_has_no_scope(given: Given) -> None:
    shown = of_anna(given, {**COUPON, "known_at": ago(0)}, *DONE, decisions=[decided(1, 4)])
    assert shown[list(FEATURES[:3])].isna().all()
    assert shown["offered_before"] == 1


def test_contacts_with_this_offer_count_unless_they_failed(given: Given) -> None:
    decisions = [
        *(decided(n, 10 * n) for n in range(1, 4)),
        decided(4, 2, "another"),
        decided(5, 3, member="ben"),
    ]
    shown = of_anna(given, COUPON, decisions=decisions, outcomes=[outcome(1, "failed", 9)])
    assert shown[["offered_before", "offered_days"]].tolist() == [2, 20]


def test_who_was_never_offered_it_has_none(given: Given) -> None:
    shown = of_anna(given, COUPON)
    assert shown[["scope_interest", "offered_before"]].tolist() == [0, 0]
    assert pd.isna(shown["offered_days"])


def test_every_row_is_answered_in_order_as_of_its_own_moment(given: Given) -> None:
    given.tables(
        events=events(*DONE),
        offers=[{**COUPON, "categories": ["beach"]}],
        decisions=[decided(1, 4)],
    )
    rows = asked(*[("anna", "coupon")] * 4, ("nobody", "coupon"), ("anna", "coupon"))
    rows["as_of"] = [ago(0), ago(4), ago(20), ago(4) + timedelta(seconds=1), ago(0), ago(0)]
    rows.index = pd.Index(list("qwerty"))
    shown = pair_frame(given.workspace, rows)
    pd.testing.assert_frame_equal(shown[rows.columns], rows)
    assert shown["scope_bought_days"].tolist()[:2] == [10.5, 6.5]
    assert pd.isna(shown["scope_bought_days"].iloc[2])
    assert shown["offered_before"].tolist() == [1, 0, 0, 1, 0, 1]
    pd.testing.assert_series_equal(
        shown.iloc[0][list(FEATURES)], shown.iloc[5][list(FEATURES)], check_names=False
    )


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("offer_id", ..., "rows have no column 'offer_id'"),
        ("row_id", 0, "row_id is not unique"),
        ("member_id", None, "member_id is missing in a row"),
        ("as_of", AS_OF.replace(tzinfo=None), "as_of has no offset"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    given: Given, column: str, value: Any, message: str
) -> None:
    rows = asked(("anna", "coupon"), ("ben", "coupon")).drop(columns=column)
    if value is not ...:
        rows[column] = value
    with pytest.raises(FeatureError, match=message):
        pair_frame(given.workspace, rows)


@pytest.mark.slow
def test_pairs_at_training_and_at_serving_say_the_same(given: Given) -> None:
    small_shop(given.workspace)
    scopes: list[Row] = [
        {**COUPON, "offer_id": "all"},
        {**COUPON, "offer_id": "one", "categories": ["cat 1"]},
        {**COUPON, "offer_id": "two", "categories": ["cat 0", "cat 3"]},
        {**COUPON, "offer_id": "items", "item_ids": ["i2", "i6", "i3"]},
    ]
    write_batch(given.workspace, "offers", scopes)
    build_features(given.workspace, [AS_OF])
    members = [f"m{number:03d}" for number in range(40)] + ["zoë"]
    with opened(given.workspace) as tables:
        offers = list(offers_as_of(tables, AS_OF).values())
    every = [(member, offer.offer_id) for member in members for offer in offers]
    trained = pair_frame(given.workspace, asked(*every))

    rows = asked(*((member, "all") for member in members)).drop(columns="offer_id")
    codes = encoding(given.workspace)
    values = encode(training_frame(given.workspace, MEMBER_SERVICE, rows), codes)
    words = Vocabulary.load(vocabulary_file(given.workspace))
    served = PairFeatures.fit(values, codes.names, words.called)
    table = served.table(values, codes.names, offers)
    for name in ("scope_interest", "scope_seen_days", "scope_bought_days"):
        column = table[:, served.names.index(name)]
        assert np.isfinite(column).any()
        np.testing.assert_allclose(column, trained[name], rtol=1e-5, err_msg=name)
