"""Several questions at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, norm

from experiments.design import Correction
from experiments.multiple import corrected, levels

SHARES = st.lists(st.floats(1e-12, 1), min_size=1, max_size=8)


def test_holm_by_hand() -> None:
    assert corrected([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))


@given(SHARES)
def test_benjamini_and_hochberg_as_scipy_has_it(p: list[float]) -> None:
    assert corrected(p, "bh") == pytest.approx(false_discovery_control(p).tolist())


@given(SHARES, st.sampled_from(["holm", "bh"]))
def test_levels_find_what_corrected_p_values_find(p: list[float], correction: Correction) -> None:
    sizes = [float(norm.isf(one / 2)) for one in p]
    at = levels(sizes, 0.05, lambda level: float(norm.isf(level / 2)), correction)
    by_level = [size >= norm.isf(level / 2) for size, level in zip(sizes, at, strict=True)]
    near = [abs(one - 0.05) < 1e-9 for one in corrected(p, correction)]
    by_p = [one <= 0.05 for one in corrected(p, correction)]
    assert any(near) or by_level == by_p


def test_no_questions_have_no_answers() -> None:
    assert corrected([]) == levels([], 0.05, lambda level: 2.0) == ()
