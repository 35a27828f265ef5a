"""What plainer ways to choose an audience would promise, at the same size and budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Candidates


@dataclass(frozen=True, slots=True)
class Rival:
    """A ranking of members, each with the best single option: what it promises by our estimates.

    option: position of that option, -1 where none is allowed to anybody.
    """

    members: int
    cost: float
    gain: float
    option: int


def rivals(
    candidates: Candidates,
    rankings: Mapping[str, NDArray[np.float64]],
    size: int,
    budget: float,
) -> dict[str, Rival]:
    """Follow each ranking until ``size`` or ``budget`` is reached.

    All are judged by the same estimates, which makes the comparison fair and not independent: an
    experiment is (``experiments``).

    Args:
        rankings: (n,) by name: the highest first; -inf is never contacted.
    """
    found = candidates.eligibility
    open_rows = (found.reason == 0) & ~found.held
    option = best_single(candidates, open_rows)
    return {
        name: _followed(candidates, np.where(open_rows, rank, -np.inf), option, size, budget)
        for name, rank in rankings.items()
    }


def best_single(candidates: Candidates, rows: NDArray[np.bool_]) -> int:
    """The option of the largest mean gain over the members in ``rows`` to whom it is allowed."""
    allowed = candidates.eligibility.allowed & rows[:, None]
    count = allowed.sum(axis=0)
    total = np.where(allowed, candidates.gain, 0.0).sum(axis=0, dtype=np.float64)
    mean = np.where(count > 0, total / np.maximum(count, 1), -np.inf)
    return int(mean.argmax()) if count.any() else -1


def _followed(
    candidates: Candidates, rank: NDArray[np.float64], option: int, size: int, budget: float
) -> Rival:
    if option < 0:
        return Rival(0, 0.0, 0.0, option)
    allowed = candidates.eligibility.code[:, option] == 0
    rows = np.flatnonzero(allowed & (rank > -np.inf))
    rows = rows[np.argsort(-rank[rows], kind="stable")][:size]
    cost = candidates.cost[rows, option].astype(np.float64)
    rows = rows[np.cumsum(cost) <= budget]
    gain = candidates.gain[rows, option].astype(np.float64)
    return Rival(len(rows), float(cost[: len(rows)].sum()), float(gain.sum()), option)
