"""Sums and products that do not depend on who else is asked about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.listing import Recommender
from models.row_sums import on_grid, row_sums
from tests.models.suite.recommenders import ITEMS, MEMBERS, als, graph_filter

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 40), st.integers(1, 70), st.sampled_from([np.float32, np.float64]))
def test_a_row_adds_up_to_the_same_bits_alone_and_among_others(
    seed: int, n: int, width: int, kind: type[np.float32]
) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n, width)).astype(kind)
    alone = [row_sums(table[row : row + 1])[0] for row in range(n)]
    columns = rng.permutation(width)
    turned = np.asfortranarray(table)
    assert row_sums(table).tolist() == alone == row_sums(turned).tolist()
    assert row_sums(turned[:, columns]).tolist() == row_sums(table[:, columns].copy()).tolist()


@given(seeds, st.integers(1, 40), st.integers(1, 70), st.integers(1, 300))
def test_products_on_the_grid_are_the_same_bits_alone_and_among_others(
    seed: int, n: int, m: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.integers(-12, 12, (n, 1))
    left, right = rng.normal(size=(n, width)) * size, rng.normal(size=(m, width))
    ours, theirs = on_grid(left), on_grid(right)
    whole = ours @ theirs.T
    assert [(row[None] @ theirs.T)[0].tolist() for row in ours] == whole.tolist()
    assert [np.sum(ours * row, axis=1).tolist() for row in theirs] == whole.T.tolist()
    greatest = np.abs(left).max(axis=1, keepdims=True) * np.abs(right).max(axis=1)
    assert (np.abs(whole - left @ right.T) <= width * 2.0**-21 * greatest).all()


def test_rows_of_nothing_stay_nothing() -> None:
    assert on_grid(np.zeros((2, 3), dtype=np.float32)).tolist() == [[0.0] * 3] * 2
    assert on_grid(np.zeros((2, 0))).shape == (2, 0)
    assert row_sums(np.zeros((2, 0))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("recommender", [als(), graph_filter()], ids=["als", "graph"])
@given(seed=seeds)
def test_a_recommender_scores_a_member_alone_as_among_others(
    recommender: Recommender, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    members = rng.permutation(MEMBERS)[: rng.integers(1, len(MEMBERS))].tolist()
    items = rng.permutation(ITEMS)[: rng.integers(1, len(ITEMS))].tolist()
    whole = recommender.item_scores(members, items)
    one = int(rng.integers(len(members)))
    assert recommender.item_scores([members[one]], items)[0].tolist() == whole[one].tolist()
    lists = recommender.recommend(members, 5)
    assert recommender.recommend([members[one]], 5) == [lists[one]]
