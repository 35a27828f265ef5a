"""From prices to whole contacts: every limit exact, by a small integer programme on a core.

At the prices nearly every member's choice is clear; what rounding leaves over, or breaks, is a
matter of those who are nearly indifferent. They are freed, all others stay, and the programme of
what is left is solved exactly.

Source: the core of knapsack problems (Balas and Zemel, Operations Research 28, 1980).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decisions.choice import NOBODY, Choice, gained_by, holds, used_by
from decisions.dual import Problem
from decisions.limits import ShadowPrices, surplus
from decisions.programme import programme

_FIRST_CORE, _GROWTH = 300, 4  # members
USUAL_CORE, LARGEST_CORE = 4_800, 20_000  # members
_EVERYBODY = 4_000  # pairs up to which everybody is the core
_WIDTH = 4  # slots of a core member that are looked at
_GOAL = 5e-6  # gap at which no larger core is tried
_NODES, _NODES_OF_EVERYBODY = 50, 1_000


@dataclass(frozen=True, eq=False)
class Repaired:
    """slot: as ``Choice.slot``, every limit exact. bound: as low as the programme proves."""

    slot: NDArray[np.int32]
    value: float
    bound: float

    @property
    def is_near(self) -> bool:
        return self.bound - self.value <= _GOAL * abs(self.bound)


def repaired(
    problem: Problem,
    choice: Choice,
    rows: NDArray[np.float64],
    ties: NDArray[np.float64],
    most: int,
) -> Repaired | None:
    """The choice changed where it must be, for as little gain as can be; None where it cannot.

    With few pairs everybody is the core: the answer is the optimum, and None is a proof.
    most: members of the largest core that is tried.
    """
    n, size = len(problem.pairs), _FIRST_CORE
    if problem.pairs.gain.size <= _EVERYBODY:
        size = n
    best: Repaired | None = None
    while size <= most:
        core = core_of(problem, choice, by_regret(choice, ties, 50 * size), size)
        found = _solved(problem, choice, core, rows)
        if found is not None and (best is None or found.value > best.value):
            best = found
        tried = best is not None and size > _FIRST_CORE
        if tried or len(core) == n or (found is not None and found.is_near):
            break
        size *= _GROWTH
    return best


def by_regret(choice: Choice, ties: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """The members with the least regret, least first; equals by their ties."""
    near = np.arange(len(ties))
    if 0 < most < len(ties):
        border = np.partition(choice.regret, most)[most]
        near = np.flatnonzero(choice.regret <= border)
    return near[np.lexsort((ties[near], choice.regret[near]))]


def core_of(
    problem: Problem, choice: Choice, ranked: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """The first ``size`` of ``ranked``, and enough of every group and segment with a limit."""
    if size >= len(problem.pairs):
        return np.arange(len(problem.pairs))
    limits, pairs = problem.limits, problem.pairs
    core = np.zeros(len(ranked), dtype=bool)
    core[:size] = True
    few = max(10, size // 10)
    first = np.where(choice.slot[ranked, 0] == NOBODY, 0, choice.slot[ranked, 0])
    for slot in (first, choice.other[ranked]):
        option = slot if pairs.option is None else pairs.option[ranked, slot]
        for group in limits.groups:
            if group.least > 0 or group.most < np.inf:
                core[np.flatnonzero(group.options[option])[:few]] = True
    for segment in limits.segments:
        core[np.flatnonzero(segment.members[ranked])[:few]] = True
    return np.sort(ranked[core])


def _solved(
    problem: Problem,
    choice: Choice,
    core: NDArray[np.int64],
    rows: NDArray[np.float64],
) -> Repaired | None:
    slot, bound = choice.slot, choice.bound
    part = problem.share(core)
    everybody = len(core) == len(problem.pairs)
    fixed = np.zeros(len(rows))
    if not everybody:
        # What the others use: exact, from the sums that the final check makes too.
        rest = slot.copy()
        rest[core] = NOBODY
        fixed = used_by(problem, rest)
    wanted = programme(part, _open_pairs(part, rows, slot[core]), fixed)
    gap = _GOAL / 10
    if not everybody:
        here = max(gained_by(part.pairs, slot[core]), 1e-300)
        gap = min(max(gap * abs(bound) / here, gap), 0.1)
    found = slot.copy()
    for tighter in (0.0, 2e-6, 2e-4):
        solved = wanted.best(gap, _NODES_OF_EVERYBODY if everybody else _NODES, tighter)
        if solved.slot is None:
            return None
        found[core] = solved.slot
        if holds(used_by(problem, found), problem.limits):
            value = gained_by(problem.pairs, found)
            least = solved.bound if everybody and not tighter else np.inf
            return Repaired(found, value, max(min(bound, least), value))
    return None


def _open_pairs(
    part: Problem, rows: NDArray[np.float64], slot: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """(n, k) the pairs of core members that are looked at: the best few, and those taken."""
    pairs, limits = part.pairs, part.limits
    allowed: NDArray[np.bool_] = np.isfinite(pairs.gain)
    if pairs.gain.size <= _EVERYBODY or pairs.slots <= _WIDTH:
        return allowed
    prices = ShadowPrices.of_rows(rows, limits)
    charge = prices.of_options(limits.groups, pairs.options)[pairs.options_of(slice(None))]
    worth = surplus(pairs.gain, pairs.cost, charge, prices, limits.least_return)
    width = max(_WIDTH, limits.per_member + 2)
    border = -np.partition(-worth, min(width, pairs.slots - 1), axis=1)[:, width - 1, None]
    near = worth >= border
    member, nth = np.nonzero(slot != NOBODY)
    near[member, slot[member, nth]] = True
    return allowed & near
