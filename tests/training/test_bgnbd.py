from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import check_grad

from models.bgnbd import BgNbd
from models.errors import ModelError
from training.bgnbd import Compressed, _loss, drawn, fit_bgnbd, log_likelihood
from training.errors import TrainingError

Numbers = NDArray[np.float64]
TRUE = BgNbd(r=0.6, alpha=60.0, a=0.8, b=2.4)


def histories(members: int, seed: int = 0) -> tuple[Numbers, Numbers, Numbers]:
    """Frequency, recency and age of members seen for 270 days to 405, whole days."""
    random = np.random.default_rng(seed)
    age = random.integers(270, 406, members).astype(np.float64)
    return *drawn(TRUE, age, random), age


def test_fits_the_cdnow_sample_as_its_paper_does(data: Path) -> None:
    sample = pd.read_csv(data / "cdnow" / "cdnow_customers_summary_with_transactions.csv")
    history = [sample[column].to_numpy(dtype=float) for column in ("x", "t_x", "T")]
    found = fit_bgnbd(*history)
    assert found.r == pytest.approx(0.243, abs=0.002)
    assert found.alpha == pytest.approx(4.414, abs=0.002)
    assert found.a == pytest.approx(0.793, abs=0.002)
    assert found.b == pytest.approx(2.426, abs=0.002)
    assert log_likelihood(found, *history) == pytest.approx(-9582.4, abs=0.1)


def test_finds_the_parameters_that_made_the_histories() -> None:
    found = fit_bgnbd(*histories(40_000, seed=1))
    assert found.r == pytest.approx(TRUE.r, rel=0.05)
    assert found.alpha == pytest.approx(TRUE.alpha, rel=0.05)
    assert found.a / (found.a + found.b) == pytest.approx(0.25, abs=0.02)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    frequency, recency, age = histories(200)
    rows = Compressed.of(frequency, recency, age, np.linspace(0.5, 2, 200))
    for theta in np.random.default_rng(0).normal(size=(5, 4)):
        error = check_grad(lambda t: _loss(t, rows)[0], lambda t: _loss(t, rows)[1], theta)
        assert error < 1e-5


def test_a_weight_counts_as_so_many_members() -> None:
    history = histories(300)
    twice = fit_bgnbd(*(np.repeat(column, 2) for column in history))
    weighted = fit_bgnbd(*history, weights=np.full(300, 2.0))
    assert twice == weighted


def test_times_in_weeks_or_days_give_the_same_members() -> None:
    frequency, recency, age = histories(2_000)
    days = fit_bgnbd(frequency, recency, age)
    weeks = fit_bgnbd(frequency, recency / 7, age / 7)
    assert weeks.alpha * 7 == pytest.approx(days.alpha, rel=1e-4)
    assert weeks.r == pytest.approx(days.r, rel=1e-4)


def test_says_what_is_missing_where_nobody_bought_again() -> None:
    with pytest.raises(TrainingError, match="none of 2 members bought a second time"):
        fit_bgnbd(np.zeros(2), np.zeros(2), np.array([5.0, 9.0]))
    with pytest.raises(TrainingError, match="none of 0 members"):
        fit_bgnbd(np.zeros(0), np.zeros(0), np.zeros(0))


def test_refuses_a_weight_of_nothing() -> None:
    with pytest.raises(ModelError, match="weight above 0"):
        fit_bgnbd(np.ones(1), np.ones(1), np.ones(1), weights=np.zeros(1))


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.floats(0, 1), st.floats(1, 900)), min_size=1, max_size=50
    ),
    st.integers(1, 1000),
)
def test_few_or_equal_members_give_sound_expectations(
    rows: list[tuple[int, float, float]], repeated: int
) -> None:
    frequency = np.array([float(row[0]) for row in rows])
    frequency[0] += 1
    age = np.array([row[2] for row in rows])
    recency = np.where(frequency > 0, np.array([row[1] for row in rows]) * age, 0.0)
    weights = np.ones(len(rows))
    weights[0] = repeated
    found = fit_bgnbd(frequency, recency, age, weights)
    expected = found.expected_purchases(90, frequency, recency, age)
    assert np.isfinite(expected).all()
    # Nobody is expected to buy a hundred times faster than anyone ever did.
    assert expected.max() <= 100 * 90 * (frequency / age).max() + 1
