"""Pairs of members and offers: how a member stands to what an offer is about."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from decisions.catalogue import Offer
from models.errors import ModelError
from models.pairs import PairFeatures

PLACES = tuple("abcdefghijkl")
NAMES = (
    "age",
    *(f"interest__{place}" for place in PLACES),
    *(f"seen_days__{place}" for place in PLACES),
    *(f"bought_days__{place}" for place in PLACES),
)
OFFERS = (
    Offer("one", "percent_off", 10.0, categories=("a",)),
    Offer("same", "points", 500.0, redemption_cost=5.0, categories=("a",)),
    Offer("some", "amount_off", 8.0, min_spend=80.0, categories=("b", "c", "d")),
    Offer("most", "gift", categories=PLACES[1:]),
    Offer("all", "content"),
    Offer("elsewhere", "content", categories=("nowhere",)),
)


@pytest.fixture(scope="module")
def members() -> NDArray[np.float32]:
    """Sixty members, the last of them unknown."""
    rng = np.random.default_rng(3)
    values = rng.exponential(30, (60, len(NAMES)))
    values[rng.random(values.shape) < 0.4] = np.nan
    values[-1] = np.nan
    return values.astype(np.float32)


@pytest.fixture(scope="module")
def pairs(members: NDArray[np.float32]) -> PairFeatures:
    return PairFeatures.fit(members, NAMES)


def column(pairs: PairFeatures, table: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """(members, offers)"""
    return table[:, pairs.names.index(name)].reshape(-1, len(OFFERS))


def test_one_member_alone_stands_as_among_many(
    pairs: PairFeatures, members: NDArray[np.float32]
) -> None:
    many = pairs.table(members, NAMES, OFFERS)
    alone = [pairs.table(members[row : row + 1], NAMES, OFFERS) for row in range(len(members))]
    np.testing.assert_array_equal(np.concatenate(alone), many)


def test_a_scope_is_as_near_as_what_the_member_turned_to_in_it(
    pairs: PairFeatures, members: NDArray[np.float32]
) -> None:
    table = pairs.table(members, NAMES, OFFERS)
    interest = members[:, 1 : 1 + len(PLACES)].astype(np.float64)
    seen = np.where(np.isnan(members[:, 13:25]), np.inf, members[:, 13:25])
    for offer, inside in ((0, slice(0, 1)), (2, slice(1, 4)), (3, slice(1, 12)), (4, slice(0, 12))):
        within = np.nansum(interest[:, inside], axis=1)
        share = within / np.maximum(np.nansum(interest, axis=1), 1e-9)
        nearest = seen[:, inside].min(axis=1)
        lately = nearest <= 30
        for name, wanted in {
            "scope_interest": within,
            "scope_share": share,
            "scope_seen_days": np.where(np.isinf(nearest), np.nan, nearest),
            "scope_lately": lately,
            "scope_share_unseen": np.where(lately, 0.0, share),
        }.items():
            np.testing.assert_allclose(column(pairs, table, name)[:, offer], wanted, rtol=1e-5)


def test_offers_of_one_scope_differ_in_their_terms_alone(
    pairs: PairFeatures, members: NDArray[np.float32]
) -> None:
    table = pairs.table(members, NAMES, OFFERS).reshape(len(members), len(OFFERS), -1)
    terms = [name.startswith("offer_") for name in pairs.names]
    same = (table[:, 0] == table[:, 1]) | np.isnan(table[:, 0])
    assert same[:, ~np.array(terms)].all()
    assert not same[:, terms].all()
    assert column(pairs, table.reshape(-1, len(pairs.names)), "offer_points")[0, 1] == 500


def test_of_a_scope_without_categories_of_ours_nothing_is_known(
    pairs: PairFeatures, members: NDArray[np.float32]
) -> None:
    table = pairs.table(members, NAMES, OFFERS)
    for name in ("scope_interest", "scope_share", "scope_taste", "scope_lately", "scope_lift"):
        assert np.isnan(column(pairs, table, name)[:, 5]).all()


def test_an_offer_of_an_unknown_kind_is_named(
    pairs: PairFeatures, members: NDArray[np.float32]
) -> None:
    with pytest.raises(ModelError, match="offer 'odd' is of kind 'riddle', unknown here"):
        pairs.table(members, NAMES, [Offer("odd", "riddle")])
