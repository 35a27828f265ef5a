"""Fresh values replace built features of the same meaning, and nothing else."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from features.encoding import Encoding
from features.fresh import SKEW, FreshRow
from features.fresh_reader import Fresh, believed
from features.overlay import overlay

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)
BUILT = NOW - timedelta(days=2)
ENCODING = Encoding(
    ("orders_life", "last_seen_days", "abandoned_carts_30d", "abandoned_value_30d",
     "abandoned_age_days", "seen_days__shoes_men", "seen_days__hats", "contacts_1d"),
    {},
    vocabulary={"shoes/men": "shoes_men", "hats": "hats"},
)  # fmt: skip


def ago(**since: float) -> datetime:
    return NOW - timedelta(**since)


def fresh(**values: object) -> Fresh:
    return believed(FreshRow(**values), NOW, NOW)  # type: ignore[arg-type]  # fields by name


def test_a_member_who_was_just_here() -> None:
    row = fresh(
        last_seen_at=ago(hours=1), last_click_at=ago(hours=6), cared_category="shoes/men",
        cared_category_at=ago(hours=12), open_cart_items=2.0, open_cart_value=99.5,
        open_cart_at=ago(hours=12), contacts_today=1.0, contacts_at=ago(hours=2),
    )  # fmt: skip
    assert overlay(row, ENCODING, NOW, BUILT) == {
        "last_seen_days": 0.25,
        "seen_days__shoes_men": 0.5,
        "abandoned_carts_30d": 2.0,
        "abandoned_value_30d": 99.5,
    }


def test_an_empty_cart_has_no_age() -> None:
    row = fresh(open_cart_items=0.0, open_cart_value=0.0, open_cart_at=ago(hours=1))
    found = overlay(row, ENCODING, NOW, BUILT)
    assert found["abandoned_carts_30d"] == 0.0
    assert math.isnan(found["abandoned_age_days"])


def test_what_a_build_knew_already_is_left_to_it() -> None:
    older = ago(days=3)
    row = FreshRow(older, "hats", older, 1.0, 5.0, older, 1.0, older, older, "hats", older)
    assert overlay(believed(row, NOW, NOW), ENCODING, NOW, BUILT) == {}
    assert overlay(believed(row, NOW, NOW), ENCODING, NOW)["last_seen_days"] == 3.0


def test_a_category_without_a_feature_of_its_own_is_left_out() -> None:
    row = fresh(cared_category="garden", cared_category_at=ago(hours=1))
    assert overlay(row, ENCODING, NOW, BUILT) == {}


def test_a_feature_that_the_release_does_not_know_is_left_out() -> None:
    row = fresh(last_click_at=ago(hours=1), open_cart_items=1.0, open_cart_value=1.0,
                open_cart_at=ago(hours=1))  # fmt: skip
    assert overlay(row, Encoding(("orders_life",), {}), NOW, BUILT) == {}


moments = st.none() | st.integers(-400, 40 * 86_400).map(lambda s: NOW - timedelta(seconds=s))
amounts = st.none() | st.floats(0, 1e6)
rows = st.builds(
    FreshRow, moments, st.just("hats"), moments, amounts, amounts, moments, amounts, moments,
    moments, st.sampled_from(["hats", "shoes/men", "?", None]), moments,
)  # fmt: skip


@given(rows, moments)
def test_no_day_is_negative_and_nothing_older_than_the_build_gets_through(
    row: FreshRow, since: datetime | None
) -> None:
    found = overlay(believed(row, NOW, NOW), ENCODING, NOW, since)
    assert set(found) <= set(ENCODING.names) - {"orders_life", "contacts_1d"}
    for name in ("last_seen_days", "seen_days__hats", "seen_days__shoes_men"):
        if name in found:
            gone = NOW - (since or NOW - timedelta(days=31))
            assert 0 <= found[name] <= max(gone, timedelta(0)) / timedelta(days=1) + 1e-4
    if since is not None and since > NOW + SKEW:
        assert found == {}
