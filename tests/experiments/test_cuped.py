"""Covariates from before: less noise, the same effect."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.cells import NAMES
from experiments.contrast import Lift, Side, Untold, lift, sides
from experiments.cuped import adjusted_lift, explained, slopes
from experiments.design import Analysis
from experiments.moments import Moments
from tests.experiments.members import spenders, values


def pair(arm: np.ndarray, control: np.ndarray) -> tuple[Side, Side]:
    found = sides({0: Moments.of(NAMES, arm)}, {0: Moments.of(NAMES, control)})
    assert not isinstance(found, Untold)
    return found


def told(found: Lift | Untold) -> Lift:
    assert isinstance(found, Lift)
    return found


def test_slopes_are_those_of_least_squares_over_the_members_of_both_arms() -> None:
    rng = np.random.default_rng(1)
    arm, control = spenders(rng, 300, more=2), spenders(rng, 200)
    table = np.concatenate([arm, control])
    covariates = ("before_margin", "before_converted")
    columns = [np.ones(500), *(table[:, NAMES.index(name)] for name in covariates)]
    wanted = np.linalg.lstsq(np.column_stack(columns), table[:, NAMES.index("margin")])[0]
    found = slopes("margin", covariates, *pair(arm, control))
    assert list(found.values()) == pytest.approx(wanted[1:])


def test_an_adjusted_difference_by_hand() -> None:
    """The arm's members had spent 2 more before, and a unit before is worth half a unit after."""
    control = values(4, margin=np.array([1.0, 2, 2, 3]), before_margin=np.array([0.0, 2, 0, 2]))
    arm = values(4, margin=np.array([5.0, 6, 6, 7]), before_margin=np.array([2.0, 4, 2, 4]))
    found = told(lift("margin", *pair(arm, control), slopes={"before_margin": 0.5}))
    assert found.difference.value == pytest.approx(4 - 0.5 * 2)
    assert found.adjusted


def test_covariates_that_tell_the_same_count_once() -> None:
    rng = np.random.default_rng(2)
    both = pair(spenders(rng, 400), spenders(rng, 400))  # before_revenue is 3 × before_margin
    one = slopes("margin", ("before_margin",), *both)
    two = slopes("margin", ("before_margin", "before_revenue"), *both)
    assert told(lift("margin", *both, slopes=two)).difference.value == pytest.approx(
        told(lift("margin", *both, slopes=one)).difference.value
    )


def test_what_members_did_before_takes_noise_away_and_no_effect() -> None:
    rng = np.random.default_rng(3)
    differences = []
    for _ in range(200):
        both = pair(spenders(rng, 300, more=1), spenders(rng, 300))
        adjusted, plain = adjusted_lift("margin", *both, Analysis()), lift("margin", *both)
        differences.append((told(adjusted).difference.value, told(plain).difference.value))
    means, spreads = np.mean(differences, axis=0), np.std(differences, axis=0)
    assert means == pytest.approx([1, 1], abs=4 * spreads[1] / np.sqrt(200))
    assert spreads[0] < 0.93 * spreads[1]
    assert 0.15 < explained(plain, adjusted) < 0.4


def test_without_a_time_before_nothing_is_adjusted() -> None:
    rng = np.random.default_rng(4)
    both = pair(spenders(rng, 200), spenders(rng, 200))
    assert not told(adjusted_lift("margin", *both, Analysis(before_days=0))).adjusted


def test_members_who_are_all_new_are_not_adjusted() -> None:
    rng = np.random.default_rng(4)
    tables = [values(200, margin=rng.exponential(1, 200)) for _ in range(2)]
    assert not told(adjusted_lift("margin", *pair(*tables), Analysis())).adjusted
