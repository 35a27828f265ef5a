"""The steps of an experiment that look beyond the log: its arms' releases, and the winner's."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from experiments.design import Analysis, Arm, Experiment
from experiments.readout import readout
from serving.errors import NoPublishing, PreconditionFailed, ReleaseRefused
from serving.experiment_audit import Change
from serving.experiment_entry import Entry
from serving.experiment_errors import (
    ArmOffer,
    ArmPush,
    ArmRelease,
    ArmRule,
    VerdictForbids,
    WrongState,
)
from serving.experiments import Book
from serving.lifecycle import Promotion, Reading, promote, start
from serving.pointer import current
from serving.preconditions import Conditions
from serving.publishing import Publishing
from tests.experiments.members import ab, cell, cells, look, spenders

if TYPE_CHECKING:
    from serving.log import Log
    from serving.release import Release
    from tests.serving.conftest import Bench

ARMS = (Arm("champion", 0.5, "champion"), Arm("challenger", 0.5, "release", release="r2"))
SPRING = Experiment("spring", ARMS, "champion")
BETTER = Reading("challenger is better", frozenset({"challenger"}), {"kind": "promote"})
WAIT = Reading("it is too early to tell", frozenset(), {"kind": "wait"})


def now(why: str = "") -> Change:
    return Change(datetime.now(UTC), "ann", why)


def better(_: Entry) -> Reading:
    return BETTER


def wait(_: Entry) -> Reading:
    return WAIT


@pytest.fixture
def publishing(bench: Bench) -> Publishing:
    bench.release("r1")
    bench.release("r2")
    found = Publishing(bench.workspace.releases, bench.trusted)
    found.publish("r1")
    return found


@pytest.fixture
def stopped(log: Log) -> Book:
    book = Book(log)
    book.create(SPRING, now())
    book.start("spring", now())
    book.stop("spring", now())
    return book


def test_an_arm_whose_release_is_not_there_as_signed_does_not_start(
    log: Log, bench: Bench, publishing: Publishing
) -> None:
    book = Book(log)
    for name, release in (("gone", "r9"), ("bent", "r3")):
        arms = (ARMS[0], replace(ARMS[1], release=release))
        book.create(replace(SPRING, experiment_id=name, arms=arms), now())
    (bench.release("r3") / "offers.json").write_text("[]")
    for name in ("gone", "bent"):
        with pytest.raises(ArmRelease, match="release of arm challenger is not in the workspace"):
            start(book, name, now(), publishing)
    book.create(SPRING, now())
    assert start(book, "spring", now(), publishing).state == "running"
    assert start(book, "spring", now(), publishing).version == 2, "it stands already"


def test_an_arm_whose_release_does_not_know_a_push_does_not_start(
    log: Log, publishing: Publishing
) -> None:
    book = Book(log)
    for push, name in (("winter", "x"), ("autumn", "y")):
        book.create(replace(SPRING, experiment_id=name, push_ids=("spring", push)), now())
    with pytest.raises(ArmPush, match="release of arm challenger does not know one of push_ids"):
        start(book, "x", now(), publishing)
    assert start(book, "y", now(), publishing).state == "running"


@pytest.mark.parametrize(
    ("arm", "pushes", "refused", "said"),
    [
        (Arm("rule", 0.5, "rule", rule="recency_dys <= 30", offer="ten"), (), ArmRule, "rule of"),
        (Arm("rule", 0.5, "rule", rule="recency_days <= 30", offer="x"), (), ArmOffer, "offer of"),
        (Arm("random", 0.5, "random"), ("winter",), ArmPush, "arm champion does not know"),
    ],
)
def test_an_arm_that_the_release_in_use_cannot_decide_does_not_start(
    log: Log, loaded: Release, arm: Arm, pushes: tuple[str, ...], refused: type, said: str
) -> None:
    book = Book(log)
    book.create(Experiment("court", (ARMS[0], arm), "champion", push_ids=pushes), now())
    with pytest.raises(refused, match=said):
        start(book, "court", now(), None, loaded)
    right = Arm("rule", 0.5, "rule", rule="recency_days <= 30", offer="ten")
    book.revise(Experiment("court", (ARMS[0], right), "champion", push_ids=("spring",)), now())
    assert start(book, "court", now(), None, loaded).state == "running"


def test_what_was_looked_at_is_what_starts(log: Log, publishing: Publishing) -> None:
    book = Book(log)
    book.create(SPRING, now())

    class Meddling:
        def check(self, release_id: str) -> frozenset[str]:
            book.revise(replace(SPRING, owner="bob"), now())
            return frozenset()

        def publish(self, release_id: str) -> str:
            return release_id

    with pytest.raises(PreconditionFailed):
        start(book, "spring", now(), Meddling())


def test_the_winner_is_published_and_the_verdict_kept(
    stopped: Book, publishing: Publishing
) -> None:
    wanted = Promotion("spring", "challenger")
    with pytest.raises(VerdictForbids, match="too early to tell"):
        promote(stopped, wanted, now(), wait, publishing)
    with pytest.raises(NoPublishing):
        promote(stopped, wanted, now(), better, None)
    assert stopped.find("spring").state == "stopped"
    entry = promote(stopped, wanted, now("third look"), better, publishing)
    assert current(publishing.releases) == "r2"
    assert entry.decision is not None
    assert (entry.decision.verdict, entry.decision.published) == ({"kind": "promote"}, "r2")
    assert not entry.decision.anyway
    assert promote(stopped, wanted, now(), wait, publishing).version == entry.version
    trail = stopped.audit("spring", 0, 10)
    assert [one.action for one in trail[-2:]] == ["decided", "published"]


def test_whoever_promotes_the_version_they_saw_gets_its_winner_published(
    stopped: Book, publishing: Publishing
) -> None:
    seen = Conditions((stopped.find("spring").etag,))
    change = replace(now(), conditions=seen)
    entry = promote(stopped, Promotion("spring", "challenger"), change, better, publishing)
    assert entry.decision is not None
    assert entry.decision.published == "r2"


def test_a_readout_allows_the_arms_that_are_better_and_its_verdict_is_kept() -> None:
    rng = np.random.default_rng(1)
    same, more = (
        cells(
            cell("champion", spenders(rng, 5000)), cell("challenger", spenders(rng, 5000, more=one))
        )
        for one in (0.0, 0.8)
    )
    analysis = Analysis(looks=4)
    better, none = (Reading.of(readout(ab(analysis), one, look(analysis))) for one in (more, same))
    assert better.allows == {"challenger"}
    assert better.sentence.startswith("Promote challenger: ")
    assert (better.told["kind"], better.told["arms"]["challenger"]["kind"]) == (
        "promote", "promote"
    )  # fmt: skip
    assert json.loads(json.dumps(better.told)) == better.told
    assert none.allows == frozenset()


def test_only_what_was_stopped_is_read_and_decided(log: Log, publishing: Publishing) -> None:
    def unread(_: Entry) -> Reading:
        raise AssertionError("read before its time")

    book = Book(log)
    book.create(SPRING, now())
    for state in ("draft", "running"):
        with pytest.raises(WrongState, match=f"is {state}, wanted stopped"):
            promote(book, Promotion("spring", "champion"), now(), unread, publishing)
        book.start("spring", now())


def test_keeping_the_control_is_a_decision_and_publishes_nothing(
    stopped: Book, publishing: Publishing
) -> None:
    entry = promote(stopped, Promotion("spring", "champion"), now(), wait, publishing)
    assert entry.decision is not None
    assert (entry.decision.arm, entry.decision.published) == ("champion", None)
    assert entry.decision.verdict == {"kind": "wait"}
    assert current(publishing.releases) == "r1"


def test_a_promotion_that_was_interrupted_goes_on_when_called_again(
    stopped: Book, publishing: Publishing
) -> None:
    class Dying:
        def check(self, release_id: str) -> frozenset[str]:
            return publishing.check(release_id)

        def publish(self, release_id: str) -> str:
            raise ReleaseRefused

    wanted = Promotion("spring", "challenger")
    with pytest.raises(ReleaseRefused):
        promote(stopped, wanted, now(), better, Dying())
    decision = stopped.find("spring").decision
    assert decision is not None
    assert (decision.arm, decision.published) == ("challenger", None)
    assert current(publishing.releases) == "r1"
    entry = promote(stopped, wanted, now(), wait, publishing)
    assert entry.decision is not None
    assert entry.decision.published == "r2"
    assert entry.decision.verdict == {"kind": "promote"}, "as it was read when it was decided"
    assert current(publishing.releases) == "r2"
