"""Random pushes, their exact optimum, and the check that an allocation keeps every limit."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from decisions.allocation import Allocation
from decisions.limits import Group, Limits, Pairs, Segment


def pairs_of(gain: object, cost: object = 1.0) -> Pairs:
    """Pairs where slot j is option j; one cost for all where a number is given."""
    gains = np.asarray(gain, dtype=np.float32)
    costs = np.broadcast_to(np.asarray(cost, dtype=np.float32), gains.shape)
    return Pairs(gains, costs, gains.shape[1])


def ties_of(members: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random(members)


def random_push(
    seed: int, members: int = 60, options: int = 5
) -> tuple[Pairs, Limits, NDArray[np.float64]]:
    """A push with any mix of limits: none at all, tied gains, sparse slots, hopeless floors."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(0, members + 1)), int(rng.integers(1, options + 1))
    k = int(rng.integers(1, m + 1)) if rng.random() < 0.3 else m
    option = None
    if k < m or rng.random() < 0.3:
        option = np.argsort(rng.random((n, m)), axis=1)[:, :k]
    gain = np.round(rng.normal(0.5, 2, (n, k)), int(rng.integers(0, 4))).astype(np.float32)
    gain[rng.random((n, k)) < 0.15] = -np.inf
    cost = np.round(rng.uniform(0, 2, (n, k)), int(rng.integers(0, 3))).astype(np.float32)
    return Pairs(gain, cost, m, option), _limits(rng, n, m), rng.random(n)


def _limits(rng: np.random.Generator, n: int, m: int) -> Limits:
    def span(most: int) -> tuple[float, float]:
        least = float(rng.integers(0, most // 3 + 2)) if rng.random() < 0.4 else 0.0
        return least, least + float(rng.integers(0, most + 1)) if rng.random() < 0.6 else np.inf

    groups = tuple(
        Group(f"group {g}", rng.random(m) < 0.5, *span(n // 3)) for g in range(rng.integers(0, 4))
    )
    segments = tuple(
        Segment(f"segment {s}", rng.random(n) < 0.4, *span(n // 4))
        for s in range(rng.integers(0, 3))
    )
    least, most = span(n // 2)
    return Limits(
        budget=float(rng.choice([0.0, 2.5, n / 4, np.inf])),
        least_return=float(rng.choice([0.0, 0.0, 1.0, 3.0])),
        return_credit=float(rng.choice([0.0, 2.0, -2.0])),
        audience_least=least,
        audience_most=most,
        groups=groups,
        segments=segments,
        per_member=int(rng.choice([1, 1, 2, 3])),
    )


def broken(pairs: Pairs, limits: Limits, slot: NDArray[np.int64]) -> list[str]:
    """Names of what a choice does that it must not, counted pair by pair."""
    found = []
    chosen = [(i, int(j)) for i, row in enumerate(slot) for j in row if j >= 0]
    option = {(i, j): j if pairs.option is None else int(pairs.option[i, j]) for i, j in chosen}
    cost = sum(float(pairs.cost[pair]) for pair in chosen)
    gain = sum(float(pairs.gain[pair]) for pair in chosen)
    contacted = {i for i, _ in chosen}
    if not np.isfinite(gain):
        found.append("a pair that is not allowed")
    if len({(i, option[i, j]) for i, j in chosen}) < len(chosen):
        found.append("an option twice")
    if cost > limits.budget + 1e-9:
        found.append("budget")
    if limits.least_return and gain - limits.least_return * cost < -limits.return_credit - 1e-9:
        found.append("return")
    counts = [
        ("audience", len(contacted), limits.audience_least, limits.audience_most),
        *(
            (g.name, sum(bool(g.options[o]) for o in option.values()), g.least, g.most)
            for g in limits.groups
        ),
        *(
            (s.name, sum(bool(s.members[i]) for i in contacted), s.least, s.most)
            for s in limits.segments
        ),
    ]
    found += [name for name, count, least, most in counts if not least <= count <= most]
    return found


def by_trying(pairs: Pairs, limits: Limits) -> float:
    """The optimum by trying every choice, -inf where none holds the limits. Tiny pushes only."""
    slots = range(pairs.slots)
    sets = [
        subset + (-1,) * (limits.per_member - len(subset))
        for size in range(min(limits.per_member, pairs.slots) + 1)
        for subset in itertools.combinations(slots, size)
    ]
    best = -np.inf
    for choice in itertools.product(sets, repeat=len(pairs)):
        slot = np.array(choice, dtype=np.int64).reshape(len(pairs), limits.per_member)
        if not broken(pairs, limits, slot):
            best = max(best, value_of(pairs, slot))
    return best


def value_of(pairs: Pairs, slot: NDArray[np.int64]) -> float:
    return sum(float(pairs.gain[i, j]) for i, row in enumerate(slot) for j in row if j >= 0)


def same(one: Allocation, other: Allocation) -> bool:
    return bool((one.slot == other.slot).all()) and one.value == other.value
