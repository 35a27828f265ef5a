"""Members made up for tests of readouts: their values, and the cells that they fall in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.cells import NAMES, Cell, Cells, Exposure
from experiments.design import Analysis, Arm, Experiment
from experiments.looks import Look, look_at
from experiments.moments import Moments

START = datetime(2026, 3, 1, tzinfo=UTC)
AB = (Arm("champion", 0.5, "champion"), Arm("challenger", 0.5, "release", release="r2"))


def ab(
    analysis: Analysis | None = None, arms: tuple[Arm, ...] = AB, control: str = ""
) -> Experiment:
    return Experiment("spring", arms, control or arms[0].name, analysis=analysis or Analysis())


def values(count: int, **columns: NDArray[Any] | float) -> NDArray[np.float64]:
    """(count, variables) of members, 0 where nothing is given; judged and gain are alike."""
    table = np.zeros((count, len(NAMES)))
    for name, column in columns.items():
        table[:, NAMES.index(name)] = column
    for judged, metric in (("judged", "gain"), ("before_judged", "before_margin")):
        if judged not in columns:
            table[:, NAMES.index(judged)] = table[:, NAMES.index(metric)]
    return table


def spenders(
    rng: np.random.Generator, count: int, more: float = 0.0, unsubscribed: float = 0.01
) -> NDArray[np.float64]:
    """Members of whom 30 % buy, more where they did before; ``more`` is the effect on the gain."""
    before = rng.exponential(20, count) * (rng.random(count) < 0.4)
    buys = rng.random(count) < 0.2 + 0.25 * (before > 0)
    margin = buys * rng.gamma(2, 10, count) + 0.3 * before + more
    sends = 1.0 + rng.poisson(1, count)
    return values(
        count,
        gain=margin - 0.1 * sends,
        margin=margin,
        revenue=margin * 3,
        converted=buys,
        conversions=buys * (1 + rng.poisson(0.2, count)),
        cost=0.1 * sends,
        sends=sends,
        reached=1.0,
        redeemed=buys * (rng.random(count) < 0.5),
        unsubscribed=rng.random(count) < unsubscribed,
        before_margin=before,
        before_revenue=before * 3,
        before_converted=before > 0,
    )


def cell(
    arm: str,
    table: NDArray[np.float64],
    epoch: int = 0,
    where: tuple[str, str] = ("active", "gold"),
    complete: bool = True,
) -> Cell:
    return Cell(arm, epoch, *where, complete, Moments.of(NAMES, table))


def cells(
    *found: Cell, shares: Sequence[Mapping[str, float]] = (), as_of: datetime | None = None
) -> Cells:
    arms = list(dict.fromkeys(one.arm for one in found))
    even = {arm: 1 / len(arms) for arm in arms}
    moment = as_of or START + timedelta(days=28)
    return Cells(moment, tuple(shares) or (even,), found, Exposure(START, moment))


def look(analysis: Analysis, days: float = 28.0) -> Look:
    return look_at(analysis, START, START + timedelta(days=days))
