"""What the log still knows of a push's promise."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serving.audiences import Audiences, Wanted
from serving.log import Log, LoggedDecision
from serving.moments import iso
from serving.push_promise import logged_promise, planned_promise

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def decided(member: str, gain: float | None, *, send: bool = True) -> LoggedDecision:
    answer: dict[str, Any] = {"send": send, "release": "r1", "estimates": None}
    if gain is not None:
        estimates = {"expected_gain": gain, "uplift": 0.1, "evidence": "modelled"}
        answer["estimates"] = estimates
    return LoggedDecision(
        decision_id=f"of-{member}", push_id="spring", channel="push", member_id=member,
        offer_id="a" if send else None, probability=0.9, decided_at=iso(NOW), candidates="[]",
        arm="policy" if send else "holdout", policy="p", release="r1", context=None,
        answer=json.dumps(answer),
    )  # fmt: skip


def test_adds_up_what_the_sends_were_to_bring_and_nothing_of_those_held_out(log: Log) -> None:
    made = [decided("m1", 2.0), decided("m2", 3.0), decided("m3", 50.0, send=False)]
    log.keep_decisions(made, ())
    found = logged_promise(log, "spring")
    assert found is not None
    assert (found.contacts, found.gain, found.evidence) == (2, 5.0, {"modelled": 2})
    assert found.orders == pytest.approx(0.2)
    assert found.to_json()["releases"] == ["r1"]


def test_a_push_that_the_scorer_never_met_has_no_promise(log: Log) -> None:
    assert logged_promise(log, "spring") is None
    assert planned_promise(log, "spring") is None


def test_the_newest_finished_plan_counts(log: Log) -> None:
    jobs = Audiences(log)
    for number, push in enumerate(("spring", "spring", "autumn")):
        asked = jobs.ask(Wanted(push, budget=float(number + 1)), "r1", NOW)
        assert jobs.claim(None, f"w{number}", NOW + timedelta(hours=number)) is not None
        gain = {"expected_gain": 10.0 * number}
        jobs.finish(f"w{number}", gain, lambda: None, NOW + timedelta(hours=number))
        if push == "spring":
            newest = asked.audience_id
    jobs.ask(Wanted("spring"), "r1", NOW)  # waits, and promises nothing yet
    found = planned_promise(log, "spring")
    assert found is not None
    assert (found.audience_id, found.summary) == (newest, {"expected_gain": 10.0})
