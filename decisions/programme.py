"""The integer programme of a few members, solved exactly by HiGHS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decisions.choice import NOBODY
from decisions.dual import Problem
from decisions.limits import BUDGET, RETURN, Limits
from decisions.quiet import without_stray_prints

_IMPOSSIBLE = 2  # the status by which SciPy tells that there is no solution


@dataclass(frozen=True, eq=False)
class Solved:
    """slot: (members, per_member) as ``Choice.slot``, None where nothing was found.

    bound: no solution has a larger gain.
    """

    slot: NDArray[np.int32] | None
    bound: float


@dataclass(frozen=True, eq=False)
class Programme:
    """Choose among the pairs of some members; columns are pairs, then contacts of members.

    member, slot: (columns,) of each pair; members as positions among those of the programme.
    matrix: (rows, columns), sparse: the limits first, in units of ``size``, then what holds for
        each member.
    lower, upper: of every row, less what everybody else uses.
    """

    problem: Problem
    member: NDArray[np.int64]
    slot: NDArray[np.int64]
    matrix: Any
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    size: NDArray[np.float64]

    def best(self, gap: float, nodes: int, tighter: float = 0.0) -> Solved:
        """The choice with the largest gain.

        gap: relative one, at which branch and bound stops; so it does after so many ``nodes``: a
        count, not a time, so that the answer is always the same. tighter: by how many ``size``
        budget and return are narrowed, against the solver's own tolerance.
        """
        upper, lower = self.upper.copy(), self.lower.copy()
        upper[BUDGET] -= tighter
        lower[RETURN] += tighter
        value = np.zeros(self.matrix.shape[1])
        value[: len(self.member)] = self.problem.pairs.gain[self.member, self.slot]
        if not len(value):
            fits = bool((lower <= 0).all() and (upper >= 0).all())
            return Solved(self._slots(np.zeros(0, dtype=bool)) if fits else None, 0.0)
        narrowed = replace(self, lower=lower, upper=upper)
        solved = narrowed._solve(-value, self.matrix, gap=gap, nodes=nodes)
        if solved.x is None:
            return Solved(None, np.inf)
        bound = solved.fun if solved.mip_dual_bound is None else solved.mip_dual_bound
        return Solved(self._slots(solved.x[: len(self.member)] > 0.5), -float(bound))

    def shortfall(self, floors: NDArray[np.int64], caps: NDArray[np.int64]) -> float | None:
        """Least total, in ``size``, by which these limits give way; None if it does not help."""
        from scipy import sparse

        give = np.r_[np.ones(len(floors)), -np.ones(len(caps))]
        where = (np.r_[floors, caps], np.arange(len(give)))
        shape = (self.matrix.shape[0], len(give))
        matrix = sparse.hstack([self.matrix, sparse.csr_array((give, where), shape)]).tocsr()
        value = np.r_[np.zeros(self.matrix.shape[1]), np.ones(len(give))]
        solved = self._solve(value, matrix, gap=0.0, nodes=1_000)
        return None if solved.x is None else float(solved.fun)

    def prices_of_shortfall(self, floors: NDArray[np.int64]) -> NDArray[np.float64]:
        """(limits,) prices that prove how far even divisible contacts miss the floors."""
        from scipy import sparse
        from scipy.optimize import linprog

        give = (np.ones(len(floors)), (floors, np.arange(len(floors))))
        shape = (self.matrix.shape[0], len(floors))
        matrix = sparse.hstack([self.matrix, sparse.csr_array(give, shape)]).tocsr()
        value = np.r_[np.zeros(self.matrix.shape[1]), np.ones(len(floors))]
        up, down = np.isfinite(self.upper), np.isfinite(self.lower)
        solved = linprog(
            value, A_ub=sparse.vstack([matrix[up], -matrix[down]]),
            b_ub=np.r_[self.upper[up], -self.lower[down]],
            bounds=np.column_stack([np.zeros(len(value)), self._top(len(value))]),
            method="highs",
        )  # fmt: skip
        prices = np.zeros(len(self.upper))
        if solved.x is not None:
            dual = -solved.ineqlin.marginals
            prices[up] += dual[: np.count_nonzero(up)]
            prices[down] -= dual[np.count_nonzero(up) :]
        in_units: NDArray[np.float64] = prices[: len(self.size)] / self.size
        return in_units

    def _top(self, columns: int) -> NDArray[np.float64]:
        """(columns,) most of each: 1 of pairs and contacts, anything of what gives way."""
        own = self.matrix.shape[1]
        return np.concatenate([np.ones(own), np.full(columns - own, np.inf)])

    def _solve(self, value: NDArray[np.float64], matrix: Any, *, gap: float, nodes: int) -> Any:
        """SciPy's result of the least ``value`` over the columns of ``matrix``."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        whole = np.zeros(len(value))
        whole[: len(self.member)] = 1
        some = np.isfinite(self.lower) | np.isfinite(self.upper)
        with without_stray_prints():
            return milp(
                value, integrality=whole, bounds=Bounds(0, self._top(len(value))),
                constraints=LinearConstraint(matrix[some], self.lower[some], self.upper[some]),
                options={"mip_rel_gap": gap, "node_limit": nodes},
            )  # fmt: skip

    def _slots(self, taken: NDArray[np.bool_]) -> NDArray[np.int32]:
        """(members, per_member) slots of the pairs taken, largest gain first."""
        pairs, most = self.problem.pairs, self.problem.limits.per_member
        slot = np.full((len(pairs), most), NOBODY, dtype=np.int32)
        member, at = self.member[taken], self.slot[taken]
        order = np.lexsort((-pairs.gain[member, at], member))
        member, at = member[order], at[order]
        slot[member, np.arange(len(member)) - np.searchsorted(member, member)] = at
        return slot


def programme(
    problem: Problem, open_pairs: NDArray[np.bool_], fixed: NDArray[np.float64]
) -> Programme:
    """The programme of all members of ``problem`` over their ``open_pairs`` (n, k).

    fixed: (limits,) what members outside use of the limits.
    """
    from scipy import sparse

    pairs, limits = problem.pairs, problem.limits
    member, slot = np.nonzero(open_pairs)
    cost, gain = (of[member, slot].astype(np.float64) for of in (pairs.cost, pairs.gain))
    returned = gain - limits.least_return * cost
    size = np.ones(len(limits.most))
    size[BUDGET], size[RETURN] = _typical(cost), _typical(returned)
    sums = sparse.csr_array(np.array([cost / size[BUDGET], returned / size[RETURN]]))
    option = slot if pairs.option is None else pairs.option[member, slot]
    by_option = sparse.csr_array(limits.in_group(pairs.options).T)[:, option]
    of_member = sparse.csr_array(
        (np.ones(len(member)), (member, np.arange(len(member)))), (len(pairs), len(member))
    )
    counted = sparse.csr_array(
        np.array([np.ones(len(pairs)), *(s.members for s in limits.segments)], dtype=np.float64)
    )
    if limits.per_member == 1:
        counted = counted @ of_member
        matrix = sparse.vstack([sums, counted[:1], by_option, counted[1:], of_member])
        low, high = np.full(len(pairs), -np.inf), np.ones(len(pairs))
    else:
        matrix, low, high = _several(limits, sums, by_option, counted, of_member)
    lower, upper = (limits.least - fixed) / size, (limits.most - fixed) / size
    return Programme(
        problem, member, slot, matrix.tocsr(), np.r_[lower, low], np.r_[upper, high], size
    )


def _typical(amount: NDArray[np.float64]) -> float:
    return (float(np.abs(amount).mean()) if amount.size else 0.0) or 1.0


def _several(
    limits: Limits, sums: Any, by_option: Any, counted: Any, of_member: Any
) -> tuple[Any, NDArray[np.float64], NDArray[np.float64]]:
    """The matrix where a member may get several offers: a column more for each member contacted."""
    from scipy import sparse

    members, pairs = of_member.shape

    def none(rows: int, columns: int) -> Any:
        return sparse.csr_array((rows, columns))

    # A member counts as contacted with the first pair, and not without one.
    own = sparse.eye_array(members)
    matrix = sparse.block_array(
        [
            [sums, none(2, members)],
            [none(1, pairs), counted[:1]],
            [by_option, none(by_option.shape[0], members)],
            [none(len(limits.segments), pairs), counted[1:]],
            [sparse.eye_array(pairs), -of_member.T],
            [of_member, -own],
            [of_member, none(members, members)],
        ]
    )
    low = np.r_[np.full(pairs, -np.inf), np.zeros(members), np.full(members, -np.inf)]
    high = np.r_[np.zeros(pairs), np.full(members, np.inf), np.full(members, limits.per_member)]
    return matrix, low, high
