"""Kinds of members by what they turn to."""

from __future__ import annotations

import numpy as np
import pytest

from models.tastes import Tastes

SEA, HILLS = np.array([True, True, False, False]), np.array([False, False, True, True])


@pytest.fixture(scope="module")
def tastes() -> Tastes:
    """Half the members turn to two places by the sea, half to two in the hills."""
    rng = np.random.default_rng(1)
    turned = rng.random((4_000, 4)) < 0.5
    side = np.where(np.arange(4_000)[:, None] % 2 == 0, SEA, HILLS)
    return Tastes.fit(turned & side)


def test_a_place_like_those_known_is_more_to_a_members_taste(tastes: Tastes) -> None:
    kinds = tastes.kinds(np.array([[True, False, False, False], [False, False, True, False]]))
    by_the_sea = tastes.into(np.array([[False, True, False, False]])).lift(kinds)
    assert by_the_sea[0] > 0.3
    assert by_the_sea[1] < -0.3


def test_a_member_without_history_is_like_the_average(tastes: Tastes) -> None:
    nothing = np.zeros((1, 4), dtype=bool)
    assert tastes.kinds(nothing)[0] == pytest.approx(tastes.share)
    assert tastes.into(SEA[None]).lift(tastes.kinds(nothing))[0, 0] == pytest.approx(0.0, abs=1e-9)


def test_alone_and_in_company_a_member_is_of_the_same_kinds(tastes: Tastes) -> None:
    many = np.random.default_rng(2).random((50, 4)) < 0.5
    assert (tastes.kinds(many[7:8]) == tastes.kinds(many)[7:8]).all()


@pytest.mark.parametrize("width", [0, 1])
def test_hardly_any_categories_are_no_obstacle(width: int) -> None:
    touched = np.ones((10, width), dtype=bool)
    found = Tastes.fit(touched)
    lift = found.into(np.ones((1, width), dtype=bool)).lift(found.kinds(touched))
    assert lift == pytest.approx(np.zeros((10, 1)))
