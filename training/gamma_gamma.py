"""Fit the Gamma-Gamma model of what purchases are worth by maximum likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from models.errors import ModelError
from models.gamma_gamma import GammaGamma
from training.errors import TrainingError

Numbers = NDArray[np.float64]
_BOUNDS = [(-5.0, 7.0), (-4.0, 7.0), (-12.0, 12.0)]  # logarithms of p, q - 1 and v / typical worth


def fit_gamma_gamma(purchases: Numbers, mean: Numbers) -> GammaGamma:
    """The parameters that make these means most likely.

    Members without a purchase, or whose purchases were worth nothing on the whole (given away, or
    all refunded), say nothing here and are left out. ``q`` is kept above 1.02, without which no
    mean over all members exists.

    Args:
        purchases: (n,) how many were seen.
        mean: (n,) what they were worth on average, money.

    Raises:
        TrainingError: nobody's purchases were worth anything.
        ModelError: a worth that is no number.

    Source: Fader and Hardie, note 25, 2013, equation 1a.
    """
    if not (np.isfinite(mean) | (purchases == 0)).all():
        row = int(np.flatnonzero(~np.isfinite(mean) & (purchases > 0))[0])
        raise ModelError(f"worth of the purchases of row {row} is {mean[row]}, wanted a number")
    known = (purchases > 0) & (np.nan_to_num(mean) > 0)
    if not known.any():
        raise TrainingError(
            f"none of {len(mean)} members has purchases worth more than 0; what a purchase is "
            "worth can only be learned where prices are known"
        )
    counts, count = np.unique(purchases[known], return_inverse=True)
    worth = mean[known]
    scale = float(np.median(worth))  # so that parameters do not depend on the currency
    begin = np.array([np.log(4.0), np.log(2.0), 0.0])
    arguments = (counts, count, worth / scale)
    found = minimize(
        _loss, begin, args=arguments, jac=True, method="L-BFGS-B", bounds=_BOUNDS,
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
    )  # fmt: skip
    p, above, v = (float(value) for value in np.exp(found.x))
    return GammaGamma(p, 1 + above, v * scale)


def _loss(
    theta: Numbers, counts: Numbers, count: NDArray[np.int64], mean: Numbers
) -> tuple[float, Numbers]:
    """Mean of −log likelihood per member and its gradient in the logarithms of p, q − 1, v.

    Without the terms that no parameter changes.
    """
    p, above, v = np.exp(theta)
    q = 1 + above
    by_count = np.bincount(count, minlength=len(counts)).astype(np.float64)
    own = p * counts
    fixed = gammaln(own + q) - gammaln(own) - gammaln(q) + q * np.log(v) + own * np.log(counts)
    total = counts[count] * mean
    log_rate, power = np.log(v + total), own[count] + q
    log_mean = np.log(mean)
    value = by_count @ fixed + own[count] @ log_mean - power @ log_rate
    both = digamma(own + q)
    gradient = np.array(
        [
            by_count @ (counts * (both - digamma(own) + np.log(counts)))
            + counts[count] @ (log_mean - log_rate),
            by_count @ (both - digamma(q) + np.log(v)) - log_rate.sum(),
            len(mean) * q / v - (power / (v + total)).sum(),
        ]
    )
    n = len(mean)
    return -float(value) / n, -gradient * np.array([p, above, v]) / n
