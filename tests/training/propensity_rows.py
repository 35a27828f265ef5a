"""Labelled rows made by hand, for what learns from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.frames import LabelledRows

NAMES = ("recency_days", "orders_life", "spend_life", "device")


def rows_of(values: NDArray[np.float32], happened: NDArray[np.bool_], day: int) -> LabelledRows:
    moments = np.full(len(happened), np.datetime64("2025-01-01", "us") + np.timedelta64(day, "D"))
    ids = np.array([f"m{row}" for row in range(len(happened))])
    return LabelledRows(NAMES, frozenset({"device"}), ids, moments, values, happened)


def members(n: int, day: int, rate: float = 0.3) -> LabelledRows:
    """Who bought lately, or uses device 2, buys more; every fifth recency is missing."""
    random = np.random.default_rng(day)
    values = random.random((n, 4)).astype(np.float32)
    values[:, 3] = random.integers(0, 3, n)
    log_odds = np.log(rate / (1 - rate)) - 3 * (values[:, 0] - 0.5) + (values[:, 3] == 2)
    happened = random.random(n) < 1 / (1 + np.exp(-log_odds))
    values[random.random(n) < 0.2, 0] = np.nan
    return rows_of(values, happened, day)


def habits(n: int, day: int) -> LabelledRows:
    """Members of a steady rate of buying each, of whom some leave; the names of ``Habit``."""
    random = np.random.default_rng(day)
    rate = random.gamma(0.8, 0.03, n)
    left = random.exponential(200, n)
    values = np.full((n, 3), np.nan, dtype=np.float32)
    for member in range(n):
        days = np.sort(random.uniform(0, 365, random.poisson(rate[member] * 365)))
        days = days[days < left[member]]
        values[member, 0] = len(days)
        if len(days):
            values[member, 2] = 365 - days[-1]
        if len(days) > 1:
            values[member, 1] = np.diff(days).mean()
    happened = (left > 365) & (random.random(n) < -np.expm1(-rate * 30))
    moments = np.full(n, np.datetime64("2025-01-01", "us") + np.timedelta64(day, "D"))
    names = ("orders_life", "gap_mean_days", "recency_days")
    ids = np.array([f"m{row}" for row in range(n)])
    return LabelledRows(names, frozenset(), ids, moments, values, happened)
