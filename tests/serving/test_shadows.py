"""What arms would have decided that did not answer: once each, from the log."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from experiments.design import Arm, Experiment
from experiments.shadow import Shadowed
from serving import tables
from serving.experiment_audit import Change
from serving.experiment_entry import Entry
from serving.experiments import Book
from serving.log import Log
from serving.release import Release
from serving.scorer import Scorer
from serving.shadow_results import shadow_results
from serving.shadows import PAGE, Shadows
from serving.situation import Situation
from tests.serving.conftest import AS_OF, MEMBERS, Scored

ON_BOTH_ENGINES = True
STRANGERS = tuple(f"stranger{number}" for number in range(60))
HOUR = timedelta(hours=1)
ARMS = (
    Arm("champion", 0.5, "champion"),
    Arm("challenger", 0.3, "release", release="r2"),
    Arm("random", 0.2, "random"),
)


class Held:
    def __init__(self, release: Release) -> None:
        self.release = release


@pytest.fixture
def releases(loaded: Release) -> dict[str, Release]:
    """Money is dear to the challenger, which sends less."""
    versions = loaded.versions.model_copy(update={"release": "r2"})
    prices = {**loaded.prices, "spring": replace(loaded.prices["spring"], budget=9.0)}
    return {"r1": loaded, "r2": replace(loaded, versions=versions, prices=prices)}


@pytest.fixture
def started(log: Log) -> Entry:
    book = Book(log)
    book.create(
        Experiment("dusk", ARMS, "champion", push_ids=("spring",), mode="shadow"),
        Change(AS_OF, "test"),
    )
    return book.start("dusk", Change(AS_OF + HOUR, "test"))


def decide(log: Log, release: Release, members: tuple[str, ...], push: str = "spring") -> None:
    scorer = Scorer(Held(release), log, 0.0)
    scorer.decide(push, dict.fromkeys(members), AS_OF + 2 * HOUR)


def stored(log: Log) -> list[tuple[str, str, str | None, float]]:
    shadow = tables.shadows.c
    asked = select(shadow.member_id, shadow.arm, shadow.offer_id, shadow.probability)
    with log.reading() as connection:
        return sorted((row[0], row[1], row[2], row[3]) for row in connection.execute(asked))


def test_every_decision_gets_what_each_other_arm_would_have_decided_once(
    log: Log, releases: dict[str, Release], started: Entry
) -> None:
    loaded = releases["r1"]
    decide(log, loaded, MEMBERS)
    decide(log, loaded, MEMBERS[:5], push="autumn")  # of which the experiment is not
    both = [Shadows(log, Book(log).shadows, releases.__getitem__) for _ in range(2)]
    for shadows in both:
        while shadows.step(started):
            pass
    found = stored(log)
    assert [(m, arm) for m, arm, _, _ in found] == [
        (member, arm) for member in MEMBERS for arm in ("challenger", "random")
    ]
    assert len({probability for _, arm, _, probability in found if arm == "random"}) > 1
    answered = log.decided("spring", MEMBERS)
    assert {one.release for one in answered.values()} == {"r1"}
    assert {one.experiment for one in answered.values()} == {None}


def test_a_shadow_is_what_the_arm_alone_would_have_answered(
    log: Log, releases: dict[str, Release], started: Entry
) -> None:
    decide(log, releases["r1"], MEMBERS)
    Shadows(log, Book(log).shadows, releases.__getitem__).look()
    with log.reading() as connection:
        rows = connection.execute(select(tables.shadows)).all()
    found = {row.member_id: row for row in rows if row.arm == "challenger"}
    assert {json.loads(row.answer)["experiment"]["arm"] for row in found.values()} == {"challenger"}
    alone = releases["r2"].choose("spring", MEMBERS, Situation(releases["r2"].terms("spring", {})))
    assert [found[member].offer_id for member in MEMBERS] == [one.offer_id for one in alone]
    assert [found[member].probability for member in MEMBERS] == [one.probability for one in alone]


def test_a_restart_goes_on_where_it_stopped_and_a_stop_ends_it(
    log: Log, releases: dict[str, Release], started: Entry
) -> None:
    shadows = Shadows(log, Book(log).shadows, releases.__getitem__)
    decide(log, releases["r1"], MEMBERS[:10])
    assert shadows.step(started) == 10
    assert shadows.step(started) == 0
    decide(log, releases["r1"], MEMBERS[10:20])
    stopped = Book(log).stop("dusk", Change(AS_OF + 3 * HOUR, "test"))
    scorer = Scorer(Held(releases["r1"]), log, 0.0)
    scorer.decide("spring", dict.fromkeys(MEMBERS[20:]), AS_OF + 4 * HOUR)
    again = Shadows(log, Book(log).shadows, releases.__getitem__)
    again.look()
    assert {member for member, *_ in stored(log)} == set(MEMBERS[:20])
    assert again.step(stopped) == 0


def test_an_arm_whose_release_is_gone_leaves_the_others(
    log: Log, releases: dict[str, Release], started: Entry
) -> None:
    from serving.errors import ReleaseGone

    def release(release_id: str) -> Release:
        if release_id == "r2":
            raise ReleaseGone(release_id, "is no longer in the workspace")
        return releases[release_id]

    decide(log, releases["r1"], MEMBERS[:10])
    Shadows(log, Book(log).shadows, release).look()
    assert {arm for _, arm, *_ in stored(log)} == {"random"}


def test_the_readout_says_how_often_arms_agree(
    log: Log, releases: dict[str, Release], started: Entry
) -> None:
    decide(log, releases["r1"], (*MEMBERS, *STRANGERS))
    shadows = Shadows(log, Book(log).shadows, releases.__getitem__)
    while shadows.step(started):
        pass
    readout = shadow_results(log, started, AS_OF + 3 * HOUR)
    found = readout.arms["challenger"]
    assert isinstance(found, Shadowed)
    answered = log.decided("spring", [*MEMBERS, *STRANGERS])
    would = {member: offer for member, arm, offer, _ in stored(log) if arm == "challenger"}
    same = [answered[member].offer_id == offer for member, offer in would.items()]
    assert found.decisions == len(MEMBERS) + len(STRANGERS) > 2 * PAGE
    assert found.agree.value == pytest.approx(sum(same) / len(same))
    assert found.sends.value < found.control_sends.value
    assert found.agree.value < 1


def test_a_shadow_is_read_over_http_where_it_is_no_live_experiment(
    caller: Scored, started: Entry, releases: dict[str, Release]
) -> None:
    decide(caller.log, releases["r1"], (*MEMBERS, *STRANGERS))
    shadows = Shadows(caller.log, Book(caller.log).shadows, releases.__getitem__)
    while shadows.step(started):
        pass
    told = caller.client.get("/v1/experiments/dusk/shadow")
    assert told.status_code == 200, told.text
    assert set(told.json()["arms"]) == {"challenger", "random"}
    assert 0 < told.json()["arms"]["challenger"]["agree"]["value"] < 1
    live = caller.client.get("/v1/experiments/dusk/results")
    assert (live.status_code, live.json()["title"]) == (409, "another mode")
