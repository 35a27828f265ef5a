"""Arms of an experiment decide side by side, and the log knows how likely each choice was."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from decisions.contacts import Contact
from decisions.pacing import CONTACTS
from experiments.assignment import Allocation, Running
from experiments.design import Arm, Experiment
from serving.archive import Archive
from serving.degradation import Estimating
from serving.errors import ReleaseGone
from serving.explanation import explained
from serving.inputs import BranchInputs
from serving.log import Log
from serving.lots import ARM_FAILED, Turn
from serving.making import Made, Subject
from serving.release import Release
from serving.replay import remade, replay
from serving.scorer import Answering, Answers, Scorer
from serving.trials import Seat, Trial, Trials
from tests.serving.conftest import AS_OF, MEMBERS, FakeRelease

ON_BOTH_ENGINES = True
CHAMPION = Arm("champion", 0.4, "champion")
CHALLENGER = Arm("challenger", 0.3, "release", release="r2")
RULE = Arm("rule", 0.1, "rule", rule="recency_days > 20", offer="gift")
RANDOM = Arm("random", 0.1, "random")
HOLDOUT = Arm("holdout", 0.1, "holdout")
FIVE = (CHAMPION, CHALLENGER, RULE, RANDOM, HOLDOUT)


def under_way(*arms: Arm, experiment_id: str = "spring-test", **more: Any) -> Running:
    declared = Experiment(experiment_id, arms, arms[0].name, push_ids=("spring",))
    shares = {arm.name: arm.share for arm in arms}
    return Running(declared, ((0, 10_000),), Allocation.of(shares), **more)


def trials(running: Running, challenger: Answering | None) -> Trials:
    def load(release_id: str) -> Answering:
        if challenger is None:
            raise ReleaseGone(release_id, "is no longer in the workspace")
        return challenger

    found = Trials(lambda: (running,), load)
    found.look()
    return found


@pytest.fixture
def challenger(loaded: Release) -> Release:
    """Like the champion, but for its name and that money costs it nothing."""
    versions = loaded.versions.model_copy(update={"release": "r2"})
    prices = {**loaded.prices, "spring": replace(loaded.prices["spring"], budget=0.0)}
    return replace(loaded, versions=versions, prices=prices)


class Held:
    def __init__(self, release: Answering) -> None:
        self.release = release


def decided(
    log: Log, release: Answering, found: Trials, members: tuple[str, ...] = MEMBERS
) -> Answers:
    scorer = Scorer(Held(release), log, 0.0, found)
    return scorer.decide("spring", dict.fromkeys(members), AS_OF + timedelta(hours=1))


def test_every_arm_decides_its_members(log: Log, loaded: Release, challenger: Release) -> None:
    running = under_way(*FIVE)
    answers = decided(log, loaded, trials(running, challenger)).decisions
    names = [arm.name for arm in FIVE]
    places = dict(zip(MEMBERS, running.assign(MEMBERS).tolist(), strict=True))
    for member, answer in answers.items():
        assert answer.experiment.model_dump() == {"id": "spring-test", "arm": names[places[member]]}
        assert answer.release == ("r2" if answer.experiment.arm == "challenger" else "r1")
    by_arm = {name: [a for a in answers.values() if a.experiment.arm == name] for name in names}
    assert all(by_arm.values())
    assert not any(answer.send for answer in by_arm["holdout"])
    assert {answer.offer_id for answer in by_arm["rule"]} == {"gift", None}
    assert {answer.reason for answer in by_arm["holdout"]} <= {"holdout", "no_consent"}
    stored = log.decided("spring", MEMBERS)
    assert {one.experiment for one in stored.values()} == {"spring-test"}
    assert Counter(one.arm for one in stored.values()) == Counter(
        {name: len(found) for name, found in by_arm.items()}
    )


def test_every_decision_in_an_experiment_can_be_made_again(
    log: Log, loaded: Release, challenger: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = decided(log, loaded, trials(under_way(*FIVE), challenger)).decisions
    archive = Archive.empty()
    monkeypatch.setattr(
        Archive, "get", lambda _self, name, _in_use: loaded if name == "r1" else challenger
    )
    for answer in answers.values():
        made = remade(log, archive, Held(loaded), str(answer.decision_id))
        found = replay(log, Held(loaded), made)
        assert (found.equal, found.differs) == (True, ())
        said = explained(made, found)
        assert f"Experiment spring-test, arm {answer.experiment.arm}" in said.summary[-1]
        assert said.probability == answer.probability
        if answer.experiment.arm == "rule":
            assert {one.parts for one in said.options} == {None}


def test_the_logged_probability_is_that_of_the_choice_before_anybody_is_in_an_arm(
    loaded: Release, challenger: Release
) -> None:
    """The mean of 1 / p is the number of possible choices, wherever p is the true probability."""
    found = []
    for number in range(150):
        salted = [
            replace(one, policy=replace(one.policy, salt=f"s{number}"))
            for one in (loaded, challenger)
        ]
        running = under_way(*FIVE, experiment_id=f"x{number}")
        (trial,) = trials(running, salted[1]).of_push("spring", salted[0])
        found += chances(salted[0], trial)
    weights = 1 / np.array(found)
    error = weights.std() / np.sqrt(len(weights))
    assert abs(weights.mean() - 3) < 4 * error < 0.3  # ten, gift, or nothing


def chances(release: Release, trial: Trial) -> list[float]:
    """Logged probabilities of who may be contacted."""
    can = [one for one in MEMBERS if not release.barred("push", [one])]
    subjects = {member: Subject() for member in can}
    made = Made(release.pushes["spring"], release.versions, AS_OF, subjects, ())
    seats = trial.seats(can, {})
    turn = Turn(made, release, (trial,), seats, frozenset(), {}, False, Estimating())
    chosen = [turn.chosen(lot) for lot in turn.lots(can)]
    stood = turn.branches(chosen)
    return [
        stood[member].probability(choice.probability)
        for one in chosen
        for member, choice in zip(one.lot.members, one.choices, strict=True)
    ]


def test_who_was_in_an_arm_stays_there_when_shares_change(
    log: Log, loaded: Release, challenger: Release
) -> None:
    first = under_way(CHAMPION, CHALLENGER, replace(HOLDOUT, share=0.3))
    before = decided(log, loaded, trials(first, challenger), MEMBERS[:30]).decisions
    shares = {"champion": 0.0, "challenger": 0.9, "holdout": 0.1}
    started = AS_OF + timedelta(days=1)
    later = replace(
        first, allocation=first.allocation.changed(shares), earlier=((AS_OF, first.allocation),),
        since=started,
    )  # fmt: skip
    other = replace(later, experiment=replace(later.experiment, push_ids=("autumn",)))
    scorer = Scorer(Held(loaded), log, 0.0, trials(other, challenger))
    again = scorer.decide("autumn", dict.fromkeys(MEMBERS), started + timedelta(hours=1)).decisions
    assert {m: again[m].experiment.arm for m in before} == {
        m: one.experiment.arm for m, one in before.items()
    }
    assert {again[m].experiment.arm for m in MEMBERS[30:]} <= {"challenger", "holdout"}
    row = next(one for one in log.decided("autumn", MEMBERS[:30]).values() if one.arm == "champion")
    assert json.loads(row.inputs or "")["branch"]["share"] == pytest.approx(0.4)


def test_an_arm_never_takes_more_than_its_part_of_a_limit(
    log: Log, loaded: Release, challenger: Release
) -> None:
    def capped(release: Release) -> Release:
        push = replace(release.pushes["spring"], max_audience=20, holdout=0.0, exploration=0.0)
        policy = replace(release.policy, consent_when_missing=True)
        return replace(release, pushes={**release.pushes, "spring": push}, policy=policy)

    arms = (replace(CHAMPION, share=0.25), replace(RULE, share=0.75, rule="contacts_7d >= 0"))
    answers = decided(log, capped(loaded), trials(under_way(*arms), None)).decisions
    sent = Counter(one.experiment.arm for one in answers.values() if one.send)
    assert sent["rule"] == 15
    assert sent["champion"] <= 5
    used = log.used("spring", AS_OF + timedelta(hours=1))
    assert used[CONTACTS].taken == sum(sent.values())
    assert used[f"arm/spring-test/rule:{CONTACTS}"].taken == 15


def test_a_release_that_fails_leaves_its_members_to_the_one_in_use(
    log: Log, loaded: Release
) -> None:
    class Broken(FakeRelease):
        def choose(self, *_: Any) -> Any:
            raise RuntimeError("a model that does not work")

        def chances(self, *_: Any) -> Any:
            raise RuntimeError("the same")

    found = trials(under_way(CHAMPION, replace(CHALLENGER, share=0.6)), Broken(release="r2"))
    answers = decided(log, loaded, found)
    of_arm = [one for one in answers.decisions.values() if one.experiment.arm == "challenger"]
    assert of_arm
    assert {one.release for one in of_arm} == {"r1"}
    assert ARM_FAILED in answers.degraded
    rows = log.decided("spring", MEMBERS).values()
    assert all((ARM_FAILED in (one.inputs or "")) == (one.arm == "challenger") for one in rows)
    # Whoever is in either arm was decided alike, and so the chance of the choice is logged.
    for row in rows:
        branch = json.loads(row.inputs or "")["branch"]
        assert row.probability == pytest.approx(branch["others"] / (1 - branch["share"]))


def test_a_scorer_takes_part_only_once_it_has_all_that_the_arms_need(
    log: Log, loaded: Release
) -> None:
    answers = decided(log, loaded, trials(under_way(*FIVE), None)).decisions
    assert {one.experiment.id for one in answers.values()} == {None}


def test_a_push_that_an_arm_cannot_decide_is_decided_outside_and_told_once(
    loaded: Release,
) -> None:
    for wrong in ({"offer": "points"}, {"rule": "recency_dys > 20"}):
        found = trials(under_way(CHAMPION, replace(RULE, share=0.6, **wrong)), None)  # type: ignore[arg-type]  # of text alone
        with capture_logs() as told:
            assert [found.of_push("spring", loaded) for _ in range(3)] == [(), (), ()]
        assert [(one["push"], one["arms"]) for one in told] == [("spring", ["rule"])]
    known = trials(under_way(CHAMPION, replace(RULE, share=0.6)), None)
    assert len(known.of_push("spring", loaded)) == 1
    assert known.of_push("autumn", loaded) == known.of_push("nowhere", loaded) == ()


def test_an_answer_stands_whatever_experiment_begins_later(
    log: Log, loaded: Release, challenger: Release
) -> None:
    first = decided(log, loaded, Trials(tuple, lambda name: challenger), MEMBERS[:10])
    again = decided(log, loaded, trials(under_way(*FIVE), challenger))
    assert {m: again.decisions[m] for m in MEMBERS[:10]} == first.decisions
    assert again.decisions[MEMBERS[20]].experiment.id == "spring-test"


def test_each_release_counts_the_contacts_that_it_does_not_know_of(
    loaded: Release, challenger: Release
) -> None:
    older = challenger.versions.model_copy(update={"as_of": AS_OF - timedelta(days=3)})
    challenger = replace(challenger, versions=older)
    found = trials(under_way(CHAMPION, replace(CHALLENGER, share=0.6)), challenger)
    (trial,) = found.of_push("spring", loaded)
    assert trial.oldest == AS_OF - timedelta(days=3)
    member = MEMBERS[0]
    moments = {"before": AS_OF - timedelta(days=2), "after": AS_OF + timedelta(hours=1)}
    sent = [
        Contact(member, int(at.timestamp()), "ten", "push", push) for push, at in moments.items()
    ]
    subjects = {member: Subject()}
    made = Made(loaded.pushes["spring"], loaded.versions, AS_OF, subjects, sent)
    turn = Turn(made, loaded, (trial,), {}, frozenset(), {}, False, Estimating())
    for branch, known in zip(trial.branches, (["after"], ["before", "after"]), strict=True):
        (lot,) = replace(turn, seats={member: Seat(branch, {})}).lots([member])
        assert [one.push_id for one in lot.made.contacts] == known


def test_experiments_of_one_layer_share_the_members_of_a_push(log: Log, loaded: Release) -> None:
    half = {"champion": 0.5, "holdout": 0.5}
    arms = (replace(CHAMPION, share=0.5), replace(HOLDOUT, share=0.5))
    both = tuple(
        Running(Experiment(name, arms, "champion", traffic=0.5), slots, Allocation.of(half))
        for name, slots in (("one", ((0, 5_000),)), ("other", ((5_000, 10_000),)))
    )
    found = Trials(lambda: both, lambda name: loaded)
    found.look()
    answers = decided(log, loaded, found).decisions
    seen = {(one.experiment.id, one.experiment.arm) for one in answers.values()}
    assert seen == {(name, arm) for name in ("one", "other") for arm in half}


def test_a_certain_choice_has_the_probability_one_whatever_the_shares_add_up_to() -> None:
    """In floating point, these shares add up to more than 1."""
    mine, others = 0.1, 0.2 + 0.4 + 0.15 + 0.15
    assert mine + others > 1
    assert BranchInputs("x", "random", mine, others).probability(1.0) == 1.0
