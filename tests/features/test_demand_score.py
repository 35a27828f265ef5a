from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.demand_score import (
    SIGNIFICANT,
    adjusted,
    growth,
    mean_share,
    pulled_share,
    score,
)

FLOATS = st.floats(0, 1)


def counts(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


def test_growth_by_hand() -> None:
    found = growth(counts(85, 115), counts(185, 115))
    assert found.shop == 1.5
    # log((185 + 22.5) / (85 + 15) / 1.5) and log((115 + 22.5) / (115 + 15) / 1.5)
    assert found.z == pytest.approx([np.log(2.075 / 1.5), np.log(1.0576923 / 1.5)])
    assert found.se[0] == pytest.approx(np.sqrt(1 / 207.5 + 1 / 100))
    assert found.low == pytest.approx(found.z - 1.645 * found.se)
    assert found.p[0] == pytest.approx(0.0038, abs=1e-4)
    assert found.p[1] > 0.99


def test_a_cell_of_few_members_hardly_moves() -> None:
    found = growth(counts(1, 1000), counts(10, 1000))
    assert 0 < found.z[0] < np.log(2)


def test_steady_cells_are_found_growing_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(7)
    rounds, any_found, below = 2_000, 0, 0
    for _ in range(rounds):
        base = rng.uniform(10, 400, 40)
        before, now = rng.poisson(base), rng.poisson(1.2 * base)
        p = growth(before.astype(float), now.astype(float)).p
        any_found += bool((adjusted(p) <= SIGNIFICANT).any())
        below += int((p <= SIGNIFICANT).sum())
    error = 3 * np.sqrt(SIGNIFICANT * (1 - SIGNIFICANT) / rounds)
    assert any_found / rounds <= SIGNIFICANT + error
    # Not so careful that nothing would ever be found.
    assert 0.02 < below / (rounds * 40) <= SIGNIFICANT


def test_a_segment_that_can_only_buy_more_is_no_finding_and_hides_none() -> None:
    rng = np.random.default_rng(8)
    segment = np.repeat([0, 1], 20)
    base, own = rng.uniform(20, 200, 40), np.where(segment == 0, 1.8, 0.9)
    rounds, false, missed, naive = 1_000, 0, 0, 0
    for _ in range(rounds):
        before = rng.poisson(base).astype(float)
        now = rng.poisson(own * base).astype(float)
        false += bool((adjusted(growth(before, now, segment).p) <= SIGNIFICANT).any())
        naive += bool((adjusted(growth(before, now).p) <= SIGNIFICANT).any())
        now[3] = rng.poisson(3 * own[3] * base[3])
        missed += adjusted(growth(before, now, segment).p)[3] > SIGNIFICANT
    error = 3 * np.sqrt(SIGNIFICANT * (1 - SIGNIFICANT) / rounds)
    assert false / rounds <= SIGNIFICANT + error
    assert naive > 0.9 * rounds
    assert missed == 0


@given(arrays(np.float64, st.integers(1, 30), elements=FLOATS))
def test_adjusted_p_values_keep_their_order_and_are_no_smaller(p: np.ndarray) -> None:
    found = adjusted(p)
    assert (found >= p - 1e-12).all()
    assert (found <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


def test_adjusted_p_values_by_hand() -> None:
    assert adjusted(counts(0.04, 0.01, 0.03)) == pytest.approx([0.04, 0.03, 0.04])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=10))
def test_a_pulled_share_lies_between_its_own_and_the_mean(pairs: list[tuple[int, int]]) -> None:
    hits = counts(*(min(pair) for pair in pairs))
    of = counts(*(max(pair) for pair in pairs))
    mean, found = mean_share(hits, of), pulled_share(hits, of)
    own = np.divide(hits, of, out=np.full(len(of), mean), where=of > 0)
    assert (found >= np.minimum(own, mean) - 1e-12).all()
    assert (found <= np.maximum(own, mean) + 1e-12).all()


def test_what_shrinks_or_is_served_scores_nothing() -> None:
    found = score(counts(0.5, -0.1, 0.5, 0.5), np.full(4, 100.0), counts(0.4, 0.4, -0.1, 0.4),
                  counts(10, 10, 10, -1))  # fmt: skip
    assert found.tolist() == [200.0, 0.0, 0.0, 0.0]
