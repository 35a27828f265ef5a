"""Shadow prices of a push's limits: the smooth dual of the allocation, and its minimum.

For signed prices p the total gain of any choice within the limits is at most
``D(p) = Σ_rows max(p most, p least) + Σ_members (best surplus of the member at p)``: weak duality.
The smooth dual replaces each member's best by a soft maximum at temperature τ, so that it has a
gradient: limits less what members are expected to use when they draw by softmax.

Source: Lagrangian relaxation (Fisher, Management Science 27, 1981) with entropic smoothing
(Nesterov, Mathematical Programming 103, 2005); subsets of a member by elementary symmetric
polynomials.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decisions.chunks import in_pieces
from decisions.limits import AUDIENCE, BUDGET, GROUPS, RETURN, Limits, Pairs, ShadowPrices

SAMPLE = 50_000
COOLING = (0.05, 0.01, 0.002)  # temperatures, in standard deviations of the gain
_HIGHEST = 1e5  # prices, in standard deviations of the gain for a contact
_EVALUATIONS = 30  # on everyone, after the sample


@dataclass(frozen=True, eq=False)
class Problem:
    """Pairs under limits. worth: 1, or 0 where only what can be sent at all is asked."""

    pairs: Pairs
    limits: Limits
    worth: float = 1.0

    def share(self, members: NDArray[np.int64]) -> Problem:
        """The problem of some members alone; its limits still have to be scaled."""
        return Problem(self.pairs.take(members), self.limits.of_members(members), self.worth)

    def scale(self) -> float:
        """Standard deviation of what a pair may gain; 1 where nothing varies."""
        if not self.worth:
            return 1.0
        gain = self.pairs.gain[np.isfinite(self.pairs.gain)]
        spread = float(gain.std(dtype=np.float64)) if gain.size else 0.0
        return spread or float(np.abs(gain).max(initial=0.0)) or 1.0


def limit_value(prices: NDArray[np.float64], limits: Limits) -> float:
    """Σ over the limits of price × limit, the cap's above 0 and the floor's below."""
    # A limit without a price costs nothing, also where it is infinite.
    caps, floors = prices > 0, prices < 0
    return float(prices[caps] @ limits.most[caps] + prices[floors] @ limits.least[floors])


def smooth_dual(
    problem: Problem, prices: NDArray[np.float64], temperature: float
) -> tuple[float, NDArray[np.float64]]:
    """Members' part of the smooth dual, and (rows,) the expected use of every limit."""
    pairs = problem.pairs
    value, used = 0.0, np.zeros(len(prices))
    soft = Soft(problem, prices, temperature)
    for part_value, part_used in in_pieces(soft.piece, len(pairs), pairs.slots):
        value += part_value
        used += part_used
    return value, used


class Soft:
    """The smooth dual of pieces of the members, at given prices."""

    def __init__(self, problem: Problem, rows: NDArray[np.float64], temperature: float) -> None:
        limits, pairs = problem.limits, problem.pairs
        self.pairs, self.limits, self.temperature = pairs, limits, temperature
        self.prices = ShadowPrices.of_rows(rows, limits)
        rho = self.prices.least_return
        self.gain_weight = np.float32(max(problem.worth + rho, 1e-30))
        self.cost_weight = np.float32(self.prices.budget + rho * limits.least_return)
        self.charge = self.prices.of_options(limits.groups, pairs.options).astype(np.float32)
        self.in_group = limits.in_group(pairs.options)
        self.finite = np.isfinite(limits.least) | np.isfinite(limits.most)

    def piece(self, rows: slice) -> tuple[float, NDArray[np.float64]]:
        """The members' part of the dual, and (rows,) what they are expected to use."""
        value, drawn, scale, contacted = self._drawn(rows)
        return value, self._used(rows, drawn, scale, contacted)

    def chances(self, rows: slice) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """(n, k) with what chance each pair is drawn, (n,) with what each member gets any."""
        _, drawn, scale, contacted = self._drawn(rows)
        return drawn * scale[:, None], contacted

    def _drawn(
        self, rows: slice
    ) -> tuple[float, NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
        """Value, chances of the slots but for a scale of each member, scale, chance of any."""
        pairs = self.pairs
        left = pairs.gain[rows] * self.gain_weight
        if self.cost_weight:
            left -= pairs.cost[rows] * self.cost_weight
        if self.charge.any():
            left -= self.charge[pairs.options_of(rows)]
        charge = self.prices.of_members(self.limits.segments, rows)
        return (self._one if self.limits.per_member == 1 else self._several)(left, charge)

    def _one(
        self, left: NDArray[np.float32], charge: NDArray[np.float64] | float
    ) -> tuple[float, NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
        """Softmax over the slots and nobody: value, weights, their scale, chance of a contact."""
        inverse = np.float32(1 / self.temperature)
        charge = np.asarray(charge, dtype=np.float32)
        top = np.maximum(left.max(axis=1, initial=-np.inf), charge)
        left -= top[:, None]
        left *= inverse
        weights = np.exp(left, out=left)
        total = weights.sum(axis=1)
        nobody = np.exp((charge - top) * inverse)
        whole = total + nobody
        value = (top - charge).sum(dtype=np.float64)
        value += self.temperature * np.log(whole).sum(dtype=np.float64)
        scale = 1 / whole
        return float(value), weights, scale, (total * scale).astype(np.float64)

    def _several(
        self, left: NDArray[np.float32], charge: NDArray[np.float64] | float
    ) -> tuple[float, NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
        """The same over all sets of at most k slots, in the log domain.

        ``log e_s`` of the first j slots is built slot by slot: its plain form underflows. The
        chance of each slot is the derivative of the last total, taken backwards.
        """
        most = min(self.limits.per_member, left.shape[1])
        log = left.astype(np.float64) / self.temperature
        sums = [np.full((len(log), most + 1), -np.inf)]
        sums[0][:, 0] = 0.0
        for j in range(log.shape[1]):
            grown = sums[-1].copy()
            grown[:, 1:] = np.logaddexp(grown[:, 1:], sums[-1][:, :-1] + log[:, j, None])
            sums.append(grown)
        sets = sums[-1] - np.asarray(charge / self.temperature)[..., None]
        sets[:, 0] = 0.0
        whole = np.logaddexp.reduce(sets, axis=1)
        weight = np.exp(sets - whole[:, None])
        contacted = weight[:, 1:].sum(axis=1)
        chance = np.empty(left.shape, dtype=np.float32)
        for j in range(log.shape[1] - 1, -1, -1):
            with np.errstate(invalid="ignore"):
                taken = np.exp(sums[j][:, :-1] + log[:, j, None] - sums[j + 1][:, 1:])
            moved = weight[:, 1:] * np.nan_to_num(taken)
            chance[:, j] = moved.sum(axis=1)
            weight[:, 1:] -= moved
            weight[:, :-1] += moved
        value = self.temperature * float(whole.sum())
        return value, chance, np.ones(len(left), dtype=np.float32), contacted

    def _used(
        self,
        rows: slice,
        drawn: NDArray[np.float32],
        scale: NDArray[np.float32],
        contacted: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(rows,) expected use of each limit when a pair's chance is ``drawn * scale``."""
        pairs, limits = self.pairs, self.limits
        used = np.zeros(len(self.finite))
        used[AUDIENCE] = contacted.sum()
        if self.finite[BUDGET] or self.finite[RETURN]:
            used[BUDGET] = _weighted(drawn, pairs.cost[rows], scale)
        if self.finite[RETURN]:
            # Nothing is drawn where gain is -inf, and 0 × -inf is no number.
            gain = np.maximum(pairs.gain[rows], np.float32(-1e30))
            used[RETURN] = _weighted(drawn, gain, scale) - limits.least_return * used[BUDGET]
        if limits.groups:
            if pairs.option is None:
                by_option = np.einsum("ij,i->j", drawn, scale).astype(np.float64)
            else:
                chance = (drawn * scale[:, None]).ravel()
                by_option = np.bincount(pairs.option[rows].ravel(), chance, pairs.options)
            used[GROUPS : limits.by_segment.start] = by_option @ self.in_group
        for at, segment in enumerate(limits.segments, limits.by_segment.start):
            used[at] = contacted[segment.members[rows]].sum()
        return used


def _weighted(
    drawn: NDArray[np.float32], amount: NDArray[np.float32], scale: NDArray[np.float32]
) -> float:
    by_member = np.einsum("ij,ij->i", drawn, amount)
    return float((by_member * scale).sum(dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Search:
    """Where prices are looked for: their natural units, so that one step fits all.

    fixed: (rows,) prices charged besides those that are looked for.
    """

    unit: NDArray[np.float64]  # (rows,)
    caps: NDArray[np.int64]
    floors: NDArray[np.int64]
    highest: tuple[float, float]  # price of a cap, of a floor, in these units
    fixed: NDArray[np.float64]

    @classmethod
    def over(cls, problem: Problem, scale: float) -> Search:
        limits, pairs = problem.limits, problem.pairs
        unit = np.full(len(limits.most), scale)
        costs = pairs.cost[np.isfinite(pairs.gain) & (pairs.cost > 0)]
        unit[BUDGET] = scale / (float(costs.mean(dtype=np.float64)) if costs.size else 1.0)
        unit[RETURN] = scale / Problem(pairs, limits).scale()
        caps, floors = np.isfinite(limits.most), np.isfinite(limits.least)
        # Where floors cannot be met the prices grow without end.
        highest = (_HIGHEST, _HIGHEST if problem.worth else 1.0)
        fixed = np.zeros(len(unit))
        return cls(unit, np.flatnonzero(caps), np.flatnonzero(floors), highest, fixed)


def least_dual(
    problem: Problem,
    search: Search,
    start: NDArray[np.float64],
    temperature: float,
    evaluations: int,
    share: float = 1.0,
) -> NDArray[np.float64]:
    """(rows,) prices at the minimum of the smooth dual, from ``start`` on; without the fixed.

    share: of all members that the problem's members are; the limits are scaled by it.
    """
    from scipy.optimize import minimize  # only where a push is planned, never in a scorer's start

    if not len(search.caps) + len(search.floors):
        return start
    most = problem.limits.most[search.caps] * share
    least = problem.limits.least[search.floors] * share
    unit, split = search.unit, len(search.caps)
    whole = 1 / (temperature_unit(search) * max(len(problem.pairs), 1))

    def prices_of(x: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = np.zeros(len(unit))
        rows[search.caps] += x[:split] * unit[search.caps]
        rows[search.floors] -= x[split:] * unit[search.floors]
        return rows

    def dual(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, used = smooth_dual(problem, prices_of(x) + search.fixed, temperature)
        caps, floors = x[:split] * unit[search.caps], x[split:] * unit[search.floors]
        value += float(caps @ most - floors @ least)
        slope = np.concatenate(
            [
                (most - used[search.caps]) * unit[search.caps],
                (used[search.floors] - least) * unit[search.floors],
            ]
        )
        return value * whole, slope * whole

    first = np.concatenate(
        [
            np.maximum(start[search.caps] / unit[search.caps], 0),
            np.maximum(-start[search.floors] / unit[search.floors], 0),
        ]
    )
    bounds = [(0, search.highest[0])] * split + [(0, search.highest[1])] * len(search.floors)
    found = minimize(
        dual, first, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxfun": evaluations, "maxiter": evaluations, "ftol": 1e-13, "gtol": 1e-9},
    )  # fmt: skip
    return prices_of(found.x)


def temperature_unit(search: Search) -> float:
    """The scale of gains that the search was made for."""
    return float(search.unit[AUDIENCE])


def find_prices(problem: Problem, ties: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """(rows,) prices of the limits, and the last temperature.

    On a sample of the members first, drawn by ``ties``, cooling; then on everyone.
    """
    n = len(problem.pairs)
    sampled = problem
    if n > SAMPLE:
        rows = np.argpartition(ties, SAMPLE)[:SAMPLE]
        sampled = problem.share(np.sort(rows))
    scale = sampled.scale()
    search = Search.over(sampled, scale)
    prices = np.zeros(len(search.unit))
    for step in COOLING:
        prices = least_dual(
            sampled, search, prices, step * scale, 200, len(sampled.pairs) / max(n, 1)
        )
    if n > SAMPLE:
        prices = least_dual(problem, search, prices, COOLING[-1] * scale, _EVALUATIONS)
    return prices, COOLING[-1] * scale
