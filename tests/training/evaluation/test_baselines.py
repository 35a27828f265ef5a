from __future__ import annotations

import numpy as np

from training.evaluation.baselines import recency_rank, rfm_rank_sum


def test_who_bought_last_stands_highest_and_who_never_did_lowest() -> None:
    rank = recency_rank(np.array([30, 1, np.nan, 90], dtype=np.float32))
    assert np.argsort(-rank).tolist() == [1, 0, 3, 2]


def test_rank_sum_weighs_the_three_alike_and_counts_ties_half() -> None:
    score = rfm_rank_sum(
        np.array([1, 1, 9], dtype=np.float32),
        np.array([5, 1, 1], dtype=np.float32),
        np.array([10, 10, 10], dtype=np.float32),
    )
    assert np.allclose(score * 6, [4 + 5 + 3, 4 + 2 + 3, 1 + 2 + 3])


def test_missing_orders_and_spend_count_as_none() -> None:
    nothing = np.array([np.nan, 0], dtype=np.float32)
    score = rfm_rank_sum(np.full(2, np.nan, dtype=np.float32), nothing, nothing)
    assert score[0] == score[1]
