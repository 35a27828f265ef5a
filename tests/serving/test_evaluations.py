"""Evaluations that are asked for: one job for one question, taken in order, never lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from serving import evaluations as module
from serving.evaluation_errors import NoEvaluations, TooManyEvaluations, UnknownEvaluation
from serving.evaluation_schemas import EvaluationAsked
from serving.evaluations import CANCELLED, MOST_STARTS, MOST_WAITING, Evaluations
from serving.log import Log
from tests.serving.conftest import Scored

ON_BOTH_ENGINES = True
NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def asked(**parts: Any) -> EvaluationAsked:
    return EvaluationAsked.model_validate({"policies": [{"kind": "nothing"}], **parts})


@pytest.fixture
def jobs(log: Log) -> Evaluations:
    return Evaluations(log)


def test_the_same_question_is_one_job_while_it_waits(jobs: Evaluations) -> None:
    first = jobs.ask(asked(), NOW)
    assert jobs.ask(asked(), LATER) == first
    assert jobs.ask(asked(objective="revenue"), NOW).evaluation_id != first.evaluation_id
    jobs.take(NOW)
    jobs.finish(first.evaluation_id, {"decisions": 3}, LATER)
    # Outcomes may have come in since.
    assert jobs.ask(asked(), LATER).evaluation_id != first.evaluation_id


def test_jobs_are_taken_oldest_first_and_end_with_a_report_or_the_reason(
    jobs: Evaluations,
) -> None:
    first, second = (jobs.ask(asked(objective=one), NOW) for one in ("margin", "revenue"))
    assert jobs.wait()
    taken = jobs.take(NOW)
    assert taken is not None
    assert (taken.evaluation_id, taken.state) == (first.evaluation_id, "running")
    jobs.finish(first.evaluation_id, {"decisions": 3}, LATER)
    jobs.take(LATER)
    jobs.fail(second.evaluation_id, "no decisions", LATER)
    done, failed = (jobs.find(one.evaluation_id) for one in (first, second))
    assert (done.state, done.report, done.updated_at) == ("done", {"decisions": 3}, LATER)
    assert (failed.state, failed.failure) == ("failed", "no decisions")
    assert not jobs.wait()
    assert jobs.take(LATER) is None


def test_a_job_that_lost_its_worker_starts_again_and_is_given_up_in_the_end(
    jobs: Evaluations,
) -> None:
    job = jobs.ask(asked(), NOW)
    for _ in range(MOST_STARTS):
        taken = jobs.take(NOW)
        assert taken is not None
    assert jobs.take(NOW) is None
    assert "worker ended" in (jobs.find(job.evaluation_id).failure or "")


def test_what_was_cancelled_stays_so_and_what_has_ended_is_not_cancelled(
    jobs: Evaluations,
) -> None:
    first, second = (jobs.ask(asked(objective=one), NOW) for one in ("margin", "revenue"))
    jobs.take(NOW)
    assert jobs.cancel(first.evaluation_id, LATER).failure == CANCELLED
    jobs.finish(first.evaluation_id, {"decisions": 3}, LATER)
    assert jobs.find(first.evaluation_id).state == "failed"
    jobs.take(LATER)
    jobs.finish(second.evaluation_id, {"decisions": 3}, LATER)
    assert jobs.cancel(second.evaluation_id, LATER).state == "done"
    assert [one.evaluation_id for one in jobs.newest()] == [
        second.evaluation_id, first.evaluation_id,
    ]  # fmt: skip
    with pytest.raises(UnknownEvaluation):
        jobs.cancel("ev_none", NOW)


def test_only_so_many_wait(jobs: Evaluations) -> None:
    for number in range(MOST_WAITING):
        jobs.ask(asked(push_ids=[f"p{number}"]), NOW)
    with pytest.raises(TooManyEvaluations):
        jobs.ask(asked(), NOW)


def test_without_the_features_extra_it_says_what_to_install(
    jobs: Evaluations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "can_evaluate", lambda: False)
    with pytest.raises(NoEvaluations):
        jobs.ask(asked(), NOW)
    assert "pushwise[features]" in NoEvaluations.fix[0]


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ({"policies": []}, "at least 1"),
        ({"policies": [{"kind": "rule", "rule": "a < 1"}]}, "rule and offer_id"),
        ({"policies": [{"kind": "nothing", "release_id": "r1"}]}, "belong to a release"),
        ({"policies": [{"kind": "nothing"}, {"kind": "nothing"}]}, "named twice"),
        ({"policies": [{"kind": "nothing"}], "against": 1}, "position"),
        ({"policies": [{"kind": "nothing"}], "since": "2026-05-01T00:00:00"}, "timezone"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(parts: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        EvaluationAsked.model_validate(parts)


def test_over_http_a_job_is_accepted_and_can_be_looked_at(caller: Scored) -> None:
    body = {"policies": [{"kind": "release"}, {"kind": "nothing"}], "since": "2026-05-01T00:00:00Z"}
    accepted = caller.client.post("/v1/evaluations", json=body)
    assert accepted.status_code == 202, accepted.text
    job = accepted.json()
    assert job["state"] == "queued"
    assert accepted.headers["Location"] == f"/v1/evaluations/{job['evaluation_id']}"
    assert caller.client.get(accepted.headers["Location"]).json() == job
    missing = caller.client.get("/v1/evaluations/ev_none")
    assert (missing.status_code, missing.json()["type"]) == (
        UnknownEvaluation.status,
        "urn:pushwise:problem:unknown_evaluation",
    )
