from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from experiments.errors import ExperimentError
from experiments.scores import Drawn, Scores, doubly_robust
from training.evaluation.policy import (
    Targeting,
    advantage_at_budget,
    at_random,
    best_single,
    budget_chart,
    contacted,
    mean_over_sizes,
    one_column,
    value_at_budget,
)


def scores(uplift: list[list[float]]) -> Scores:
    matrix = np.array([[0.0, *row] for row in uplift])
    return Scores(matrix, np.arange(len(matrix)))


TWO = scores([[1, 5], [2, 0], [3, 1], [0, 2]])
ALL = np.ones((4, 2), dtype=bool)
EACH = np.ones((4, 2))


def test_the_budget_is_spent_from_the_highest_rank_down() -> None:
    policy = Targeting.of(np.array([4.0, 3, 2, 1]), np.array([1, 0, 0, 1]), 2)
    value = value_at_budget(TWO, policy, EACH, 0.5)
    assert (value.contacted, value.spent) == (0.5, 0.5)
    assert value.gain.mean == pytest.approx((5 + 2) / 4)
    # Half of the third contact, where the money ends inside it.
    assert value_at_budget(TWO, policy, EACH, 0.625).gain.mean == pytest.approx((5 + 2 + 1.5) / 4)


def test_nobody_is_contacted_who_is_sent_nothing() -> None:
    policy = Targeting.of(np.array([4.0, 3, 2, 1]), np.array([-1, 0, -1, -1]), 2)
    assert contacted(policy, EACH, 10).tolist() == [0, 1, 0, 0]


def test_equal_ranks_share_what_is_left() -> None:
    single = best_single(np.array([1.0, 2.0]), ALL)
    value = value_at_budget(TWO, single, EACH, 0.5)
    assert value.gain.mean == pytest.approx((5 + 0 + 1 + 2) / 8)
    anybody = value_at_budget(TWO, at_random(ALL), EACH, 0.5)
    assert anybody.gain.mean == pytest.approx((3 + 1 + 2 + 1) / 8)


def test_a_column_ranks_members_and_the_missing_come_last() -> None:
    column = np.array([np.nan, 1, 3, 2])
    policy = one_column(column, np.array([2.0, 1.0]), ALL)
    assert contacted(policy, EACH, 0.25).tolist() == [0, 0, 1, 0]
    assert value_at_budget(TWO, policy, EACH, 0.75).gain.mean == pytest.approx((3 + 0 + 2) / 4)


def test_the_best_single_offer_is_taken_among_the_candidates() -> None:
    open_pairs = np.array([[True, True], [True, False], [False, False], [True, True]])
    assert best_single(np.array([1.0, 2.0]), open_pairs).choice.tolist() == [
        [0, 1], [1, 0], [0, 0], [0, 1],
    ]  # fmt: skip


def test_an_offer_that_was_no_candidate_cannot_be_valued() -> None:
    missing = Scores(np.array([[0.0, np.nan]]), np.array([0]))
    policy = Targeting.of(np.zeros(1), np.zeros(1, dtype=np.int64), 1)
    with pytest.raises(ExperimentError, match="no candidate"):
        value_at_budget(missing, policy, np.ones((1, 1)), 1)


@given(st.integers(0, 1000), st.floats(0, 3))
def test_never_spends_more_than_the_budget_and_more_money_reaches_more(
    seed: int, budget: float
) -> None:
    rng = np.random.default_rng(seed)
    policy = Targeting.of(rng.integers(0, 5, 30).astype(float), rng.integers(-1, 3, 30), 3)
    cost = rng.choice([0.0, 0.5, 2.0], (30, 3))
    share = contacted(policy, cost, budget)
    assert (share * (policy.choice * cost).sum(axis=1)).mean() <= budget + 1e-9
    assert (contacted(policy, cost, budget + 0.1) >= share - 1e-9).all()


def test_the_order_of_rows_does_not_count() -> None:
    rng = np.random.default_rng(0)
    rank = rng.integers(0, 4, 50).astype(float)
    offer, gain, cost = rng.integers(0, 2, 50), rng.normal(size=(50, 2)), rng.random((50, 2))
    mixed = rng.permutation(50)
    values = [
        value_at_budget(
            Scores(np.column_stack([np.zeros(50), gain])[rows], np.arange(50)),
            Targeting.of(rank[rows], offer[rows], 2),
            cost[rows],
            0.2,
        ).gain
        for rows in (np.arange(50), mixed)
    ]
    assert values[0].mean == pytest.approx(values[1].mean)
    assert values[0].error == pytest.approx(values[1].error)


def test_averaged_over_sizes_a_random_order_gives_half() -> None:
    assert mean_over_sizes(TWO, best_single(np.array([2.0, 1.0]), ALL)).mean() == pytest.approx(
        0.5 * (1 + 2 + 3 + 0) / 4
    )


def drawn(n: int, rng: np.random.Generator) -> tuple[Scores, NDArray[np.float64]]:
    """A trial whose scores are made with expectations that are plainly wrong."""
    fan = rng.random(n)
    chosen = rng.integers(-1, 2, n)
    effect = np.column_stack([fan, 1 - fan])
    outcome = rng.normal(size=n) + np.where(chosen >= 0, effect[np.arange(n), chosen], 0.0)
    member = np.arange(n)
    log = Drawn(outcome, chosen, np.full(n, 1 / 3), np.ones((n, 2), dtype=bool), member)
    return doubly_robust(log, np.full((n, 3), 0.7)), fan


def test_intervals_hold_the_true_value_and_the_true_advantage() -> None:
    rng = np.random.default_rng(1)
    held, ahead = [], []
    for _ in range(200):
        found, fan = drawn(1500, rng)
        ours = Targeting.of(np.abs(fan - 0.5), (fan < 0.5).astype(np.int64), 2)
        other = best_single(np.array([1.0, 0.5]), np.ones((1500, 2), dtype=bool))
        low, high = value_at_budget(found, ours, np.ones((1500, 2)), 0.5).gain.interval()
        held.append(low <= 0.5 * 0.875 <= high)
        low, high = advantage_at_budget(found, ours, other, np.ones((1500, 2)), 0.5).interval()
        ahead.append(low <= 0.5 * 0.875 - 0.25 <= high)
    assert np.mean(held) > 0.9
    assert np.mean(ahead) > 0.9


def test_the_chart_has_a_line_a_policy() -> None:
    policies = {"random": at_random(ALL), "best offer": best_single(np.array([1.0, 2.0]), ALL)}
    chart = budget_chart(TWO, policies, EACH, [0.0, 0.5, 1.0], "conversions")
    assert len(chart.rows()) == 6
