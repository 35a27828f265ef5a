"""Harm that is allowed, and harm that is not."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.contrast import Untold, sides
from experiments.design import Guardrail
from experiments.findings import Guarded, GuardrailState
from experiments.guardrails import guarded
from experiments.moments import Moments

RULE = Guardrail("unsubscribed", 0.005)


def shares(gone: int, members: int) -> Moments:
    share = gone / members
    spread = np.array([[members * share * (1 - share)]])
    return Moments(("unsubscribed",), members, np.array([share]), spread)


def seen(arm: tuple[int, int], control: tuple[int, int]) -> Guarded:
    """Of (unsubscribed, members)."""
    moments = [{0: shares(gone, members)} for gone, members in (arm, control)]
    both = sides(*moments)
    assert not isinstance(both, Untold)
    return guarded(RULE, *both, 1.96)


@pytest.mark.parametrize(
    ("arm", "control", "state"),
    [
        ((100, 10_000), (100, 10_000), "held"),
        ((300, 10_000), (100, 10_000), "broken"),
        ((140, 10_000), (100, 10_000), "open"),  # .4 % more, of .5 % that are allowed
        ((5, 500), (5, 500), "open"),
        ((0, 10_000), (0, 10_000), "held"),
        ((0, 300), (0, 300), "open"),  # nobody of few proves nothing
    ],
)
def test_a_guardrail_holds_where_the_whole_interval_is_below_what_is_allowed(
    arm: tuple[int, int], control: tuple[int, int], state: GuardrailState
) -> None:
    assert seen(arm, control).state == state


def test_harm_and_its_interval_by_hand() -> None:
    found = seen((300, 10_000), (100, 10_000))
    error = np.sqrt((0.03 * 0.97 + 0.01 * 0.99) / 9999)
    assert (found.arm, found.control, found.harm.value) == pytest.approx((0.03, 0.01, 0.02))
    assert found.harm.high - found.harm.value == pytest.approx(1.96 * error, rel=0.01)


def test_an_arm_with_twice_what_is_allowed_is_seldom_taken_for_harmless() -> None:
    rng = np.random.default_rng(30)
    gone = rng.binomial(4000, [0.006, 0.001], (1000, 2)).tolist()
    held = sum(seen((arm, 4000), (control, 4000)).state == "held" for arm, control in gone)
    assert 0 < held / 1000 <= 0.025 + 3.5 * np.sqrt(0.025 / 1000)
