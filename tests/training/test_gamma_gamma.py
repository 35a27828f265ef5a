from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import check_grad

from models.errors import ModelError
from training.errors import TrainingError
from training.gamma_gamma import _loss, fit_gamma_gamma


def members(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Purchases, and their mean worth, of members as p 6, q 4, v 15 makes them."""
    random = np.random.default_rng(seed)
    purchases = random.geometric(0.3, count).astype(np.float64)
    rate = random.gamma(4, 1 / 15, count)
    return purchases, random.gamma(6 * purchases) / rate / purchases


def test_fits_the_cdnow_sample_as_its_paper_does(data: Path) -> None:
    sample = pd.read_csv(data / "cdnow" / "cdnow_customers_summary_with_transactions.csv")
    found = fit_gamma_gamma(sample["x"].to_numpy(float), sample["zbar"].to_numpy(float))
    # Published for a like sample of 946 members: p 6.25, q 3.74, v 15.44.
    assert (found.p, found.q, found.v) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)


def test_finds_the_parameters_that_made_the_purchases() -> None:
    found = fit_gamma_gamma(*members(30_000))
    assert (found.p, found.q, found.v) == pytest.approx((6, 4, 15), rel=0.07)


def test_the_currency_changes_nothing_but_the_unit() -> None:
    purchases, mean = members(500)
    found, cents = fit_gamma_gamma(purchases, mean), fit_gamma_gamma(purchases, 100 * mean)
    assert cents.v / 100 == pytest.approx(found.v, rel=1e-4)
    assert cents.p == pytest.approx(found.p, rel=1e-4)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    purchases, mean = members(100)
    arguments = (*np.unique(purchases, return_inverse=True), mean / 20)
    for theta in np.random.default_rng(0).normal(size=(5, 3)):
        error = check_grad(
            lambda t: _loss(t, *arguments)[0], lambda t: _loss(t, *arguments)[1], theta
        )
        assert error < 1e-5


def test_leaves_out_purchases_that_were_worth_nothing() -> None:
    purchases, mean = members(500)
    given = np.concatenate([mean, [0.0, -3.0, np.nan]])
    assert fit_gamma_gamma(np.concatenate([purchases, [4, 2, 0]]), given) == fit_gamma_gamma(
        purchases, mean
    )


@pytest.mark.parametrize("worth", [[30.0], [30.0] * 50, [1e-3, 1e6]])
def test_few_or_equal_purchases_give_a_mean_among_them(worth: list[float]) -> None:
    mean = np.array(worth)
    found = fit_gamma_gamma(np.ones(len(mean)), mean)
    expected = found.expected_worth(np.ones(len(mean)), mean)
    assert np.isfinite(expected).all()
    assert (expected > 0).all()


def test_says_what_is_missing_where_nothing_has_a_price() -> None:
    with pytest.raises(TrainingError, match="none of 2 members has purchases worth more than 0"):
        fit_gamma_gamma(np.ones(2), np.zeros(2))


def test_refuses_a_worth_that_is_no_number() -> None:
    with pytest.raises(ModelError, match="worth of the purchases of row 1 is nan"):
        fit_gamma_gamma(np.ones(2), np.array([1.0, np.nan]))
