"""Off-policy values on logs whose truth is known, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.experiments_offpolicy import coverage, simulated, truth, two_in_ten_thousand, values
from experiments.errors import ExperimentError
from experiments.nuisance import cross_fitted
from experiments.offpolicy import PolicyValue, difference, evaluate, logged_policy, weights
from experiments.panel import CannotSay
from experiments.rule_court import Estimate
from experiments.scores import Drawn, Scores, doubly_robust

SHARE = np.array([0.5, 0.3, 0.2])
TRUTH = np.array([1.0, 2.0, 4.0])  # of no send, then two offers


def log_of(n: int, seed: int = 0) -> Drawn:
    rng = np.random.default_rng(seed)
    column = rng.choice(3, n, p=SHARE)
    reward = TRUTH[column] + rng.normal(size=n)
    return Drawn(reward, column - 1, SHARE[column], np.ones((n, 2), dtype=bool), np.arange(n) // 2)


def scores_of(log: Drawn, level: float = 2.0) -> Scores:
    return doubly_robust(log, np.full((len(log.outcome), 3), level))


def always(n: int, *chances: float) -> NDArray[np.float64]:
    return np.tile(np.array(chances), (n, 1))


def said(log: Drawn, policy: NDArray[np.float64]) -> PolicyValue:
    answer = evaluate(log, scores_of(log), policy).answer
    assert isinstance(answer, PolicyValue)
    return answer


def reasons(log: Drawn, policy: NDArray[np.float64]) -> str:
    answer = evaluate(log, scores_of(log), policy).answer
    assert isinstance(answer, CannotSay)
    return "; ".join(answer.reasons)


def test_three_opinions_agree_with_the_truth() -> None:
    log = log_of(20_000)
    value = said(log, always(20_000, 0.1, 0.2, 0.7))
    true = 0.1 * 1 + 0.2 * 2 + 0.7 * 4
    for one in (value.dr, value.snips, value.ips):
        assert abs(one.mean - true) < 4 * one.error
    assert value.dr.error < value.ips.error
    above = true - float(SHARE @ TRUTH)
    assert abs(value.above_logged.mean - above) < 4 * value.above_logged.error


def test_a_weighed_mean_by_hand() -> None:
    """Of four decisions two went to the offer, each with one chance in two."""
    log = Drawn(
        np.tile([1.0, 3.0, 0.0, 8.0], 100),
        np.tile([0, -1, -1, 0], 100),
        np.full(400, 0.5),
        np.ones((400, 1), dtype=bool),
        np.arange(400),
    )
    scores = doubly_robust(log, np.full((400, 2), 3.0))
    answer = evaluate(log, scores, always(400, 0.0, 1.0)).answer
    assert isinstance(answer, PolicyValue)
    # Weights 2, 0, 0, 2; around 3: 3 + 2 (1 - 3), 3, 3, 3 + 2 (8 - 3).
    assert answer.ips.mean == answer.snips.mean == 4.5
    assert answer.dr.mean == (-1 + 3 + 3 + 13) / 4


@given(st.integers(0, 10_000), st.floats(-5, 5))
def test_the_logs_own_policy_earned_what_happened(seed: int, level: float) -> None:
    log = log_of(300, seed)
    answer = evaluate(log, scores_of(log, level), logged_policy(log)).answer
    assert isinstance(answer, PolicyValue)
    happened = float(log.outcome.mean())
    assert answer.dr.mean == answer.ips.mean == happened
    assert answer.snips.mean == pytest.approx(happened, rel=1e-12)
    assert answer.above_logged.mean == 0


def test_the_whole_policy_of_the_log_is_known_as_its_own() -> None:
    log = log_of(300)
    assert (weights(log, always(300, *SHARE)) == 1).all()
    assert said(log, always(300, *SHARE)).dr.mean == log.outcome.mean()


def test_errors_go_by_member() -> None:
    once = log_of(2_000)
    rows = np.repeat(np.arange(2_000), 2)
    twice = Drawn(
        once.outcome[rows],
        once.chosen[rows],
        once.probability[rows],
        once.candidates[rows],
        once.member[rows],
    )
    one, other = (said(log, always(len(log.outcome), 0, 0.5, 0.5)) for log in (once, twice))
    assert other.dr.mean == pytest.approx(one.dr.mean)
    assert other.dr.error == pytest.approx(one.dr.error)


def test_the_difference_of_a_pair_is_surer_than_two_values() -> None:
    log = log_of(5_000)
    one, other = always(5_000, 0.1, 0.2, 0.7), always(5_000, 0.1, 0.3, 0.6)
    found = difference(log, scores_of(log), one, other)
    assert isinstance(found, Estimate)
    values_ = said(log, one).dr, said(log, other).dr
    assert found.mean == pytest.approx(values_[0].mean - values_[1].mean)
    assert found.error < 0.5 * np.hypot(values_[0].error, values_[1].error)


def test_what_two_of_ten_thousand_tell_is_nothing() -> None:
    effective, refused = two_in_ten_thousand()
    assert (effective, refused) == (2.0, True)


def test_what_the_log_could_not_do_cannot_be_evaluated() -> None:
    log = log_of(2_000)
    closed = replace(log, candidates=np.column_stack([np.ones(2_000, bool), log.chosen == 1]))
    assert "could not have happened" in reasons(closed, always(2_000, 0.4, 0.3, 0.3))


def test_an_offer_that_was_never_sent_cannot_be_evaluated() -> None:
    log = log_of(2_000)
    never = replace(log, chosen=np.where(log.chosen == 1, -1, log.chosen))
    assert "could not have happened" in reasons(never, always(2_000, 0.5, 0.0, 0.5))


def test_probabilities_that_do_not_fit_are_seen() -> None:
    log = log_of(5_000)
    wrong = replace(log, probability=np.full(5_000, 0.5))
    assert "the mean weight is" in reasons(wrong, always(5_000, 0.2, 0.2, 0.6))


def test_an_interval_around_nothing_that_varies_is_refused() -> None:
    log = log_of(2_000)
    flat = replace(log, outcome=np.where(np.arange(2_000) < 5, 1.0, 0.0))
    assert "another reward" in reasons(flat, always(2_000, 0.0, 0.5, 0.5))


def test_few_decisions_are_told() -> None:
    log = log_of(600)
    warned = evaluate(log, scores_of(log), always(600, 0.2, 0.4, 0.4)).warnings
    assert any(one.endswith("few") for one in warned)


def test_a_policy_that_does_not_add_up_is_an_error() -> None:
    log = log_of(200)
    with pytest.raises(ExperimentError, match=r"row 0 of the policy adds up to 0\.9"):
        evaluate(log, scores_of(log), always(200, 0.3, 0.3, 0.3))
    with pytest.raises(ExperimentError, match="wanted \\(200, 3\\)"):
        evaluate(log, scores_of(log), always(200, 0.5, 0.5))


def test_the_verdict_says_so_in_a_sentence() -> None:
    log = log_of(20_000)
    best = evaluate(log, scores_of(log), always(20_000, 0, 0, 1))
    assert best.verdict.startswith("Would have earned ")
    assert best.verdict.endswith("more than the log.")
    own = evaluate(log, scores_of(log), logged_policy(log))
    assert own.verdict.endswith("per decision: it is what the log did.")


def test_intervals_hold_the_truth_and_values_are_not_biased() -> None:
    """With room for the chance in 40 logs; ``benchmarks.experiments_offpolicy`` takes 200."""
    found, true = [one.dr for one in values(40, 4_000)], truth()
    assert coverage(found, true) >= 0.94 - 3 * np.sqrt(0.94 * 0.06 / 40)
    means = np.array([one.mean for one in found])
    assert abs(means.mean() - true) < 3 * means.std() / np.sqrt(40)


def test_expectations_never_see_the_members_own_rewards() -> None:
    one = simulated(600, np.random.default_rng(3))
    before = cross_fitted(one.log, one.features).matrix
    raised = replace(one.log, outcome=one.log.outcome + 100.0 * (one.log.member == 7))
    after = cross_fitted(raised, one.features).matrix
    mine = one.log.member == 7
    assert np.array_equal(before[mine], after[mine])
    assert not np.array_equal(before[~mine], after[~mine])
