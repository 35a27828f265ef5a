"""Allocation: within every limit, at the optimum, certified, fair and reproducible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.allocation import Allocation, allocate
from decisions.errors import DecisionError
from decisions.infeasible import Infeasible
from decisions.limits import Group, Limits, Pairs, Segment, surplus
from tests.decisions.allocations import (
    broken,
    by_trying,
    pairs_of,
    random_push,
    same,
    ties_of,
    value_of,
)


def slots(gain: object, cost: object, limits: Limits) -> list[list[int]]:
    pairs = pairs_of(gain, cost)
    chosen: list[list[int]] = allocate(pairs, limits, ties_of(len(pairs))).slot.tolist()
    return chosen


def test_prefers_the_better_return_to_the_bigger_gain() -> None:
    limits = Limits(budget=1000)
    assert slots([[2000], [1500], [1500]], [[1000], [500], [500]], limits) == [[-1], [0], [0]]


def test_takes_the_largest_gains_when_only_the_audience_is_limited() -> None:
    assert slots([[1], [5], [3], [-2]], 1, Limits(audience_most=2)) == [[-1], [0], [0], [-1]]


def test_a_scarce_offer_goes_to_those_who_would_miss_it_most() -> None:
    scarce = Group("offer 0", np.array([True, False]), most=1)
    assert slots([[10, 9], [10, 1]], 1, Limits(groups=(scarce,))) == [[1], [0]]


def test_a_floor_is_met_by_those_who_lose_least() -> None:
    gold = Segment("gold", np.array([True, True, True, False]), least=2)
    assert slots([[-5], [-1], [2], [3]], 1, Limits(segments=(gold,))) == [[-1], [0], [0], [0]]


def test_a_member_may_get_several_offers_and_counts_once() -> None:
    limits = Limits(per_member=2, audience_most=1, budget=2)
    assert slots([[3, 2, 1], [4, 0.5, 0]], 1, limits) == [[0, 1], [-1, -1]]


def test_the_return_holds_over_all_that_is_sent() -> None:
    # 10 for 1 pays for 2 for 2 (12 for 3), but not for 3 for 3 as well (15 for 6).
    assert slots([[10], [2], [3]], [[1], [2], [3]], Limits(least_return=4)) == [[0], [0], [-1]]


def test_what_was_earned_elsewhere_counts_for_the_return() -> None:
    limits = Limits(least_return=4, return_credit=3)
    assert slots([[3]], [[1]], Limits(least_return=4)) == [[-1]]
    assert slots([[3]], [[1]], limits) == [[0]]


@pytest.mark.parametrize("members", [0, 1])
def test_a_push_to_hardly_anybody_is_decided_too(members: int) -> None:
    found = allocate(pairs_of(np.ones((members, 2))), Limits(budget=5), ties_of(members))
    assert found.contacted == members
    assert found.value == members


def test_nobody_gets_an_offer_that_gains_nothing() -> None:
    found = allocate(pairs_of([[-1.0, -2.0], [-np.inf, -np.inf]]), Limits(), ties_of(2))
    assert found.slot.tolist() == [[-1], [-1]]
    assert found.value == found.bound == found.gap == 0


def test_members_at_the_prices_take_what_the_allocation_gave_them() -> None:
    rng = np.random.default_rng(2)
    pairs = pairs_of(rng.normal(1, 2, (400, 4)), rng.uniform(0.5, 2, (400, 4)))
    gold = Segment("gold", rng.random(400) < 0.2, least=70)
    limits = Limits(budget=120, audience_most=150, segments=(gold,))
    found = allocate(pairs, limits, ties_of(400))
    charge = found.prices.of_options(limits.groups, pairs.options)
    left = surplus(pairs.gain, pairs.cost, charge, found.prices, limits.least_return)
    own = found.prices.of_members(limits.segments, slice(None))
    alone = np.where(left.max(axis=1) > own, left.argmax(axis=1), -1)
    assert (alone == found.slot[:, 0]).mean() > 0.98


def checked(seed: int, members: int = 60) -> Allocation | None:
    """A random push, allocated with everything that must hold; None where it cannot be.

    Every fourth is allocated twice: the same question has the same answer.
    """
    pairs, limits, ties = random_push(seed, members)
    try:
        found = allocate(pairs, limits, ties)
    except Infeasible:
        assert broken(pairs, limits, np.full((len(pairs), limits.per_member), -1))
        return None
    assert broken(pairs, limits, found.slot) == []
    assert found.value == pytest.approx(value_of(pairs, found.slot), abs=1e-6)
    assert found.value <= found.bound + 1e-9
    assert found.contacts == (found.slot >= 0).sum()
    assert found.contacted == (found.slot >= 0).any(axis=1).sum()
    if seed % 4 == 0:
        assert same(found, allocate(pairs, limits, ties))
    return found


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_limit_of_any_push_holds_exactly(seed: int) -> None:
    checked(seed)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_tiny_push_reaches_the_best_of_all_choices(seed: int) -> None:
    pairs, limits, ties = random_push(seed, members=4, options=3)
    best = by_trying(pairs, limits)
    if best == -np.inf:
        with pytest.raises(Infeasible):
            allocate(pairs, limits, ties)
    else:
        found = allocate(pairs, limits, ties)
        assert found.value == pytest.approx(best, abs=1e-5)
        assert found.bound >= best - 1e-6


def test_equals_share_what_is_scarce_whatever_their_order() -> None:
    pairs = pairs_of(np.ones((6000, 2)))
    found = allocate(pairs, Limits(audience_most=2000), ties_of(6000))
    halves = (found.slot[:3000] >= 0).sum(), (found.slot[3000:] >= 0).sum()
    assert sum(halves) == 2000
    assert abs(halves[0] - halves[1]) < 160  # four standard deviations


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_members_changes_nothing(seed: int) -> None:
    pairs, _, ties = random_push(seed + 100, members=400)
    order = np.random.default_rng(seed).permutation(len(pairs))
    limits = Limits(budget=len(pairs) / 5, audience_most=len(pairs) / 3)
    found = allocate(pairs, limits, ties)
    assert (allocate(pairs.take(order), limits, ties[order]).slot == found.slot[order]).all()


def many(members: int, seed: int = 0) -> tuple[Pairs, Limits]:
    rng = np.random.default_rng(seed)
    pairs = Pairs(
        rng.normal(0.5, 2, (members, 6)).astype(np.float32),
        rng.uniform(0.2, 2, (members, 6)).astype(np.float32),
        6,
    )
    sms, rare = np.arange(6) < 3, np.arange(6) == 5
    limits = Limits(
        budget=members / 10,
        audience_most=members / 4,
        groups=(
            Group("channel sms", sms, least=members / 10, most=members / 8),
            Group("offer 5", rare, least=members / 15),
        ),
        segments=(Segment("gold", rng.random(members) < 0.1, least=members / 25),),
    )
    return pairs, limits


@pytest.mark.slow
def test_a_large_push_is_certified_to_a_hundred_thousandth_and_keeps_every_limit() -> None:
    pairs, limits = many(120_000)
    found = allocate(pairs, limits, ties_of(120_000))
    assert broken(pairs, limits, found.slot) == []
    assert 0 <= found.gap < 1e-5
    assert same(found, allocate(pairs, limits, ties_of(120_000)))


def test_a_budget_below_zero_is_refused() -> None:
    with pytest.raises(DecisionError, match=r"budget is -1\.0, wanted 0 or more"):
        Limits(budget=-1.0)


@pytest.mark.parametrize(
    ("gain", "cost", "message"),
    [
        ([[np.nan]], [[1.0]], "gain is NaN or inf for a pair"),
        ([[1.0]], [[-1.0]], "cost is NaN, inf or below 0 for a pair"),
        ([[1.0]], [[np.nan]], "cost is NaN, inf or below 0 for a pair"),
    ],
)
def test_numbers_that_are_none_are_refused(gain: object, cost: object, message: str) -> None:
    with pytest.raises(DecisionError, match=message):
        pairs_of(gain, cost)


def test_a_segment_of_other_members_is_refused() -> None:
    limits = Limits(segments=(Segment("gold", np.ones(3, dtype=bool), least=1),))
    with pytest.raises(DecisionError, match=r"members of gold are \(3,\), wanted 2"):
        allocate(pairs_of([[1], [1]]), limits, ties_of(2))
