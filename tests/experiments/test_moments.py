"""Moments that add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import ExperimentError
from experiments.moments import Moments

XY = ("x", "y")
ROWS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=30)


def test_means_and_variances_by_hand() -> None:
    found = Moments.of(XY, np.array([[1.0, 2], [3, 6], [5, 4]]))
    assert (found.mean_of("x"), found.total_of("y")) == (3, 12)
    assert (found.variance("x"), found.covariance("x", "y")) == (4, 2)


@given(ROWS, st.lists(st.integers(0, 30), max_size=4))
def test_parts_add_up_to_the_whole(rows: list[tuple[float, float]], cuts: list[int]) -> None:
    table = np.array(rows)
    parts = [Moments.of(XY, part) for part in np.split(table, sorted(cuts))]
    found, whole = Moments.total(XY, reversed(parts)), Moments.of(XY, table)
    assert found.count == len(rows)
    assert found.mean == pytest.approx(whole.mean, rel=1e-12, abs=1e-9)
    assert found.comoment == pytest.approx(whole.comoment, rel=1e-9, abs=1e-3)


def test_money_in_billions_loses_no_digits() -> None:
    rng = np.random.default_rng(1)
    small = rng.normal(0, 1, (1000, 1))
    parts = [Moments.of(("x",), part + 1e9) for part in np.array_split(small, 7)]
    assert Moments.total(("x",), parts).variance("x") == pytest.approx(small.var(ddof=1), rel=1e-6)


def test_members_without_a_number_are_refused_by_row_and_name() -> None:
    with pytest.raises(ExperimentError, match="y of row 1 is nan, wanted a number"):
        Moments.of(XY, np.array([[0.0, 0], [1, np.nan]]))


def test_moments_of_other_variables_do_not_add() -> None:
    with pytest.raises(ExperimentError, match="do not add"):
        Moments.none(XY) + Moments.none(("x",))


def test_one_member_has_no_variance() -> None:
    assert np.isnan(Moments.of(XY, np.ones((1, 2))).variance("x"))
