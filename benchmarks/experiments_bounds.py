"""Group sequential bounds beside published ones, and beside random walks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.figure import Figure
from experiments.crossing import leaving
from experiments.group_sequential import Spending, equal_looks, inflation

# Reboussin, DeMets, Kim and Lan, Controlled Clinical Trials 21, 2000 (five looks); Wassmer and
# Brannath, Group Sequential and Confirmatory Adaptive Designs, 2016 (three).
PUBLISHED: tuple[tuple[Spending, tuple[float, ...]], ...] = (
    ("obrien_fleming", (4.877, 3.357, 2.680, 2.290, 2.031)),
    ("obrien_fleming", (3.710, 2.511, 1.993)),
    ("pocock", (2.438, 2.427, 2.410, 2.397, 2.386)),
    ("pocock", (2.279, 2.295, 2.296)),
)


def figures(walks: int) -> Iterator[Figure]:
    for spending, wanted in PUBLISHED:
        found = equal_looks(len(wanted), 0.05, spending).bounds
        apart = max(abs(round(ours, 3) - one) for ours, one in zip(found, wanted, strict=True))
        yield Figure(
            f"bounds_{spending}_{len(wanted)}_looks", found[-1], wanted[-1], "standard errors",
            found[-1] / wanted[-1], "all of them as published, to 3 decimals", apart < 5e-4,
        )  # fmt: skip
    yield _walks(walks)
    five = equal_looks(5)
    more = inflation(five, 0.8)
    yield Figure(
        "members_for_5_looks", more, 1.0, "of a fixed test's", more, "told beside", True
    )  # fmt: skip


def _walks(walks: int) -> Figure:
    """Share of random walks that leave the bounds of 28 looks, against the integral."""
    bounds, drift = equal_looks(28), 2.5
    random = np.random.default_rng(9)
    left = 0
    for _ in range(10):
        steps = drift / 28 + random.standard_normal((walks // 10, 28)) / np.sqrt(28)
        z = steps.cumsum(axis=1) / np.sqrt(bounds.fractions)
        left += int((np.abs(z) >= bounds.bounds).any(axis=1).sum())
    found, share = leaving(bounds.fractions, bounds.bounds, drift).total, left / walks
    error = (share * (1 - share) / walks) ** 0.5
    return Figure(
        "power_integrated_28_looks", found, share, "share", found / share,
        "within 3 standard errors of random walks", abs(found - share) < 3 * error,
    )  # fmt: skip
