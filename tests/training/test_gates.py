from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.comparison import Comparison
from training.gates import at_least, at_most, gate_checks

FIGURE = st.integers(-1_000, 1_000).map(float)


def passed(comparison: Comparison, not_compared: str = "") -> bool:
    return all(check.passed for check in gate_checks((comparison,), (), not_compared))


@given(ours=FIGURE, theirs=FIGURE, champion=FIGURE, error=st.integers(0, 100).map(float))
def test_higher_or_lower_is_the_same_gate_seen_in_a_mirror(
    ours: float, theirs: float, champion: float, error: float
) -> None:
    up = Comparison("figure", ours, {"plain": theirs}, True, champion, error)
    down = Comparison("figure", -ours, {"plain": -theirs}, False, -champion, error)
    assert passed(up) == passed(down) == (ours > theirs and ours - champion >= -error)


@given(FIGURE)
def test_as_good_as_a_baseline_is_not_enough_unless_that_is_all_that_is_asked(
    value: float,
) -> None:
    assert not passed(Comparison("gain", value, {"best_offer": value}))
    assert passed(Comparison("gain", value, {"best_offer": value}, allowed={"best_offer": 0.0}))


def test_a_champion_measured_again_is_no_worse_whatever_the_last_bits_say() -> None:
    again = 0.1 + 0.2  # a last bit above .3
    assert passed(Comparison("auc", 0.3, {"rfm": 0.2}, True, again, 0.0))
    assert not passed(Comparison("auc", 0.3, {"rfm": 0.2}, True, 0.3001, 0.0))


def test_no_worse_is_asked_of_the_baselines_that_allow_it_alone() -> None:
    allowed = {"best_offer": 0.2}
    beside = {"best_offer": 1.1, "random": 0.9}
    assert passed(Comparison("gain", 1.0, beside, allowed=allowed))
    assert not passed(Comparison("gain", 1.0, {**beside, "random": 1.0}, allowed=allowed))
    assert not passed(Comparison("gain", 1.0, {"best_offer": 1.3}, allowed=allowed))


def test_a_baseline_that_could_not_be_computed_is_not_beaten() -> None:
    assert not passed(Comparison("auc", 0.8, {"rfm": float("nan")}))


def test_a_champion_that_could_not_be_compared_stops() -> None:
    comparison = Comparison("auc", 0.8, {"rfm": 0.7})
    assert passed(comparison)
    assert not passed(comparison, "champion version 1 knew the later period")


def test_bounds_hold_at_their_edge_and_never_for_what_is_no_number() -> None:
    assert at_most("calibration error", 0.05, 0.05).passed
    assert at_least("slope", 0.8, 0.8).passed
    assert not at_most("calibration error", float("nan"), 0.05).passed
    assert not at_least("slope", float("nan"), 0.8).passed
    assert at_most("calibration error", 0.3, 0.05).found == "0.3"
