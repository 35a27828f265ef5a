"""How large an effect has to be."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.confidence_sequence import standard_errors
from experiments.contrast import Lift, Untold, around, lift, sides
from experiments.crossing import WIDEST
from experiments.deciding import Rule, anytime, decided, look_bound
from experiments.moments import Moments
from experiments.past import Past, shrunk

ONCE = Rule("group", (1.0,), 10_000)


def found(effect: float, members: int = 500, seed: int = 1) -> Lift:
    rng = np.random.default_rng(seed)
    arm, control = (
        {0: Moments.of(("y",), rng.normal(mean, 1, (members, 1)))} for mean in (effect, 0)
    )
    both = sides(arm, control)
    assert not isinstance(both, Untold)
    told = lift("y", *both)
    assert isinstance(told, Lift)
    return told


def test_a_single_look_decides_as_the_fixed_test_does() -> None:
    one = found(0.15, members=30)
    (told,) = decided([(one, 60)], 0.05, ONCE, "holm")
    assert told.interval.low == pytest.approx(one.difference.low)
    assert told.crossed == (one.p <= 0.05)


def test_five_equal_looks_have_the_published_bounds() -> None:
    """O'Brien and Fleming by Lan and DeMets: 4.877 3.357 2.680 2.290 2.031."""
    fractions = (0.2, 0.4, 0.6, 0.8, 1.0)
    bounds = [look_bound(fractions[: number + 1], 0.05) for number in range(5)]
    assert bounds == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=6e-4)


def test_nothing_is_decided_with_hardly_any_information() -> None:
    assert look_bound((0.002,), 0.05) == look_bound((), 0.05) == WIDEST


def test_a_stop_right_after_a_look_is_that_look() -> None:
    assert look_bound((0.5, 0.50001), 0.05) == pytest.approx(look_bound((0.5,), 0.05), abs=1e-3)


def test_two_arms_are_judged_by_holm() -> None:
    clear, slight = found(0.5), found(0.14, seed=20)
    assert 0.025 < slight.p < 0.05
    both = decided([(slight, 1000), (clear, 1000)], 0.05, ONCE, "holm")
    assert [one.level for one in both] == pytest.approx([0.05, 0.025])
    assert [one.crossed for one in both] == [True, True]
    two = decided([(slight, 1000), (slight, 1000)], 0.05, ONCE, "holm")
    assert [one.crossed for one in two] == [False, False]


def test_an_interval_leaves_out_0_exactly_where_the_effect_is_told_apart() -> None:
    rule = Rule("group", (0.3, 0.7), 10_000)
    for seed in range(40):
        one = found(0.15, seed=seed)
        (told,) = decided([(one, 1000)], 0.05, rule, "holm")
        assert told.crossed == (not told.interval.low <= 0 <= told.interval.high)


def test_the_confidence_sequence_is_the_one_of_its_module() -> None:
    one = found(0.1, members=5000)
    wide = standard_errors(10_000, 20_000, 0.05) * one.error
    told = anytime(one, 10_000, 20_000, 0.05)
    assert told.high - told.value == pytest.approx(wide, rel=0.003)


def test_an_effect_without_any_doubt_has_a_z_that_is_a_number() -> None:
    (told,) = decided([(found(30), 1000)], 0.05, ONCE, "holm")
    assert np.isfinite(told.z)
    assert told.z > 30


def test_a_winner_is_drawn_half_way_to_the_past_where_both_are_as_sure() -> None:
    one = found(0.2)
    told = shrunk(one, Past(0.0, one.error))
    assert told.value == pytest.approx(one.difference.value / 2)
    wide = around(0, one.error, 1e9, 0.05).high / np.sqrt(2)
    assert told.high - told.value == pytest.approx(wide)


def test_winners_promise_what_they_hold_once_drawn_to_the_past() -> None:
    """Of true effects N(0, .05²), those that win look larger than they are."""
    rng = np.random.default_rng(50)
    past, promised, plain, true = Past(0.0, 0.05), [], [], []
    for seed, effect in enumerate(rng.normal(0, 0.05, 400).tolist()):
        one = found(effect, members=400, seed=1000 + seed)
        if one.difference.low > 0:
            promised.append(shrunk(one, past).value)
            plain.append(one.difference.value)
            true.append(effect)
    assert len(true) > 20
    spread = 0.05 / np.sqrt(len(true))
    assert np.mean(promised) == pytest.approx(np.mean(true), abs=3 * spread)
    assert np.mean(plain) > np.mean(true) + 3 * spread
