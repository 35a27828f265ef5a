"""A push that cannot be sent says which limits conflict, and by how much."""

from __future__ import annotations

import numpy as np
import pytest

from decisions.allocation import allocate
from decisions.infeasible import Infeasible
from decisions.limits import Group, Limits, Pairs, Segment
from tests.decisions.allocations import pairs_of, ties_of


def refused(pairs: Pairs, limits: Limits) -> Infeasible:
    with pytest.raises(Infeasible) as raised:
        allocate(pairs, limits, ties_of(len(pairs)))
    return raised.value


def offers(members: int) -> tuple[Pairs, Limits]:
    """A floor of 5/10 of the members for the second of three offers, a cap of 3/10 on SMS."""
    rng = np.random.default_rng(0)
    pairs = pairs_of(rng.normal(1, 1, (members, 3)), rng.uniform(0.5, 1.5, (members, 3)))
    limits = Limits(
        budget=members,
        audience_most=members * 0.9,
        groups=(
            Group("offer OF-2", np.array([False, True, False]), least=members / 2),
            Group("channel sms", np.array([True, True, False]), most=members * 3 / 10),
            Group("offer OF-3", np.array([False, False, True]), least=members / 10),
        ),
        segments=(Segment("gold", np.arange(members) < members / 2, least=members / 10),),
    )
    return pairs, limits


def test_a_floor_above_its_channels_cap_is_told_with_both_ways_out() -> None:
    error = refused(*offers(1000))
    told = [(c.name, c.side, c.limit, c.short, c.mended) for c in error.conflicts]
    assert told == [
        ("offer OF-2", "floor", 500, 200, 300),
        ("channel sms", "cap", 300, 200, 500),
    ]
    assert str(error) == (
        "the limits conflict: floor 500 of offer OF-2, cap 300 of channel sms. One of these mends "
        "it: lower the floor of offer OF-2 to 300; or raise the cap of channel sms to 500"
    )


@pytest.mark.slow
def test_the_same_is_proven_for_a_large_push() -> None:
    error = refused(*offers(60_000))
    told = [(c.name, c.side, c.limit, c.short) for c in error.conflicts]
    assert told == [
        ("offer OF-2", "floor", 30_000, 12_000),
        ("channel sms", "cap", 18_000, 12_000),
    ]


def test_a_budget_too_small_for_a_floor_says_how_much_money_is_missing() -> None:
    pairs = pairs_of([[5], [5], [5], [5]], [[1], [2], [3], [4]])
    error = refused(pairs, Limits(budget=4, audience_least=3))
    told = {(c.name, c.side): c.short for c in error.conflicts}
    assert told == {
        ("the audience", "floor"): 1,
        ("budget", "cap"): pytest.approx(2),
    }
    assert "raise the budget to 6.00" in str(error)


def test_a_floor_of_more_members_than_may_be_contacted_conflicts_with_nothing_else() -> None:
    gain = np.array([[1.0], [-np.inf], [1.0], [1.0]])
    gold = Segment("gold", np.array([True, True, True, False]), least=3)
    error = refused(pairs_of(gain), Limits(budget=100, segments=(gold,)))
    assert str(error) == (
        "the limits conflict: floor 3 of gold. One of these mends it: lower the floor of gold to 2"
    )


def test_a_debt_that_nothing_can_earn_back_is_told_in_money() -> None:
    error = refused(pairs_of([[5.0], [4.0]]), Limits(least_return=2, return_credit=-7))
    assert [c.name for c in error.conflicts] == ["least return"]
    assert error.conflicts[0].short == pytest.approx(2)


def test_whole_contacts_may_conflict_where_halves_would_not() -> None:
    # A budget of 3 buys one contact of 2 and a half; the floor wants two.
    error = refused(pairs_of([[1], [1]], 2), Limits(budget=3, audience_least=2))
    assert {c.name: c.short for c in error.conflicts} == {
        "budget": pytest.approx(1),
        "the audience": 1,
    }
