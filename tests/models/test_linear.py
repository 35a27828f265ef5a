from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.artifact import ArtifactError
from models.errors import ModelError
from models.linear import Linear
from training.linear_fit import fit_linear

NAMES = ("recency_days", "device", "orders_30d")


def members(n: int, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    values = random.exponential(10, (n, 3)).astype(np.float32)
    values[:, 1] = random.integers(0, 3, n)
    values[random.random(n) < 0.2, 0] = np.nan
    return values


def fit(values: NDArray[np.float32], happened: NDArray[np.bool_], penalty: float = 1.0) -> Linear:
    return fit_linear(values, NAMES, happened, {"device"}, penalty)


@pytest.fixture(scope="module")
def model() -> Linear:
    values = members(2000)
    odds = np.where(np.isnan(values[:, 0]), 1.0, -np.log1p(values[:, 0]) / 2) + (values[:, 1] == 1)
    return fit(values, np.random.default_rng(1).random(2000) < 1 / (1 + np.exp(-odds)))


def test_finds_the_log_odds_that_were_put_in(model: Linear) -> None:
    rows = np.array([[20, 0, 5], [20, 1, 5], [np.nan, 0, 5], [1, 0, 5]], np.float32)
    usual, device_1, missing, lately = model.score(rows, NAMES)
    assert device_1 - usual == pytest.approx(1, abs=0.35)
    assert missing - usual == pytest.approx(1 + np.log(21) / 2, abs=0.5)
    assert lately - usual == pytest.approx(np.log(21 / 2) / 2, abs=0.35)


def test_category_codes_are_names_and_no_amounts(model: Linear) -> None:
    rows = np.array([[20, code, 5] for code in (0, 1, 2)], np.float32)
    first, second, third = model.score(rows, NAMES)
    assert second - first > 0.5
    assert abs(third - first) < 0.4


def test_a_code_never_met_and_a_missing_one_are_none_of_those_met(model: Linear) -> None:
    new, missing = model.score(np.array([[20, 99, 5], [20, np.nan, 5]], np.float32), NAMES)
    assert new == missing


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_one_member_alone_gets_what_it_gets_among_many(seed: int, n: int) -> None:
    values = members(n, seed)
    fitted = fit(members(200), np.arange(200) % 3 == 0)
    alone = [float(fitted.score(values[row : row + 1], NAMES)[0]) for row in range(n)]
    assert alone == fitted.score(values, NAMES).tolist()


def test_no_value_runs_away_with_a_score(model: Linear) -> None:
    huge = np.array([[3e38, 0, 3e38], [-3e38, 0, -3e38]], np.float32)
    assert np.abs(model.score(huge, NAMES)).max() < 50


def test_reads_columns_by_name(model: Linear) -> None:
    values = members(30, 3)
    shuffled = np.column_stack([values[:, 2], values[:, 0], values[:, 1]])
    names = ("orders_30d", "recency_days", "device")
    assert np.array_equal(model.score(shuffled, names), model.score(values, NAMES))
    with pytest.raises(ModelError, match="'orders_30d'"):
        model.score(values[:, :2], NAMES[:2])


def test_comes_back_from_its_arrays(model: Linear) -> None:
    values = members(50, 4)
    again = Linear.read(model.arrays(), NAMES)
    assert np.array_equal(again.score(values, NAMES), model.score(values, NAMES))


@pytest.mark.parametrize(
    ("part", "damaged"),
    [
        ("weights", np.zeros(1)),
        ("weights", None),
        ("numbers", np.array([0, 7])),
        ("scale", np.zeros(2)),
        ("intercept", np.array(np.nan)),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(
    model: Linear, part: str, damaged: NDArray[np.float64] | None
) -> None:
    arrays = {name: array for name, array in model.arrays().items() if name != part}
    if damaged is not None:
        arrays[part] = damaged
    with pytest.raises(ArtifactError):
        Linear.read(arrays, NAMES)


@pytest.mark.parametrize("happened", [np.zeros(50, dtype=bool), np.ones(50, dtype=bool)])
def test_one_class_only_gives_everybody_the_smoothed_rate(happened: NDArray[np.bool_]) -> None:
    scores = fit(members(50), happened).score(members(50, 1), NAMES)
    assert np.ptp(scores) == 0
    assert 1 / (1 + np.exp(-scores[0])) == pytest.approx((happened.sum() + 1) / 52)


def test_columns_that_say_nothing_give_everybody_the_rate() -> None:
    happened = np.arange(200) % 4 == 0
    for values in (np.ones((200, 3), np.float32), np.full((200, 3), np.nan, np.float32)):
        scores = fit(values, happened).score(members(20), NAMES)
        assert np.ptp(scores) == 0
        assert 1 / (1 + np.exp(-scores[0])) == pytest.approx(0.25, abs=0.02)
