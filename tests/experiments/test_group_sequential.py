from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.crossing import WIDEST, LooksError, leaving
from experiments.group_sequential import (
    Boundary,
    Spending,
    boundary,
    drift_for,
    equal_looks,
    inflation,
    looked,
    power,
    spent_by,
)
from experiments.stagewise import adjusted

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


@pytest.mark.parametrize(
    ("looks", "spending", "published"),
    [
        # Reboussin, DeMets, Kim and Lan, Controlled Clinical Trials 21, 2000 (program ld98).
        (5, "obrien_fleming", (4.877, 3.357, 2.680, 2.290, 2.031)),
        (5, "pocock", (2.438, 2.427, 2.410, 2.397, 2.386)),
        # Wassmer and Brannath, Group Sequential and Confirmatory Adaptive Designs, 2016 (rpact).
        (3, "obrien_fleming", (3.710, 2.511, 1.993)),
        (3, "pocock", (2.279, 2.295, 2.296)),
        # Anderson, gsDesign: sfLDOF, one-sided .025 (the other side changes no third decimal).
        (4, "obrien_fleming", (4.333, 2.963, 2.359, 2.014)),
    ],
)
def test_bounds_are_the_published_ones(
    looks: int, spending: Spending, published: tuple[float, ...]
) -> None:
    found = equal_looks(looks, 0.05, spending)
    assert [round(bound, 3) for bound in found.bounds] == list(published)
    assert found.spent[-1] == 0.05


@pytest.mark.parametrize(("looks", "constant"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413)])
def test_pococks_constants_are_crossed_one_time_in_twenty(looks: int, constant: float) -> None:
    # Jennison and Turnbull, 2000, table 2.1: rounded to the third decimal.
    fractions = [number / looks for number in range(1, looks + 1)]
    assert leaving(fractions, [constant] * looks).total == pytest.approx(0.05, abs=1.5e-4)


def test_inflation_is_that_of_jennison_and_turnbull() -> None:
    # Tables 2.2 and 2.4, five looks, alpha .05, power .8 and .9.
    tests = {
        "Pocock": ([2.413] * 5, 1.229, 1.207),
        "O'Brien and Fleming": ([2.040 / share**0.5 for share in FIFTHS], 1.028, 1.026),
    }
    for bounds, at_80, at_90 in tests.values():
        test = Boundary(FIFTHS, tuple(bounds), FIFTHS, 0.05, "pocock")
        assert inflation(test, 0.8) == pytest.approx(at_80, abs=1e-3)
        assert inflation(test, 0.9) == pytest.approx(at_90, abs=1e-3)


def test_five_looks_cost_next_to_no_power() -> None:
    fixed = boundary([1.0])
    assert fixed.bounds[0] == pytest.approx(1.959964, abs=1e-6)
    drift = drift_for(fixed, 0.85)
    assert power(equal_looks(5), drift) >= 0.97 * 0.85


def test_integration_agrees_with_random_walks() -> None:
    fractions, drift, walks = (0.1, 0.35, 0.5, 1.0), 2.0, 200_000
    bounds = boundary(fractions, 0.05)
    steps = np.diff((0.0, *fractions))
    random = np.random.default_rng(5)
    score = (drift * steps + np.sqrt(steps) * random.standard_normal((walks, 4))).cumsum(axis=1)
    crossed = np.abs(score / np.sqrt(fractions)) >= bounds.bounds
    share = crossed.any(axis=1).mean()
    wanted = power(bounds, drift)
    assert abs(share - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / walks)


@given(
    st.lists(st.floats(0.01, 0.2), min_size=1, max_size=8),
    st.sampled_from(["obrien_fleming", "pocock"]),
    st.floats(0.001, 0.3),
)
@settings(max_examples=25)
def test_looks_whenever_they_come_spend_alpha_and_no_more(
    steps: list[float], spending: Spending, alpha: float
) -> None:
    fractions = list(np.cumsum(steps))
    found = boundary(fractions, alpha, spending, last=True)
    assert leaving(fractions, found.bounds).total == pytest.approx(alpha, abs=1e-9)
    # What a look has to reach depends on no later look.
    before = boundary(fractions[:-1] or fractions, alpha, spending)
    if len(fractions) > 1:
        assert np.allclose(before.bounds, found.bounds[:-1], atol=1e-7)


@given(st.integers(1, 12), st.sampled_from(["obrien_fleming", "pocock"]))
@settings(max_examples=12)
def test_one_more_look_never_lowers_the_last_bound(looks: int, spending: Spending) -> None:
    fewer, more = (equal_looks(count, 0.05, spending) for count in (looks, looks + 1))
    assert more.bounds[-1] > fewer.bounds[-1]
    assert power(more, 3.0) < power(fewer, 3.0)


def test_a_late_last_look_and_one_after_it() -> None:
    early = boundary([0.5, 0.8], last=True)
    on_time = boundary([0.5, 1.0])
    assert early.spent[-1] == on_time.spent[-1] == 0.05
    after = boundary([0.5, 1.0, 1.1])
    assert after.bounds[:2] == pytest.approx(on_time.bounds)
    assert after.bounds[2] == WIDEST  # nothing is left to spend


def test_a_look_tells_whether_it_crossed_and_its_repeated_interval() -> None:
    look = looked(boundary([0.2, 0.4]), effect=3.4, error=1.0)
    assert (look.number, look.crossed) == (2, True)
    assert (look.low, look.high) == pytest.approx((3.4 - 3.357, 3.4 + 3.357), abs=1e-3)
    assert not looked(boundary([0.2, 0.4]), effect=-3.3, error=1.0).crossed


def test_repeated_intervals_cover_at_every_look_at_once() -> None:
    bounds, effect, walks = equal_looks(5, 0.1), 1.5, 40_000
    random = np.random.default_rng(8)
    steps = 0.2 * effect + np.sqrt(0.2) * random.standard_normal((walks, 5))
    estimate = steps.cumsum(axis=1) / FIFTHS
    wrong = np.abs(estimate - effect) > np.asarray(bounds.bounds) / np.sqrt(FIFTHS)
    assert abs(wrong.any(axis=1).mean() - 0.1) < 4 * np.sqrt(0.09 / walks)


@pytest.mark.parametrize(("stop", "z"), [(1, 3.8), (2, -2.6), (3, 1.2)])
def test_the_adjusted_interval_ends_where_walks_seldom_go_beyond_what_was_seen(
    stop: int, z: float
) -> None:
    fractions, walks = np.arange(1, 4) / 3, 100_000
    bounds = np.asarray(equal_looks(3, 0.1).bounds)
    found = adjusted(boundary(fractions[:stop].tolist(), 0.1), z / fractions[stop - 1] ** 0.5,
                     fractions[stop - 1] ** -0.5)  # fmt: skip
    noise = np.random.default_rng(3).standard_normal((walks, 3)) / np.sqrt(3)
    for effect, share in ((found.low, 0.05), (found.effect, 0.5), (found.high, 0.95)):
        seen = (effect / 3 + noise).cumsum(axis=1) / np.sqrt(fractions)
        left = np.abs(seen) >= bounds
        before = left[:, : stop - 1].any(axis=1)
        up = before & (seen[np.arange(walks), left.argmax(axis=1)] > 0)
        here = ~before & (seen[:, stop - 1] >= z)
        assert abs((up | here).mean() - share) < 4 * np.sqrt(share * (1 - share) / walks)
    assert (found.low <= 0 <= found.high) == (found.p > 0.1) == (abs(z) < bounds[stop - 1])


def test_one_look_adjusts_nothing() -> None:
    found = adjusted(boundary([1.0]), 2.0, 1.0)
    assert (found.effect, found.low, found.high, found.p) == pytest.approx(
        (2.0, 2 - 1.959964, 2 + 1.959964, 0.0455003), abs=1e-6
    )


def test_an_early_winner_is_shrunk() -> None:
    found = adjusted(boundary([0.2, 0.4]), effect=3.5, error=1.0)
    assert found.effect < 3.5


def test_an_experiment_that_goes_on_has_no_final_interval() -> None:
    with pytest.raises(LooksError, match=r"look 2 at 0\.4 .* has not stopped"):
        adjusted(boundary([0.2, 0.4]), effect=1.0, error=1.0)


def test_looks_out_of_order_are_refused() -> None:
    with pytest.raises(LooksError, match=r"look 2 is at 0\.5 .* wanted at least 0\.0001 more"):
        boundary([0.5, 0.5])
    with pytest.raises(LooksError, match="no looks"):
        boundary([])
    with pytest.raises(LooksError, match="look 1 is at nan"):
        boundary([float("nan")])
    with pytest.raises(LooksError, match="alpha is 1"):
        boundary([1.0], 1.0)
    with pytest.raises(LooksError, match="standard error is 0"):
        looked(boundary([1.0]), 1.0, 0.0)


def test_little_is_spent_early_and_all_by_the_end() -> None:
    assert spent_by(0.0, 0.05) == 0
    assert spent_by(0.2, 0.05) == pytest.approx(1.08e-6, rel=0.01)
    assert spent_by(1.3, 0.05) == spent_by(1.0, 0.05) == 0.05
    assert spent_by(0.5, 0.05, "pocock") == pytest.approx(0.05 * np.log(1 + (np.e - 1) / 2))
