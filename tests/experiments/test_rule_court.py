"""What a rule earns, on trials whose effects are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from experiments.panel import CannotSay
from experiments.rule_court import Findings, best_by_model, rule_court
from experiments.trial import Trial

Picked = NDArray[np.bool_]


def trial(
    n: int = 8_000, seed: int = 0, *, inside: float = 0.0, outside: float = 0.25, base: float = 0.2
) -> tuple[Trial, Picked]:
    """Half got an offer. A conversion is worth 10, a contact costs .1; the rule picks a tenth, who
    buy anyway. Of the others every second buys more when sent, and the model knows which."""
    rng = np.random.default_rng(seed)
    picked, moved, sent = (rng.random(n) < share for share in (0.1, 0.5, 0.5))
    effect = np.where(picked, inside, np.where(moved, outside, 0.0))
    rate = np.where(picked, base, base / 4)
    converted = rng.random(n) < rate + effect * sent
    sign = np.where(sent, 2.0, -2.0)
    change = effect + sign * (converted - rate - effect * sent)
    return Trial(
        gain=10 * change - 0.1,
        conversions=change,
        predicted=10 * effect - 0.1 + rng.normal(0, 0.05, n),
        sent_weight=np.where(sent, 2.0, 0.0),
        unsent_weight=np.where(sent, 0.0, 2.0),
        converted=converted,
        member=np.arange(n) // 2,
        push=np.arange(n) % 2,
    ), picked


def findings(one: Trial, picked: Picked) -> Findings:
    answer = rule_court(one, picked).answer
    assert isinstance(answer, Findings), answer
    return answer


def test_members_who_buy_anyway_are_the_wrong_ones_to_pick() -> None:
    one, picked = trial()
    found = findings(one, picked)
    assert found.reversed
    assert found.picked.decisions == found.best_left_out.decisions == picked.sum()
    assert found.picked.gain.low < -0.1 < found.picked.gain.high
    assert found.best_left_out.gain.low < 2.4 < found.best_left_out.gain.high
    assert found.picked_less_best_left_out.high < 0
    assert "the wrong members" in rule_court(one, picked).verdict


def test_a_rule_that_picks_whom_a_push_moves_works() -> None:
    one, picked = trial(inside=0.2, outside=0.0)
    found = findings(one, picked)
    assert not found.reversed
    assert found.picked_less_left_out.low > 0
    assert rule_court(one, picked).verdict.startswith("The rule works: ")


def test_a_rule_that_works_can_still_be_beaten() -> None:
    one, picked = trial(20_000, inside=0.2, outside=0.4)
    assert "works, but not on the best members" in rule_court(one, picked).verdict


def test_where_no_push_changes_anything_nothing_is_shown() -> None:
    one, picked = trial(outside=0.0)
    assert not findings(replace(one, gain=one.gain + 0.1), picked).reversed
    assert "Nothing shows" in rule_court(replace(one, gain=one.gain + 0.1), picked).verdict


def test_the_error_of_a_member_met_twice_is_that_of_one_member() -> None:
    one, picked = trial(4_000)
    twice = _twice(one)
    first, second = findings(one, picked), findings(twice, np.concatenate([picked, picked]))
    assert second.picked.gain.error == pytest.approx(first.picked.gain.error)


def _twice(one: Trial) -> Trial:
    return Trial(
        np.tile(one.gain, 2),
        np.tile(one.conversions, 2),
        np.tile(one.predicted, 2),
        np.tile(one.sent_weight, 2),
        np.tile(one.unsent_weight, 2),
        np.tile(one.converted, 2),
        np.tile(one.member, 2),
        np.tile(one.push, 2),
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"drawn": False}, "not drawn at random"),
        ({"sent_weight": np.full(8_000, 1.1)}, "logged probabilities of sends do not fit"),
        (
            {"converted": np.zeros(8_000, dtype=bool)},
            "0 conversions of members whom the rule picks",
        ),
        ({"sent_weight": np.zeros(8_000)}, "worth 0 decisions after weighing, wanted at least 100"),
    ],
)
def test_says_why_it_cannot_say(change: dict[str, object], reason: str) -> None:
    one, picked = trial()
    ruling = rule_court(replace(one, **change), picked)  # type: ignore[arg-type] # any field
    assert isinstance(ruling.answer, CannotSay)
    assert reason in ruling.verdict
    assert ruling.verdict.startswith("Cannot say: ")


@pytest.mark.parametrize(("all_of_them", "whom"), [(True, "everybody"), (False, "nobody")])
def test_a_rule_that_divides_nobody_has_no_opposite(all_of_them: bool, whom: str) -> None:
    one, _ = trial()
    ruling = rule_court(one, np.full(8_000, all_of_them))
    assert f"the rule picks {whom}" in ruling.verdict


def test_a_hundred_decisions_tell_nothing() -> None:
    one, picked = trial(100)
    assert rule_court(one, picked).verdict.startswith("Cannot say: ")


def test_the_model_picks_as_many_in_each_push_and_equals_share() -> None:
    one, _ = trial(6)
    one = replace(one, predicted=np.array([3.0, 1, 2, 1, 2, 5]), push=np.array([0, 0, 0, 1, 1, 1]))
    picked = np.array([True, False, False, True, True, False])
    share = best_by_model(one, picked, np.ones(6, dtype=bool))
    assert share.tolist() == [1, 0, 0, 0, 1, 1]
    equal = best_by_model(replace(one, predicted=np.ones(6)), picked, ~picked)
    assert equal.tolist() == [0, 0.5, 0.5, 0, 0, 1]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 400))
def test_it_answers_with_finite_numbers_or_not_at_all(seed: int, n: int) -> None:
    one, picked = trial(n, seed, base=0.6)
    ruling = rule_court(one, picked)
    assert ruling.picked == picked.sum()
    if isinstance(ruling.answer, Findings):
        assert np.isfinite(ruling.answer.picked_less_model.error)
        assert min(vars_of(ruling.effective)) >= 100
    else:
        assert ruling.answer.reasons


def vars_of(effective: object) -> list[float]:
    names = ("picked_sent", "picked_unsent", "left_out_sent", "left_out_unsent")
    return [getattr(effective, name) for name in names]


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_promise() -> None:
    covered = 0
    for seed in range(200):
        found = findings(*trial(4_000, seed))
        covered += found.picked_less_left_out.low < -1.25 < found.picked_less_left_out.high
    assert 0.91 * 200 <= covered <= 0.985 * 200
