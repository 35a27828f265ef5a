"""The book of experiments: what may follow what, whose buckets are whose, and who changed what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from experiments.design import Analysis, Arm, Experiment
from experiments.errors import ExperimentError
from serving.database import Database
from serving.errors import PreconditionFailed, ServiceError
from serving.experiment_audit import Change
from serving.experiment_entry import Decided, Entry
from serving.experiment_errors import (
    DecidedOtherwise,
    ExperimentExists,
    LayerFull,
    PushTaken,
    UnknownExperiment,
    WrongState,
)
from serving.experiments import Book
from serving.log import Log
from serving.preconditions import Conditions

ON_BOTH_ENGINES = True
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ARMS = (
    Arm("champion", 0.45, "champion"),
    Arm("challenger", 0.45, "release", release="r2"),
    Arm("nothing", 0.1, "holdout"),
)
SPRING = Experiment("spring", ARMS, "champion", analysis=Analysis(looks=4, days=28))
KEEP = Decided("champion", None, anyway=False, why="no better", by="ann")


def by(who: str | None = "ann", hours: float = 0, why: str = "", *tags: str) -> Change:
    return Change(NOW + timedelta(hours=hours), who, why, Conditions(tags))


@pytest.fixture
def book(database: Database) -> Iterator[Book]:
    with Log(database) as log:
        yield Book(log)


def started(book: Book, experiment: Experiment) -> None:
    book.create(experiment, by())
    book.start(experiment.experiment_id, by())


def test_a_draft_runs_stops_and_is_decided(book: Book) -> None:
    assert book.create(SPRING, by()).fresh
    assert book.running() == ()
    entry = book.start("spring", by(hours=1))
    assert (entry.state, entry.slots) == ("running", ((0, 10_000),))
    days = [(look - entry.started_at).days for look in entry.looks if entry.started_at]
    assert days == [7, 14, 21, 28]
    [running] = book.running()
    assert running.experiment == SPRING
    assert (running.earlier, running.since) == ((), None)
    assert np.bincount(running.allocation.owner).tolist() == [4500, 4500, 1000]
    assert book.stop("spring", by(hours=2)).state == "stopped"
    assert book.running() == ()
    entry = book.decide("spring", KEEP, by(hours=3))
    assert (entry.state, entry.decision, entry.version) == ("decided", KEEP, 4)
    assert entry.decided_at == NOW + timedelta(hours=3)
    assert book.find("spring").values() == entry.values()


def test_what_stands_already_is_the_answer_when_it_is_asked_for_again(book: Book) -> None:
    book.create(SPRING, by())
    assert not book.create(SPRING, by("bob", 9)).fresh
    calls: list[Callable[[], Entry]] = [
        lambda: book.start("spring", by("bob")),
        lambda: book.share("spring", {"champion": 0.5, "challenger": 0.4, "nothing": 0.1}, by()),
        lambda: book.stop("spring", by("bob")),
        lambda: book.decide("spring", KEEP, by("bob")),
        lambda: book.published("spring", "r2", by("bob")),
    ]
    for call in calls:
        first = call()
        again = call()
        assert (again.version, again.values()) == (first.version, first.values())
    assert not book.create(SPRING, by()).fresh, "as it was declared, whatever became of it"
    assert len(book.audit("spring", 0, 100)) == 6


def test_one_id_is_one_experiment(book: Book) -> None:
    book.create(SPRING, by())
    other = replace(SPRING, hypothesis="another")
    with pytest.raises(ExperimentExists):
        book.create(other, by())
    assert book.revise(other, by(hours=1)).declared == other, "a draft may still change"
    book.start("spring", by())
    with pytest.raises(WrongState, match="is running, wanted draft"):
        book.revise(SPRING, by())
    with pytest.raises(UnknownExperiment):
        book.find("summer")


def test_steps_come_in_their_order(book: Book) -> None:
    book.create(SPRING, by())
    shares = {"champion": 0.5, "challenger": 0.4, "nothing": 0.1}
    with pytest.raises(WrongState, match="is draft, wanted running"):
        book.stop("spring", by())
    with pytest.raises(WrongState, match="is draft, wanted running"):
        book.share("spring", shares, by())
    book.start("spring", by())
    with pytest.raises(WrongState, match="is running, wanted stopped"):
        book.decide("spring", KEEP, by())
    book.stop("spring", by())
    with pytest.raises(WrongState, match="is stopped, wanted draft"):
        book.start("spring", by())
    book.decide("spring", KEEP, by())
    with pytest.raises(DecidedOtherwise, match="decided for arm champion"):
        book.decide("spring", replace(KEEP, arm="challenger"), by())
    for step in (book.start, book.stop):
        with pytest.raises(WrongState, match="is decided"):
            step("spring", by())


def test_experiments_of_a_layer_share_its_members(book: Book) -> None:
    for number, traffic in enumerate((0.5, 0.25)):
        started(book, replace(SPRING, experiment_id=f"x{number}", traffic=traffic))
    assert [one.slots for one in book.running()] == [((0, 5000),), ((5000, 7500),)]
    book.create(replace(SPRING, experiment_id="more", traffic=0.5), by())
    with pytest.raises(LayerFull, match=r"has 25.00% of its members left, wanted 50.00%"):
        book.start("more", by())
    book.stop("x0", by())
    assert book.start("more", by()).slots == ((0, 5000),)
    members = [f"m{number}" for number in range(2000)]
    inside = [one.assign(members) >= 0 for one in book.running()]
    assert not (inside[0] & inside[1]).any()


def test_of_two_scorers_that_start_at_once_one_gets_what_is_left(database: Database) -> None:
    with Log(database) as log, Log(database) as other, ThreadPoolExecutor(2) as threads:
        books = (Book(log), Book(other))
        for number in range(5):
            names = [f"x{number}{one}" for one in "ab"]
            for name in names:
                books[0].create(replace(SPRING, experiment_id=name, traffic=0.6), by())

            def start(place: int, names: list[str] = names) -> str:
                try:
                    return books[place].start(names[place], by()).state
                except LayerFull:
                    return "full"

            assert sorted(threads.map(start, (0, 1))) == ["full", "running"]
            books[0].stop(books[1].running()[0].experiment.experiment_id, by())


@pytest.mark.parametrize("pushes", [(), ("may", "june")])
def test_a_push_is_decided_by_experiments_of_one_layer(book: Book, pushes: tuple[str, ...]) -> None:
    started(book, replace(SPRING, experiment_id="x", push_ids=("may",)))
    book.create(replace(SPRING, layer="other", push_ids=pushes), by())
    with pytest.raises(PushTaken, match="experiment x is running in another layer"):
        book.start("spring", by())
    assert book.find("spring").state == "draft"
    book.create(replace(SPRING, experiment_id="apart", layer="other", push_ids=("july",)), by())
    assert book.start("apart", by()).state == "running"


def test_other_shares_move_as_few_buckets_as_can_be(book: Book) -> None:
    started(book, SPRING)
    [before] = book.running()
    shares = {"nothing": 0.1, "challenger": 0.5, "champion": 0.4}  # in whatever order
    entry = book.share("spring", shares, by(hours=5))
    [after] = book.running()
    assert after.since == NOW + timedelta(hours=5)
    for hours, then in ((0, before), (4.9, before), (5, after)):
        owner = after.at(NOW + timedelta(hours=hours)).owner
        assert (owner == then.allocation.owner).all()
    assert (before.allocation.owner != after.allocation.owner).sum() == 500
    assert {arm.name: arm.share for arm in after.experiment.arms} == shares
    assert [one.since for one in entry.allocations] == [NOW, NOW + timedelta(hours=5)]
    assert entry.declared == SPRING
    for wrong in ({"champion": 1.0}, {**shares, "stranger": 0.0}, {**shares, "nothing": 0.2}):
        with pytest.raises(ExperimentError):
            book.share("spring", wrong, by())
    assert book.find("spring").version == entry.version


def test_the_trail_says_who_changed_what_when_and_why(book: Book) -> None:
    book.create(SPRING, by("ann"))
    book.start("spring", by("bob", 1, "the board agreed"))
    book.share("spring", {"champion": 0.35, "challenger": 0.55, "nothing": 0.1}, by("eve", 2))
    trail = book.audit("spring", 0, 100)
    assert [(one.by, one.action, one.version, one.why) for one in trail] == [
        ("ann", "created", 1, ""), ("bob", "started", 2, "the board agreed"),
        ("eve", "shares_changed", 3, ""),
    ]  # fmt: skip
    created, start, shares = (one.changed for one in trail)
    assert created["experiment"]["before"] is None
    assert created["experiment"]["after"]["hypothesis"] == ""
    assert start["state"] == {"before": "draft", "after": "running"}
    assert set(start) == {"state", "slots", "looks"}
    assert set(shares) == {"arms"}
    told: dict[str, Any] = shares["arms"]
    assert [arm["share"] for arm in told["before"]] == [0.45, 0.45, 0.1]
    assert [arm["share"] for arm in told["after"]] == [0.35, 0.55, 0.1]
    assert [one.seq for one in book.audit("spring", trail[0].seq, 1)] == [trail[1].seq]


def test_of_two_editors_the_second_is_told(book: Book) -> None:
    seen = book.create(SPRING, by()).entry.etag
    book.revise(replace(SPRING, owner="ann"), by("ann", 1, "", seen))
    with pytest.raises(PreconditionFailed):
        book.revise(replace(SPRING, owner="bob"), by("bob", 1, "", seen))
    assert book.find("spring").declared.owner == "ann"
    assert book.start("spring", by("bob", 1, "", "*")).state == "running"
    with pytest.raises(PreconditionFailed):
        book.create(SPRING, replace(by(), conditions=Conditions(if_none_match=True)))


def test_a_refused_change_leaves_no_trace(book: Book) -> None:
    started(book, SPRING)
    with pytest.raises(ServiceError):
        book.decide("spring", KEEP, by())
    assert [one.action for one in book.audit("spring", 0, 100)] == ["created", "started"]


def test_the_list_comes_in_pages_by_id_and_by_state(book: Book) -> None:
    for name in ("c", "a", "b"):
        book.create(replace(SPRING, experiment_id=name, traffic=0.1), by())
    book.start("b", by())
    assert [one.experiment_id for one in book.page("", 2)] == ["a", "b"]
    assert [one.experiment_id for one in book.page("b", 2)] == ["c"]
    assert [one.experiment_id for one in book.page("", 9, ["draft"])] == ["a", "c"]


def test_a_confidence_sequence_has_no_planned_looks(book: Book) -> None:
    started(book, replace(SPRING, analysis=Analysis(sequential="always", looks=4)))
    assert book.find("spring").looks == ()


def test_a_share_that_no_bucket_can_hold_is_refused(book: Book) -> None:
    tiny = (Arm("a", 0.99999, "champion"), Arm("b", 0.00001, "random"))
    with pytest.raises(ExperimentError, match="share of arm 'b' is 1e-05"):
        book.create(replace(SPRING, arms=tiny, control="a"), by())
