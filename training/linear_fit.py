"""Fit a logistic regression on raw features: what is skewed, missing or a category is seen to."""

from __future__ import annotations

import warnings
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from models.linear import Linear, Preparation, spread

# A column is skewed when its third moment, in standard deviations, is above this; a logarithm
# brings most counts, amounts and delays below it.
SKEWED = 1.0
# Indicators of fewer rows than this, or of all but so few, would only learn who they are.
FEWEST = 20
STEPS = 500


def fit_linear(
    values: NDArray[np.float32],
    names: tuple[str, ...],
    happened: NDArray[np.bool_],
    categories: Collection[str],
    penalty: float,
) -> Linear:
    """The same rows give the same model. Never class weights, which ruin the probabilities.

    Columns that say nothing, or outcomes of one class only, give everybody the smoothed rate.

    Args:
        values: (n, columns ``names``), n at least 1; NaN is missing.
        categories: the names of columns that hold codes.
        penalty: weight of half the squared weights, on standardised columns, beside the sum of
            the rows' log losses; above 0.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    preparation = prepared(values, names, categories)
    rate = (happened.sum() + 1) / (len(happened) + 2)
    level = float(np.log(rate / (1 - rate)))
    if not preparation.width or happened.all() or not happened.any():
        return Linear(names, preparation, np.zeros(preparation.width), level)
    model = LogisticRegression(C=1 / penalty, max_iter=STEPS)
    with warnings.catch_warnings():
        # Directions that are still unsettled after so many steps hardly change the loss.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(preparation.table(values), happened)
    return Linear(names, preparation, model.coef_[0].astype(np.float64), float(model.intercept_[0]))


def prepared(
    values: NDArray[np.float32], names: tuple[str, ...], categories: Collection[str]
) -> Preparation:
    """Learn from ``values`` (n, columns) how to prepare such columns."""
    category = np.array([name in categories for name in names], dtype=bool)
    candidates = np.flatnonzero(~category)
    numbers = values[:, candidates].astype(np.float64)
    gaps = np.isnan(numbers)
    logs = _skewed(numbers)
    mean, scale = _mean_and_scale(spread(numbers, logs))
    kept = scale > 0
    often = (gaps.sum(axis=0) >= FEWEST) & ((~gaps).sum(axis=0) >= FEWEST)
    # What is missing together has one indicator for all.
    _, first = np.unique(np.packbits(gaps[:, often], axis=0), axis=1, return_index=True)
    coded, codes = _codes(values, np.flatnonzero(category))
    return Preparation(
        numbers=candidates[kept],
        logs=logs[kept],
        mean=mean[kept],
        scale=scale[kept],
        missing=candidates[often][np.sort(first)],
        coded=coded,
        codes=codes,
    )


def _skewed(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(k,) whether a column's skewness is above ``SKEWED`` either way."""
    mean, scale = _mean_and_scale(numbers)
    standard = (numbers - mean) / np.where(scale > 0, scale, 1.0)
    there = np.maximum((~np.isnan(numbers)).sum(axis=0), 1)
    return np.asarray(np.abs(np.nansum(standard**3, axis=0) / there) > SKEWED)


def _mean_and_scale(
    numbers: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k,) each, of what is not missing; a column that does not vary has scale 0."""
    there = np.maximum((~np.isnan(numbers)).sum(axis=0), 1)
    mean = np.nansum(numbers, axis=0) / there
    scale = np.sqrt(np.nansum((numbers - mean) ** 2, axis=0) / there)
    # What rounding leaves of a constant is no spread.
    return mean, np.where(scale > 1e-9 * np.maximum(np.abs(mean), 1.0), scale, 0.0)


def _codes(
    values: NDArray[np.float32], columns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    coded, codes = [], []
    for column in columns:
        met, count = np.unique(values[:, column], return_counts=True)
        telling = (count >= FEWEST) & (len(values) - count >= FEWEST)
        for code in met[telling & ~np.isnan(met)]:
            coded.append(column)
            codes.append(code)
    return np.array(coded, dtype=np.int64), np.array(codes, dtype=np.float64)
