"""A push decided by chance, by a rule, or not at all, keeps what holds for everybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.catalogue import Push
from decisions.errors import DecisionError
from decisions.pacing import MONEY, Part, Use, terms
from decisions.policy import Prices
from decisions.variant import AS_IS, Variant
from tests.decisions.conftest import SEND_AT

PUSH = Push(
    "p", "push", SEND_AT, ("a", "b"), eligibility="consent_push == 1", holdout=0.1, exploration=0.2
)


def test_a_rule_is_asked_beside_the_eligibility_of_the_push() -> None:
    rule = Variant("rule", 'tier == "gold" or tier == "silver"', "b")
    found = rule.of_push(PUSH)
    assert found.eligibility == '(consent_push == 1) and (tier == "gold" or tier == "silver")'
    assert (found.holdout, found.exploration) == (0.1, 0.0)
    assert rule.fits(PUSH)
    assert not Variant("rule", "tier == 1", "c").fits(PUSH)


def test_chance_draws_alike_among_all_and_a_holdout_holds_out_everybody() -> None:
    random = Variant("random").of_push(PUSH)
    assert (random.exploration, random.exploration_floor, random.holdout) == (1.0, 1.0, 0.1)
    assert Variant("holdout").of_push(PUSH).holdout == 1.0
    assert AS_IS.of_push(PUSH) is PUSH


def test_only_a_policy_pays_the_prices_of_its_plan() -> None:
    planned = Prices(budget=3.0, exploration=0.01)
    assert AS_IS.prices(planned) is planned
    assert Variant("random").prices(planned) == Prices()


def test_a_rule_without_an_offer_is_refused() -> None:
    with pytest.raises(DecisionError, match="rule and offer do not go together"):
        Variant("rule", "tier == 1")


@given(
    st.lists(st.floats(0.001, 1.0), min_size=1, max_size=5),
    st.integers(0, 1_000_000),
    st.integers(0, 1_000_000),
)
def test_parts_of_a_limit_never_add_up_to_more_than_it(
    weights: list[float], most: int, taken: int
) -> None:
    parts = [Part(f"arm{n}", weight / sum(weights)) for n, weight in enumerate(weights)]
    used = {MONEY: Use(spent=taken), f"arm0:{MONEY}": Use(spent=taken)}
    left = [terms(Prices(budget=1.0), {MONEY: most}, used, part).left[MONEY] for part in parts]
    assert sum(part.limits({MONEY: most})[MONEY] for part in parts) <= most
    assert all(one <= max(most - taken, 0) for one in left)
    assert left[0] == max(parts[0].limits({MONEY: most})[MONEY] - taken, 0)


def test_the_prices_of_a_part_follow_its_own_spending() -> None:
    ahead = {"arm:money": Use(spent=400, planned=100), MONEY: Use(spent=500, planned=500)}
    part = terms(Prices(budget=1.0), {MONEY: 1_000}, ahead, Part("arm", 0.5))
    whole = terms(Prices(budget=1.0), {MONEY: 1_000}, ahead)
    assert part.prices.budget > 1 == whole.prices.budget
