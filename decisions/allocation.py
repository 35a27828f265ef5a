"""Which members get which offer when there is not enough for all, and a proof that it is best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decisions.choice import NOBODY, best_choice, used_by
from decisions.dual import SAMPLE, Problem, find_prices
from decisions.errors import DecisionError
from decisions.infeasible import infeasibility
from decisions.limits import AUDIENCE, BUDGET, Limits, Pairs, ShadowPrices
from decisions.repair import LARGEST_CORE, USUAL_CORE, repaired


@dataclass(frozen=True, eq=False)
class Allocation:
    """Who gets what, and the certificate that it is near the best there is.

    slot: (n, per_member) slots of the pairs chosen, best first, -1 where there is none.
    value: total gain of the choice. bound: no choice within the limits gains more.
    spent: total cost. contacted: members. contacts: pairs.
    prices: what one more unit of each limit would gain.
    """

    slot: NDArray[np.int64]
    value: float
    bound: float
    spent: float
    contacted: int
    contacts: int
    prices: ShadowPrices

    @property
    def gap(self) -> float:
        """How far the value may be from the optimum, as a share of the bound."""
        return (self.bound - self.value) / self.bound if self.bound > 0 else 0.0


def allocate(pairs: Pairs, limits: Limits, ties: NDArray[np.float64]) -> Allocation:
    """Maximise the total gain within ``limits``; every limit holds exactly.

    Args:
        ties: (n,) uniforms in [0, 1) from a stable hash of the member: who among equals. The same
            input gives the same answer, and the order of the members does not matter.

    Prices of the limits are found in the dual; at these every member takes the pairs with the
    largest surplus, and a small integer programme of the nearly indifferent settles the rest.

    Raises:
        Infeasible: no choice holds all limits; says which conflict.
        DecisionError: shapes or numbers that do not fit.
    """
    limits.check(pairs)
    if ties.shape != (len(pairs),) or not ((ties >= 0) & (ties < 1)).all():
        raise DecisionError(f"ties are {ties.shape}, wanted {len(pairs)} numbers in [0, 1)")
    problem = Problem(pairs, limits)
    if len(pairs) > SAMPLE:
        return _allocated(problem, ties)
    order = np.argsort(ties, kind="stable")
    found = _allocated(problem.share(order), ties[order])
    slot = np.empty_like(found.slot)
    slot[order] = found.slot
    return Allocation(
        slot, found.value, found.bound, found.spent, found.contacted, found.contacts, found.prices
    )


def _allocated(problem: Problem, ties: NDArray[np.float64]) -> Allocation:
    rows, temperature = find_prices(problem, ties)
    choice = best_choice(problem, rows, ties, temperature)
    found = repaired(problem, choice, rows, ties, USUAL_CORE)
    if found is None:
        conflict = infeasibility(problem, ties)
        if conflict is not None:
            raise conflict
        found = repaired(problem, choice, rows, ties, LARGEST_CORE)
    if found is None:
        raise DecisionError(
            "found no choice of whole contacts that holds all limits, though nothing proves that "
            "there is none; loosen floors, caps or budget a little"
        )
    used = used_by(problem, found.slot)
    return Allocation(
        slot=found.slot.astype(np.int64),
        value=found.value,
        bound=found.bound,
        spent=float(used[BUDGET]),
        contacted=int(used[AUDIENCE]),
        contacts=int(np.count_nonzero(found.slot != NOBODY)),
        prices=ShadowPrices.of_rows(rows, problem.limits),
    )
