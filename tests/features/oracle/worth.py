"""What members are expected to spend, once more, slowly and plainly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tests.features.oracle.buying import buyers
from tests.features.oracle.knowledge import Known

_EVER = timedelta(days=100_000)


def expected_spend(
    known: Known, versions: Mapping[datetime, Mapping[str, float]]
) -> dict[str, float]:
    """``features.worth.expected_spend`` of those who bought; nobody where nothing was learned.

    Args:
        versions: the numbers that trainings found, by the moment they are good from.
    """
    good = [moment for moment in versions if moment <= known.as_of]
    if not good:
        return {}
    of = versions[max(good)]
    r, alpha, a, b = of["r"], of["alpha"], of["a"], of["b"]
    worth = {}
    for member, buyer in buyers(known).items():
        since = known.days_since(buyer.last)
        if since is None:
            continue
        x, to_last = len(buyer.gaps), sum(buyer.gaps)
        age = to_last + max(float(since), 0.0)
        gone = a / (b + x - 1) * ((alpha + age) / (alpha + to_last)) ** (r + x) if x else 0.0
        leaving = a / (a + b + x)
        kept = (1 + leaving * of["horizon_days"] / (alpha + age)) ** -(r + x)
        purchases = (1 - kept) / leaving / (1 + gone)
        spend = max(float(buyer.spend(known.as_of - _EVER)), 0.0)
        worth[member] = purchases * of["p"] * (spend + of["v"]) / (of["p"] * (x + 1) + of["q"] - 1)
    return worth
