"""Prices of a push's limits while one of them, its budget, grows from nothing to all that pays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from decisions.dual import COOLING, Problem, Search, least_dual, smooth_dual
from decisions.infeasible import infeasibility
from decisions.limits import AUDIENCE, BUDGET, Limits

_MEMBERS = 20_000  # of whom prices are found; everyone is priced afterwards
_EVALUATIONS = 60  # for each stop
_DEAR = ((1.0, 0.01), (5.0, 0.01), (30.0, 0.002))  # units of price, and temperature in these
_FORBIDDING = 1e7  # units of price at which only what takes nothing is chosen
_SHORT = 0.02  # of a floor: what a sample may miss by chance


@dataclass(frozen=True, eq=False)
class Stop:
    """limit: how much there is of what is traced. rows: prices of all limits, in their order.
    temperature: at which members draw by softmax."""

    limit: float
    rows: NDArray[np.float64]
    temperature: float


@dataclass(frozen=True, eq=False)
class Trace:
    """row: the limit traced, ``BUDGET``, or ``AUDIENCE`` where nothing costs anything.
    stops: least limit first."""

    row: int
    stops: tuple[Stop, ...]


def trace(problem: Problem, ties: NDArray[np.float64], points: int) -> Trace:
    """Prices at ``points`` limits and at the problem's own, all other limits kept.

    From the least that the floors allow to what would be used with as much as one likes, closer
    to each other at the lower end. Prices start where those of the stop before ended. With many
    members they are found on a sample, drawn by ``ties``.

    Raises:
        Infeasible: the other limits conflict among themselves.
    """
    row = _traced(problem)
    sample, share = _sampled(problem, ties)
    free = _with_limit(sample, row, np.inf)
    scale = sample.scale()
    temperature = COOLING[1] * scale
    search = Search.over(free, scale)
    prices = np.zeros(len(search.unit))
    for step in COOLING[:2]:
        prices = least_dual(free, search, prices, step * scale, 200, share)
    _check_floors(free, prices, temperature, share, (_with_limit(problem, row, np.inf), ties))
    top = _used(free, prices, temperature, row) / share
    bottom = _lowest(free, search, prices, (row, share))
    stops = [Stop(top, prices, temperature)]
    if bottom.limit < top:
        for limit in _between(bottom.limit, top, points, _own(problem.limits, row)):
            limited = _with_limit(sample, row, limit)
            prices = least_dual(
                limited, Search.over(limited, scale), prices, temperature, _EVALUATIONS, share
            )
            stops.append(Stop(limit, prices, temperature))
        stops.append(bottom)
    return Trace(row, tuple(reversed(stops)))


def _traced(problem: Problem) -> int:
    pairs = problem.pairs
    return BUDGET if (pairs.cost[np.isfinite(pairs.gain)] > 0).any() else AUDIENCE


def _own(limits: Limits, row: int) -> float:
    return limits.budget if row == BUDGET else limits.audience_most


def _between(least: float, top: float, points: int, own: float) -> Iterator[float]:
    """Limits strictly between, largest first; the problem's own among them."""
    part = np.linspace(0, 1, points)[1:-1] ** 2
    limits = (least + (top - least) * part).tolist()
    yield from sorted({*limits, *([own] if least < own < top else [])}, reverse=True)


def _sampled(problem: Problem, ties: NDArray[np.float64]) -> tuple[Problem, float]:
    """Some members, and which share of all they are."""
    n = len(problem.pairs)
    if n <= _MEMBERS:
        return problem, 1.0
    rows = np.sort(np.argpartition(ties, _MEMBERS)[:_MEMBERS])
    return problem.share(rows), _MEMBERS / n


def _with_limit(problem: Problem, row: int, limit: float) -> Problem:
    if row == BUDGET:
        return replace(problem, limits=replace(problem.limits, budget=limit))
    # A cap on members counts whole ones; a floor below it stays a floor.
    limit = max(limit, problem.limits.audience_least)
    return replace(problem, limits=replace(problem.limits, audience_most=limit))


def _lowest(
    free: Problem, search: Search, prices: NDArray[np.float64], at: tuple[int, float]
) -> Stop:
    """As little as the floors allow; of that, what gains most."""
    row, share = at
    scale = search.unit[AUDIENCE]
    fixed = np.zeros(len(prices))
    if not (free.limits.least > 0).any():
        fixed[row] = _FORBIDDING * search.unit[row]
        warmth = COOLING[1] * scale
        search = replace(search, fixed=fixed)
        rows = fixed + least_dual(free, search, prices, warmth, 200, share)
        return Stop(_used(free, rows, warmth, row) / share, rows, warmth)
    fixed[row] = search.unit[row]
    for dear, cool in _DEAR:
        # A small worth of the gain instead of a large price: the search stays in its units.
        less = replace(free, worth=1 / dear)
        warmth = cool * scale
        prices = least_dual(less, replace(search, fixed=fixed), prices, warmth, 200, share)
    rows, warmth = (prices + fixed) * dear, warmth * dear
    return Stop(_used(free, rows, warmth, row) / share, rows, warmth)


def _used(problem: Problem, rows: NDArray[np.float64], temperature: float, row: int) -> float:
    """What members are expected to use of one limit, also where it is none."""
    # The cost is counted where there is a budget, if only one that never ends.
    counted = replace(problem.limits, budget=min(problem.limits.budget, 1e300))
    return float(smooth_dual(replace(problem, limits=counted), rows, temperature)[1][row])


def _check_floors(
    free: Problem,
    prices: NDArray[np.float64],
    temperature: float,
    share: float,
    everyone: tuple[Problem, NDArray[np.float64]],
) -> None:
    least, most = free.limits.least * share, free.limits.most * share
    used = smooth_dual(free, prices, temperature)[1]
    floors, caps = np.isfinite(least), np.isfinite(most)
    short = used[floors] < least[floors] - _SHORT * np.abs(least[floors]) - 1
    over = used[caps] > most[caps] + _SHORT * np.abs(most[caps]) + 1
    if short.any() or over.any():
        conflict = infeasibility(*everyone)
        if conflict is not None:
            raise conflict
