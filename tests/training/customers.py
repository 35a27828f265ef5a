"""Customers who buy and leave as the BG/NBD model says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.bgnbd import BgNbd

Numbers = NDArray[np.float64]


def histories(
    model: BgNbd, members: int, *, days: float = 270, seed: int = 0
) -> tuple[Numbers, Numbers, Numbers]:
    """Frequency, recency and age of members seen for ``days`` to 1.5 times as long, whole days."""
    random = np.random.default_rng(seed)
    rate = random.gamma(model.r, 1 / model.alpha, members)
    leave = random.beta(model.a, model.b, members)
    age = np.floor(random.uniform(days, 1.5 * days, members))
    frequency, recency, now = np.zeros(members), np.zeros(members), np.zeros(members)
    there = np.arange(members)
    while len(there):
        now[there] += random.exponential(1 / rate[there])
        there = there[now[there] < age[there]]
        frequency[there] += 1
        recency[there] = np.ceil(now[there])
        there = there[random.random(len(there)) > leave[there]]
    return frequency, recency, age
