"""Where a budget and a size stand on the frontier of a plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.areas.pushes_curve import Curve, Place, Slider, curve_chart


def curve(costs: list[float], *, measured: bool = False) -> Curve:
    """Ten members for each unit of cost; the gain is its root."""
    points = tuple(
        Place(
            cost, 10 * cost, cost, cost**0.5, 0.5 * cost**0.5 if measured else None,
            (0.0, cost) if measured else None, 1.0,
        )
        for cost in costs
    )  # fmt: skip
    return Curve("cost", 0.9, points, len(points) - 1, 1)


STRAIGHT = curve([0.0, 100.0, 400.0], measured=True)


def test_between_two_points_stands_what_lies_on_the_line_between_them() -> None:
    half = STRAIGHT.at(50.0, None)
    assert (half.members, half.cost, half.gain, half.calibrated) == (500.0, 50.0, 5.0, 2.5)
    assert half.interval == (0.0, 50.0)
    assert half.binds == "budget"


def test_the_limit_that_is_reached_first_decides() -> None:
    assert STRAIGHT.at(400.0, 1000.0).cost == 100.0
    assert STRAIGHT.at(400.0, 1000.0).binds == "size"
    assert STRAIGHT.at(50.0, 1000.0).binds == "budget"
    assert STRAIGHT.at(None, None).cost == 400.0
    assert STRAIGHT.at(9e9, 9e9).binds == ""


def test_where_the_size_is_held_more_money_still_brings_more() -> None:
    """As a plan of at most 2,000 members draws it: members are expected ones, so up to rounding."""
    points = (
        Place(0.0, 0.0, 0.0, 0.0, None, None, 30.0),
        Place(148.79, 2000.0, 148.79, 3426.0, None, None, 9.0),
        Place(300.0, 2000.3, 300.0, 4600.0, None, None, 5.0),
        Place(594.67, 1999.9, 594.67, 5202.0, None, None, 0.0),
    )
    held = Curve("cost", 0.9, points, 3, 1)
    assert held.at(595.0, 2000.0) == points[3]
    assert held.at(300.0, 2000.0).gain == pytest.approx(4600.0, rel=1e-3)
    assert held.at(300.0, 2000.0).binds == "budget"
    assert held.at(595.0, 1999.0).gain == pytest.approx(5202.0, rel=1e-3)
    assert held.at(595.0, 1999.0).binds == "size"


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    """Budgets that rise, members that may stay or fall, and any gain."""
    steps = draw(st.lists(st.floats(0.5, 1e6), max_size=6))
    points = tuple(
        Place(limit, draw(st.floats(0, 1e6)), limit, draw(st.floats(-1e3, 1e6)), None, None, 0.0)
        for limit in [0.0, *np.cumsum(steps).tolist()]
    )
    return Curve("cost", 0.9, (replace(points[0], members=0.0), *points[1:]), 0, None)


LIMITS = st.tuples(st.floats(0, 1e7), st.floats(0, 2e6))


@given(curves(), LIMITS)
def test_a_place_is_within_its_limits_and_below_no_point_within_them(
    known: Curve, limits: tuple[float, float]
) -> None:
    budget, size = limits
    found = known.at(budget, size)
    assert found.cost <= budget * (1 + 1e-9) + 1e-9
    assert found.members <= size * (1 + 1e-9) + 1e-9
    assert found.gain <= max(one.gain for one in known.points)
    for one in known.points:
        if one.limit <= budget and one.members <= size:
            assert found.gain >= one.gain


@given(curves(), LIMITS, LIMITS)
def test_more_of_either_limit_never_brings_less(
    known: Curve, one: tuple[float, float], other: tuple[float, float]
) -> None:
    (less, fewer), (more, most) = zip(*map(sorted, zip(one, other, strict=True)), strict=True)
    assert known.at(more, most).gain >= known.at(less, fewer).gain - 1e-6


@given(st.floats(0, 1e9), st.floats(1e-3, 1e9), st.none() | st.floats(0, 1e10), st.booleans())
def test_a_slider_holds_its_ends_and_its_value(
    low: float, wide: float, value: float | None, whole: bool
) -> None:
    slider = Slider.over(low, low + wide, value, whole=whole)
    assert slider.low <= slider.value <= slider.high
    assert slider.low < slider.high
    assert slider.high >= (low + wide) * (1 - 1e-9)
    assert (slider.high - slider.low) / slider.step <= 401
    assert not whole or slider.step == int(slider.step) >= 1


@pytest.mark.parametrize("measured", [True, False])
def test_the_chart_shows_the_curve_its_marks_and_the_place(measured: bool) -> None:
    known = curve([0.0, 100.0, 400.0], measured=measured)
    chart = curve_chart(known, known.at(50.0, None), str, "mine", "margin")
    rows = {row["series"]: row for row in chart.rows()}
    assert list(rows) == ["expected", "largest profit", "largest return", "mine"]
    assert rows["mine"]["y"] == (2.5 if measured else 5.0)
    assert (rows["mine"]["low"] is not None) == measured
