"""A randomised push log made by hand, whose effects are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from decisions.catalogue import Offer
from training.push_log import PushLog

NAMES = ("recency_days", "orders_90d", "interest__sea", "interest__city", "seen_days__sea", "age")
OFFERS = (
    Offer("city10", "percent_off", 10, categories=("city",), contact_cost=0.1),
    Offer("sea10", "percent_off", 10, categories=("sea",), contact_cost=0.1),
    Offer("sea20", "percent_off", 20, categories=("sea",), contact_cost=0.1),
)
NO_SEND_SHARE = 0.4


@dataclass(frozen=True)
class Simulated:
    log: PushLog
    values: NDArray[np.float32]
    uplift: NDArray[np.float64]  # (n, m) true change of the probability
    p_if_not: NDArray[np.float64]


def simulated(rows: int, seed: int, *, strength: float = 1.0, repeats: int = 1) -> Simulated:
    """Members with a taste for the sea who have not seen it lately are persuaded by sea offers;
    those who have seen it buy anyway. ``strength`` 0 takes every effect away."""
    rng = np.random.default_rng(seed)
    n = rows
    sea, city = rng.exponential(1, n), rng.exponential(1, n)
    seen = np.where(rng.random(n) < 0.3, rng.uniform(0, 30, n), np.nan)
    values = np.column_stack(
        [rng.uniform(1, 300, n), rng.poisson(1, n), sea, city, seen, rng.uniform(20, 70, n)]
    ).astype(np.float32)
    base = np.where(np.isnan(seen), 0.03, 0.15)
    fan = (sea > 1.2) & np.isnan(seen)
    depth = np.array([0.0, 0.5, 1.0])
    push = np.arange(n) % 2
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(30 * push, unit="D")
    uplift = strength * (np.where(fan, 0.06, 0.002)[:, None] * depth + 0.002)
    chosen = np.where(rng.random(n) < NO_SEND_SHARE, -1, rng.integers(0, 3, n))
    sent = chosen >= 0
    p = base + np.where(sent, uplift[np.arange(n), chosen], 0)
    converted = rng.random(n) < p
    redeemed = converted & sent & (rng.random(n) < 0.6)
    coupon = np.where(redeemed, 10.0, 0.0)
    log = PushLog(
        offers=OFFERS,
        rows=pd.DataFrame(
            {
                "row_id": np.arange(n),
                "member_id": [f"m{i // repeats}" for i in range(n)],
                "as_of": at,
                "until": at + pd.Timedelta(days=14),
            }
        ),
        push=push,
        offer=chosen.astype(np.int64),
        probability=np.where(sent, (1 - NO_SEND_SHARE) / 3, NO_SEND_SHARE),
        candidates=np.ones((2, 3), dtype=bool),
        converted=converted,
        redeemed=redeemed,
        in_scope=np.zeros(n, dtype=bool),
        margin=np.where(converted, 40.0, 0.0) - coupon,
        revenue=np.where(converted, 120.0, 0.0) - coupon,
        coupon=coupon,
        unsubscribed=np.zeros(n, dtype=bool),
        channel=np.full(n, "push"),
        push_ids=("first", "second"),
    )
    return Simulated(log, values, uplift, base)
