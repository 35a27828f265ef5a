from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.artifact import Artifact, ArtifactError
from models.bgnbd import BgNbd
from models.clv import KIND, Clv, Histories
from models.errors import ModelError
from models.gamma_gamma import GammaGamma

BUYING = BgNbd(r=0.7, alpha=60.0, a=0.2, b=3.0)
MODEL = Clv(BUYING, GammaGamma(6.25, 3.74, 15.44), 0.4, 1.0, 1.0, 90, 0.1)


def histories(*rows: tuple[float, float, float, float, float]) -> Histories:
    """Frequency, recency, age, spend and margin of each member."""
    return Histories(*np.array(rows, dtype=np.float64).T)


def test_a_level_multiplies_purchases_and_money_alike() -> None:
    seen = histories((3, 200, 210, 120, 48), (0, 0, 20, 30, 12))
    plain, season = MODEL.predict(seen), replace(MODEL, level=1.5).predict(seen)
    assert season.purchases == pytest.approx(1.5 * plain.purchases)
    assert season.spend == pytest.approx(1.5 * plain.spend)
    assert season.margin == pytest.approx(1.5 * plain.margin)


def test_a_level_of_worth_multiplies_money_alone() -> None:
    seen = histories((3, 200, 210, 120, 48), (0, 0, 20, 30, 12))
    plain, dear = MODEL.predict(seen), replace(MODEL, worth_level=1.2).predict(seen)
    assert dear.purchases == pytest.approx(plain.purchases)
    assert dear.spend == pytest.approx(1.2 * plain.spend)
    assert dear.margin == pytest.approx(1.2 * plain.margin)


def test_less_trust_in_a_members_own_purchases_moves_their_worth_to_everybodys() -> None:
    few, own = np.array([2.0]), np.array([100.0])
    half = MODEL.spending.trusting(0.5)
    assert half.mean == pytest.approx(MODEL.spending.mean)
    assert half.mean < half.expected_worth(few, own) < MODEL.spending.expected_worth(few, own)
    assert half.expected_worth(2 * few, own) == pytest.approx(
        MODEL.spending.expected_worth(few, own)
    )


def test_spend_is_purchases_times_what_a_purchase_is_worth() -> None:
    seen = histories((3, 200, 210, 120, 48))
    expected = MODEL.predict(seen)
    worth = MODEL.spending.expected_worth(np.array([4.0]), np.array([30.0]))
    assert expected.spend == pytest.approx(expected.purchases * worth)
    assert 30 < worth[0] < MODEL.spending.mean


def test_margin_is_discounted_by_when_it_is_expected() -> None:
    seen = histories((3, 360, 365, 120, 48))
    year = replace(MODEL, horizon_days=365)
    today, plain = year.predict(seen), replace(year, yearly_discount=0.0).predict(seen)
    assert plain.margin == pytest.approx(0.4 * plain.spend)
    # Purchases spread over the year come half a year from now on average, or a little earlier.
    assert 1.1**-0.5 < (today.margin / plain.margin)[0] < 1.1**-0.45
    assert today.purchases == pytest.approx(plain.purchases)


def test_the_margin_of_a_member_moves_from_everybodys_to_their_own() -> None:
    few = histories((0, 0, 30, 36, 36))
    many = histories((50, 360, 365, 1800, 1800))
    rates = [one.margin / one.spend for one in map(MODEL.predict, (few, many))]
    assert 0.4 < rates[0][0] < 0.55
    assert 0.85 < rates[1][0] < 1


member = st.tuples(
    st.integers(0, 200), st.floats(0, 1), st.floats(0, 2000), st.floats(-500, 5000), st.floats(0, 1)
)


@given(st.lists(member, min_size=1, max_size=5), st.integers(1, 400), st.floats(0, 1))
def test_purchases_and_spend_are_never_below_zero(
    members: list[tuple[int, float, float, float, float]], horizon: int, discount: float
) -> None:
    rows = [
        (float(x), last * age if x else 0.0, age, spend, spend * rate)
        for x, last, age, spend, rate in members
    ]
    model = replace(MODEL, horizon_days=horizon, yearly_discount=discount)
    expected = model.predict(histories(*rows))
    assert (expected.purchases >= 0).all()
    assert (expected.spend >= 0).all()
    assert np.isfinite(expected.margin).all()


@given(st.floats(0, 1000), st.floats(0, 200))
def test_the_worth_of_a_purchase_lies_between_the_members_own_and_everybodys(
    own: float, purchases: float
) -> None:
    worth = MODEL.spending.expected_worth(np.array([purchases]), np.array([own]))[0]
    between = sorted([own, MODEL.spending.mean])
    assert between[0] * (1 - 1e-9) <= worth <= between[1] * (1 + 1e-9)


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    assert Clv.load(tmp_path) == MODEL


@pytest.mark.parametrize(
    "change",
    [
        {"level": 0.0},
        {"worth_level": -1.0},
        {"buying": {"r": 1.0}},
        {"horizon_days": None},
        {"more": 1},
    ],
)
def test_refuses_a_stored_model_that_does_not_fit(
    tmp_path: Path, change: dict[str, object]
) -> None:
    MODEL.save(tmp_path)
    config = {**Artifact.load(tmp_path, KIND).config, **change}
    Artifact(KIND, config).save(tmp_path)
    with pytest.raises(ArtifactError, match="not a readable clv model"):
        Clv.load(tmp_path)


def test_refuses_money_that_is_no_number() -> None:
    with pytest.raises(ModelError, match="margin of 1 members, wanted a number each"):
        histories((0, 0, 1, 1, np.nan))


def test_a_gamma_gamma_without_a_mean_is_refused() -> None:
    with pytest.raises(ModelError, match=r"q is 1\.0, wanted a finite number above 1"):
        GammaGamma(1.0, 1.0, 1.0)
