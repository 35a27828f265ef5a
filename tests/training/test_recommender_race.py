from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.test_recommender import met_at_random
from training.als import AlsSettings
from training.errors import TrainingError
from training.evaluation.ranking import LaterPeriod
from training.graph_filter_fit import GraphSettings
from training.interactions import Interactions, some_members
from training.recommender_race import Choice, race

MET = met_at_random(members=40, items=12, seed=2)
MEMBERS = [member.decode() for member in MET.member_ids.tolist()]


def owned(met: Interactions) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for member, item in zip(met.members, met.items, strict=True):
        found.setdefault(MEMBERS[member], set()).add(f"i{item:02d}")
    return found


def test_tries_both_models_and_tells_of_every_trial() -> None:
    wanted = {member: {"i03", "i07"} for member in MEMBERS}
    asked: list[float] = []

    def met(half_life_days: float) -> Interactions:
        asked.append(half_life_days)
        return MET

    found = race(met, LaterPeriod(owned(MET), wanted))
    kinds = [trial.choice.kind for trial in found.trials]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"als", "graph filter"}
    assert found.winner in [trial.choice for trial in found.trials]
    best = max(trial.recall for trial in found.trials if trial.choice == found.winner)
    starts = (Choice(AlsSettings()), Choice(GraphSettings()))
    assert best >= max(trial.recall for trial in found.trials if trial.choice in starts)
    assert {45.0, 90.0, 365.0} <= set(asked)
    assert len({trial.choice for trial in found.trials}) == len(found.trials)


def test_settings_that_change_nothing_stay_at_what_ranked_best_elsewhere() -> None:
    everything = {member: {f"i{row:02d}" for row in range(12)} for member in MEMBERS}
    found = race(lambda _: MET, LaterPeriod({}, everything))
    assert found.winner == Choice(AlsSettings())


def test_where_nobody_bought_anything_new_all_purchases_decide() -> None:
    have = owned(MET)
    assert race(lambda _: MET, LaterPeriod(have, have)).trials[0].recall > 0


def test_a_trial_period_without_known_buyers_is_refused() -> None:
    with pytest.raises(TrainingError, match="nothing to measure on"):
        race(lambda _: MET, LaterPeriod({}, {"stranger": {"i01"}}))


def test_a_budget_of_pairs_draws_members_and_keeps_all_that_they_met() -> None:
    many = met_at_random(members=400, items=30, seed=6)
    few = some_members(many, 1_000, seed=1)
    assert len(few.weights) == pytest.approx(1_000, rel=0.25)
    names = few.member_ids.tolist()
    for member in (names[0], names[-1]):
        before = many.members == many.member_ids.tolist().index(member)
        after = few.members == names.index(member)
        assert many.item_ids[many.items[before]].tolist() == few.item_ids[few.items[after]].tolist()
        assert many.weights[before].tolist() == few.weights[after].tolist()
    assert np.array_equal(few.members, np.sort(few.members))
    assert some_members(many, len(many.weights), seed=1) is many


def test_a_choice_says_what_it_is_in_words() -> None:
    choice = Choice(AlsSettings()).changed("factors", 32).changed("half_life_days", 90.0)
    assert choice == Choice(replace(AlsSettings(), factors=32), 90.0)
    assert choice.words.startswith("als: half-life 90, factors 32, alpha0 0.3")
