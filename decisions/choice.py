"""What every member takes at given prices, and how near each is to taking something else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decisions.chunks import in_pieces
from decisions.dual import Problem, limit_value
from decisions.limits import AUDIENCE, BUDGET, GROUPS, RETURN, Limits, Pairs, ShadowPrices, surplus

NOBODY = -1


@dataclass(frozen=True, eq=False)
class Choice:
    """One set of pairs a member.

    slot: (n, per_member) slots taken, best first, NOBODY where fewer.
    other: (n,) the slot that comes next: of the best pair not taken.
    regret: (n,) what the nearest other choice would lose.
    bound: no choice within the limits gains more (the dual at the prices).
    """

    slot: NDArray[np.int32]
    other: NDArray[np.int32]
    regret: NDArray[np.float32]
    bound: float


def best_choice(
    problem: Problem, rows: NDArray[np.float64], ties: NDArray[np.float64], temperature: float
) -> Choice:
    """Each member's best set at prices ``rows``, by surplus plus Gumbel noise at ``temperature``.

    With the noise the choice is a draw from the softmax of the smooth dual, so that members who
    are nearly indifferent split as the limits want it. The noise is a hash of tie and option: the
    same member gets the same, in any order and any piece.
    """
    pairs, limits = problem.pairs, problem.limits
    prices = ShadowPrices.of_rows(rows, limits)
    charge = prices.of_options(limits.groups, pairs.options)
    most = min(limits.per_member, pairs.slots)
    slot = np.full((len(pairs), limits.per_member), NOBODY, dtype=np.int32)
    other = np.zeros(len(pairs), dtype=np.int32)
    regret = np.zeros(len(pairs), dtype=np.float32)

    def piece(part: slice) -> float:
        options = pairs.options_of(part)
        worth = surplus(
            pairs.gain[part], pairs.cost[part], charge[options], prices, limits.least_return,
            problem.worth,
        )  # fmt: skip
        own = np.broadcast_to(prices.of_members(limits.segments, part), len(worth))
        value = _hard_value(worth, own, most)
        seeds = _seeds(ties[part])
        worth += temperature * gumbel(seeds[:, None], options)
        own = own + temperature * gumbel(seeds, np.asarray(pairs.options))
        slot[part, :most], other[part], regret[part] = _best_sets(worth, own, most)
        return value

    value = sum(in_pieces(piece, len(pairs), pairs.slots)) if pairs.slots else 0.0
    return Choice(slot, other, regret, value + limit_value(rows, limits))


def _hard_value(worth: NDArray[np.float64], own: NDArray[np.float64], most: int) -> float:
    """Σ over members of the surplus of their best set, nobody included."""
    top = worth.max(axis=1)
    best = top
    if most > 1:
        first = np.partition(worth, worth.shape[1] - most, axis=1)[:, -most:]
        best = np.where(top > 0, np.maximum(first, 0).sum(axis=1), top)
    return float(np.maximum(best - own, 0).sum())


def _best_sets(
    worth: NDArray[np.float64], own: NDArray[np.float64], most: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """(n, most) slots of the best set, (n,) the next slot, (n,) regret. Overwrites ``worth``."""
    n = np.arange(len(worth))
    slot = np.full((len(worth), most), NOBODY, dtype=np.int32)
    total = np.zeros(len(worth))
    least, count = np.full(len(worth), np.inf), np.zeros(len(worth), dtype=np.int64)
    first = worth.argmax(axis=1)
    for nth in range(most):
        best = first if nth == 0 else worth.argmax(axis=1)
        value = worth[n, best]
        # The first pair may cost surplus: whether the member is contacted at all is told below.
        taken = (value > 0) if nth else (value > -np.inf)
        slot[taken, nth] = best[taken]
        total[taken] += value[taken]
        least[taken] = value[taken]
        count += taken
        worth[n[taken], best[taken]] = -np.inf
    following = worth.argmax(axis=1)
    spare = worth[n, following]
    with np.errstate(invalid="ignore"):
        gains = np.where(count > 0, total - own, -np.inf)
        swap = np.where(count < most, np.minimum(-spare, least - spare), least - spare)
    contacted = gains > 0
    swap = np.where(count > 1, np.minimum(swap, np.abs(least)), swap)
    # inf - inf where a member has a single pair: nothing to swap it with.
    swap = np.where(np.isfinite(spare), swap, np.inf)
    regret = np.where(contacted, np.minimum(gains, swap), -gains)
    slot[~contacted] = NOBODY
    other = np.where(contacted, following, first)
    return slot, other.astype(np.int32), np.abs(regret)


def used_by(problem: Problem, slot: NDArray[np.int32]) -> NDArray[np.float64]:
    """(rows,) what a choice uses of every limit, in float64 sums of the pairs' own numbers."""
    pairs, limits = problem.pairs, problem.limits
    member, nth = np.nonzero(slot != NOBODY)
    at = slot[member, nth]
    used = np.zeros(len(limits.most))
    used[BUDGET] = pairs.cost[member, at].sum(dtype=np.float64)
    gained = pairs.gain[member, at].sum(dtype=np.float64)
    used[RETURN] = gained - limits.least_return * used[BUDGET]
    contacted = (slot != NOBODY).any(axis=1)
    used[AUDIENCE] = np.count_nonzero(contacted)
    option = at if pairs.option is None else pairs.option[member, at]
    contacts = np.bincount(option, minlength=pairs.options)
    used[GROUPS : limits.by_segment.start] = contacts @ limits.in_group(pairs.options)
    for row, segment in enumerate(limits.segments, limits.by_segment.start):
        used[row] = np.count_nonzero(contacted & segment.members)
    return used


def gained_by(pairs: Pairs, slot: NDArray[np.int32]) -> float:
    """Total gain of a choice."""
    member, nth = np.nonzero(slot != NOBODY)
    return float(pairs.gain[member, slot[member, nth]].sum(dtype=np.float64))


def holds(used: NDArray[np.float64], limits: Limits) -> bool:
    """Whether every limit holds; sums of money up to the noise of adding them in another order."""
    over, under = used - limits.most, limits.least - used
    noise = np.zeros(len(used))
    noise[[BUDGET, RETURN]] = 1e-12 * abs(used[BUDGET]), 1e-12 * abs(used[RETURN])
    return bool((over <= noise).all() and (under <= noise).all())


def _seeds(ties: NDArray[np.float64]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(ties).view(np.uint64)


def gumbel(seeds: NDArray[np.uint64], option: NDArray[np.integer]) -> NDArray[np.float32]:
    """Standard Gumbel noise of a tie and an option, by the mixer of SplitMix64."""
    mixed = seeds + (np.atleast_1d(option).astype(np.uint64) + np.uint64(1)) * np.uint64(
        0x9E3779B97F4A7C15
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    uniform = ((mixed >> np.uint64(41)).astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-23)
    np.log(uniform, out=uniform)
    np.negative(uniform, out=uniform)
    np.log(uniform, out=uniform)
    np.negative(uniform, out=uniform)
    return uniform
