"""Audience jobs in the log: asked once, taken once, never lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.audiences import LEASE, MOST_STARTS, Audiences, Progress, Wanted
from serving.errors import AudienceEnded, UnknownAudience
from serving.log import Log

ON_BOTH_ENGINES = True
NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = NOW + LEASE + timedelta(seconds=1)
SPRING = Wanted("spring", budget=100.0)


def nothing() -> None:
    """Files that are in place."""


@pytest.fixture
def jobs(log: Log) -> Audiences:
    return Audiences(log)


def test_the_same_question_is_one_job(jobs: Audiences) -> None:
    first = jobs.ask(SPRING, "r1", NOW)
    assert jobs.ask(SPRING, "r1", LATER) == first
    others = [
        jobs.ask(SPRING, "r2", NOW),
        jobs.ask(replace(SPRING, budget=101.0), "r1", NOW),
        jobs.ask(replace(SPRING, rule="recency_days < 3"), "r1", NOW),
    ]
    assert len({first.audience_id, *(other.audience_id for other in others)}) == 4


def test_the_jobs_of_a_push_are_found_newest_first(jobs: Audiences) -> None:
    strange = 'a "b" 50%_\\ 春'
    asked = [
        jobs.ask(Wanted(push_id, budget=float(number)), "r1", NOW)
        for number, push_id in enumerate(("spring", "Spring", "spring", strange, "spring2"))
    ]
    assert [one.audience_id for one in jobs.of_push("spring")] == [
        asked[2].audience_id, asked[0].audience_id,
    ]  # fmt: skip
    assert jobs.of_push(strange) == [asked[3]]
    assert jobs.of_push("spring", most=1) == [asked[2]]
    assert jobs.of_push("autumn") == []


def test_what_was_cancelled_or_failed_may_be_asked_again(jobs: Audiences) -> None:
    first = jobs.ask(SPRING, "r1", NOW)
    assert jobs.cancel(first.audience_id, NOW).state == "cancelled"
    second = jobs.ask(SPRING, "r1", NOW)
    jobs.claim(None, "w1", NOW)
    assert jobs.fail("w1", {"detail": "why", "conflicts": []}, NOW)
    third = jobs.ask(SPRING, "r1", NOW)
    assert len({one.audience_id for one in (first, second, third)}) == 3
    assert jobs.find(second.audience_id).failure == {"detail": "why", "conflicts": []}


def test_jobs_are_taken_one_at_a_time_oldest_first(jobs: Audiences) -> None:
    asked = [jobs.ask(replace(SPRING, budget=float(n)), "r1", NOW) for n in range(3)]
    for number, job in enumerate(asked):
        taken = jobs.claim(None, f"w{number}", NOW)
        assert taken is not None
        assert (taken.audience_id, taken.state) == (job.audience_id, "running")
        assert jobs.claim(None, "another", NOW) is None
        assert not jobs.due(None, NOW)
        assert jobs.finish(f"w{number}", {"audience": number}, nothing, NOW)
    assert [jobs.find(job.audience_id).summary for job in asked] == [
        {"audience": 0}, {"audience": 1}, {"audience": 2},
    ]  # fmt: skip


def test_a_scorer_of_one_release_leaves_the_jobs_of_others(jobs: Audiences) -> None:
    jobs.ask(SPRING, "r1", NOW)
    assert not jobs.due("r2", NOW)
    assert jobs.claim("r2", "w1", NOW) is None
    assert jobs.due("r1", NOW)


def test_many_workers_at_once_never_share_a_job(tmp_path: Path) -> None:
    with ExitStack() as stack:
        logs = [stack.enter_context(Log(tmp_path / "log.db")) for _ in range(6)]
        for number in range(5):
            Audiences(logs[0]).ask(replace(SPRING, budget=float(number)), "r1", NOW)
        finished: list[str] = []

        def drain(worker: int) -> None:
            jobs = Audiences(logs[worker])
            for turn in range(40):
                name = f"w{worker}-{turn}"
                taken = jobs.claim(None, name, NOW)
                if taken is not None and jobs.finish(name, {}, nothing, NOW):
                    finished.append(taken.audience_id)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(drain, range(6)))
    assert len(finished) == len(set(finished)) == 5


def test_a_job_whose_worker_is_gone_starts_again_and_the_old_one_cannot_end_it(
    jobs: Audiences,
) -> None:
    asked = jobs.ask(SPRING, "r1", NOW)
    jobs.claim(None, "old", NOW)
    assert jobs.beat("old", Progress("deciding", 3, 9), NOW)
    assert jobs.find(asked.audience_id).progress == Progress("deciding", 3, 9)
    taken = jobs.claim(None, "new", LATER)
    assert taken is not None
    assert (taken.audience_id, taken.progress) == (asked.audience_id, Progress("loading"))
    published: list[str] = []
    assert not jobs.beat("old", Progress("writing"), LATER)
    assert not jobs.finish("old", {}, lambda: published.append("old"), LATER)
    assert jobs.finish("new", {}, lambda: published.append("new"), LATER)
    assert published == ["new"]


def test_a_beat_keeps_the_job(jobs: Audiences) -> None:
    jobs.ask(SPRING, "r1", NOW)
    jobs.claim(None, "w1", NOW)
    jobs.beat("w1", Progress("deciding"), NOW + LEASE)
    assert jobs.claim(None, "w2", LATER) is None


def test_a_job_that_ends_its_worker_again_and_again_is_given_up(jobs: Audiences) -> None:
    bad = jobs.ask(SPRING, "r1", NOW)
    good = jobs.ask(replace(SPRING, budget=1.0), "r1", NOW)
    jobs.claim(None, "stopped", NOW)
    assert jobs.give_back("stopped", NOW), "in good order: does not count"
    for number in range(MOST_STARTS):
        taken = jobs.claim(None, f"w{number}", NOW)
        assert taken is not None
        assert taken.audience_id == bad.audience_id
        assert jobs.give_back(f"w{number}", NOW, crashed=True)
    taken = jobs.claim(None, "last", NOW)
    assert taken is not None
    assert taken.audience_id == good.audience_id
    failed = jobs.find(bad.audience_id)
    assert failed.failure == {
        "detail": "its worker ended 4 times before it was done", "conflicts": [],
    }  # fmt: skip


def test_only_what_is_not_over_can_be_cancelled(jobs: Audiences) -> None:
    job = jobs.ask(SPRING, "r1", NOW)
    jobs.claim(None, "w1", NOW)
    jobs.finish("w1", {}, nothing, NOW)
    with pytest.raises(AudienceEnded, match="the audience cannot be cancelled: it is done"):
        jobs.cancel(job.audience_id, NOW)
    with pytest.raises(UnknownAudience, match="no audience with this audience_id in the log"):
        jobs.cancel("au_none", NOW)


def test_a_worker_whose_job_was_cancelled_has_none(jobs: Audiences) -> None:
    job = jobs.ask(SPRING, "r1", NOW)
    jobs.claim(None, "w1", NOW)
    assert jobs.has("w1")
    assert jobs.cancel(job.audience_id, NOW) == jobs.cancel(job.audience_id, NOW)
    assert not jobs.has("w1")
    assert not jobs.give_back("w1", NOW)
    assert not jobs.finish("w1", {}, lambda: pytest.fail("published"), NOW)
