"""Which members get which offer when there is not enough for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decisions.errors import DecisionError

NOBODY = -1
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """budget: money the contacts may cost. audience: most contacts. stock: (m,) most per offer.

    inf means no limit.
    """

    budget: float
    audience: float
    stock: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, limit in (("budget", self.budget), ("audience", self.audience)):
            if not limit >= 0:
                raise DecisionError(f"{name} is {limit}, wanted 0 or more")
        if not (self.stock >= 0).all():
            raise DecisionError("stock is below 0 for an offer")


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who gets what, and the certificate that it is near the best there is.

    offer: (n,) position of the offer, -1 for nobody.
    value: total gain of the choice. bound: no choice within the limits can gain more (the dual
    value at the prices). spent: total cost, at most the budget.
    budget_price, audience_price, stock_price: what one more unit of each limit would gain.
    """

    offer: NDArray[np.int64]
    value: float
    bound: float
    spent: float
    budget_price: float
    audience_price: float
    stock_price: NDArray[np.float64]

    @property
    def gap(self) -> float:
        """How far the value may be from the optimum, as a share of the bound."""
        return (self.bound - self.value) / self.bound if self.bound > 0 else 0.0


def allocate(gain: NDArray[np.float64], cost: NDArray[np.float64], limits: Limits) -> Allocation:
    """Maximise the total gain within ``limits``, at most one offer a member.

    Args:
        gain: (n, m) gain of each pair; -inf for one that is not allowed. A pair without positive
            gain is never chosen.
        cost: (n, m) what the pair takes from the budget, 0 or more.

    The linear programme is solved in its dual: for given prices every member takes the offer with
    the largest surplus; the prices rise until the limits hold. What rounding leaves over is
    repaired and filled, so every limit holds exactly.

    Source: Lagrangian relaxation of the multiple-choice knapsack (Fisher, Management Science 27,
    1981).
    """
    if gain.shape != cost.shape or gain.shape[1] != len(limits.stock):
        raise DecisionError(f"gain is {gain.shape}, cost {cost.shape}, stock {limits.stock.shape}")
    worthwhile = np.where(gain > 0, gain, -np.inf)
    prices = _prices(worthwhile, cost, limits)
    surplus = _surplus(worthwhile, cost, prices)
    offer = _repaired(cost, surplus, limits)
    chosen = np.flatnonzero(offer != NOBODY)
    return Allocation(
        offer=offer,
        value=float(gain[chosen, offer[chosen]].sum()),
        bound=_dual_value(surplus, prices, limits),
        spent=float(cost[chosen, offer[chosen]].sum()),
        budget_price=prices.budget,
        audience_price=prices.audience,
        stock_price=prices.stock,
    )


@dataclass(frozen=True, slots=True)
class _Prices:
    budget: float
    audience: float
    stock: NDArray[np.float64]


def _surplus(
    gain: NDArray[np.float64], cost: NDArray[np.float64], prices: _Prices
) -> NDArray[np.float64]:
    surplus: NDArray[np.float64] = gain - prices.budget * cost - prices.stock - prices.audience
    return surplus


def _dual_value(surplus: NDArray[np.float64], prices: _Prices, limits: Limits) -> float:
    taken = float(np.maximum(surplus.max(axis=1, initial=0.0), 0.0).sum())
    # A limit without a price costs nothing, also where it is infinite.
    priced = [
        (prices.budget, limits.budget),
        (prices.audience, limits.audience),
        *zip(prices.stock, limits.stock, strict=True),
    ]
    return taken + float(sum(price * limit for price, limit in priced if price > 0))


def _prices(gain: NDArray[np.float64], cost: NDArray[np.float64], limits: Limits) -> _Prices:
    """Minimise the dual one block of prices after the other, until nothing moves."""
    stock = np.zeros(gain.shape[1])
    for _ in range(_ROUNDS if np.isfinite(limits.stock).any() else 1):
        budget = _budget_price(gain - stock, cost, limits)
        audience = _audience_price(gain - stock - budget * cost, limits.audience)
        updated = _stock_prices(gain - budget * cost - audience, stock, limits.stock)
        if np.allclose(updated, stock, rtol=1e-6, atol=1e-12):
            break
        stock = updated
    return _Prices(budget, audience, stock)


def _budget_price(gain: NDArray[np.float64], cost: NDArray[np.float64], limits: Limits) -> float:
    """The least price of money at which the members' own choices fit the budget."""

    def spend(price: float) -> float:
        surplus = gain - price * cost
        best = surplus.argmax(axis=1)
        rows = np.arange(len(best))
        value = surplus[rows, best] - _audience_price(surplus, limits.audience)
        return float(cost[rows, best][value > 0].sum())

    if not np.isfinite(limits.budget) or not len(gain) or spend(0.0) <= limits.budget:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.where(cost > 0, gain / cost, -np.inf)
    low, high = 0.0, float(np.nanmax(returns)) + 1.0
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (low, middle) if spend(middle) <= limits.budget else (middle, high)
    return high


def _audience_price(surplus: NDArray[np.float64], limit: float) -> float:
    """The least price of a contact at which at most ``limit`` members still gain."""
    best = surplus.max(axis=1, initial=-np.inf)
    wanting = best[best > 0]
    if len(wanting) <= limit:
        return 0.0
    if limit < 1:
        return float(wanting.max())
    # At the price of the first one left out, the others have a surplus above zero.
    return float(np.partition(wanting, -int(limit) - 1)[-int(limit) - 1])


def _stock_prices(
    surplus: NDArray[np.float64], prices: NDArray[np.float64], stock: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One pass over the offers: each price clears its offer, the others' prices held fixed."""
    updated = prices.copy()
    for j in np.flatnonzero(np.isfinite(stock)):
        others = np.delete(surplus - updated, j, axis=1).max(axis=1, initial=0.0)
        margin = surplus[:, j] - np.maximum(others, 0.0)
        wanting = margin[margin > 0]
        if len(wanting) <= stock[j]:
            updated[j] = 0.0
        elif stock[j] < 1:
            updated[j] = float(wanting.max())
        else:
            first_out, last_in = np.sort(wanting)[-int(stock[j]) - 1 :][:2]
            # Just above what the first one left out would pay: no tie between the two.
            updated[j] = float(first_out + (last_in - first_out) / 100)
    return updated


def _repaired(
    cost: NDArray[np.float64], surplus: NDArray[np.float64], limits: Limits
) -> NDArray[np.int64]:
    """Take each member's best pair in the order of surplus while every limit holds; then fill.

    Members whose best offer ran out fall to their next one; ties go to the earlier member.
    """
    offer = np.full(len(cost), NOBODY, dtype=np.int64)
    left = _Left(limits.budget, limits.audience, limits.stock.copy())
    best = surplus.argmax(axis=1)
    value = surplus[np.arange(len(best)), best]
    # Members at exactly zero surplus are the marginal ones; filling decides about them.
    order = np.argsort(-value, kind="stable")
    for i in order[value[order] > 0]:
        left.take(offer, int(i), int(best[i]), float(cost[i, best[i]]))
    _fill(surplus, cost, offer, left)
    return offer


@dataclass(slots=True)
class _Left:
    """What remains of each limit while pairs are taken."""

    budget: float
    audience: float
    stock: NDArray[np.float64]

    def take(self, offer: NDArray[np.int64], member: int, choice: int, price: float) -> None:
        if price <= self.budget and self.audience >= 1 and self.stock[choice] >= 1:
            offer[member] = choice
            self.budget -= price
            self.audience -= 1
            self.stock[choice] -= 1


def _fill(
    surplus: NDArray[np.float64], cost: NDArray[np.float64], offer: NDArray[np.int64], left: _Left
) -> None:
    """Give what is left to members without an offer, nearest to paying its price first."""
    free = np.flatnonzero(offer == NOBODY)
    members, choices = np.nonzero(
        np.isfinite(surplus[free]) & (cost[free] <= left.budget) & (left.stock >= 1)
    )
    members = free[members]
    for n in np.argsort(-surplus[members, choices], kind="stable"):
        if left.audience < 1:
            return
        i, j = int(members[n]), int(choices[n])
        if offer[i] == NOBODY:
            left.take(offer, i, j, float(cost[i, j]))
