"""Judging a rule by evidence: what is pooled, who is got wrong, and over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from decisions.rules import RuleError
from experiments.panel import CannotSay
from experiments.rule_court import Findings
from models.artifact import ArtifactError
from models.evidence import Evidence
from serving.court import FOLDER, Court, Pool, Question
from tests.serving.past_pushes import BROWSED, past_court

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Scored


def test_finds_that_members_who_did_not_browse_earn_more() -> None:
    found = past_court().audit(Question(BROWSED, "H-5", "scope"))
    assert isinstance(found.ruling.answer, Findings)
    assert found.ruling.answer.reversed
    assert found.offers == ("H-5", "H-10")
    assert found.ruling.pushes == 2
    assert found.picked_in_vain is not None
    assert found.left_out_in_vain is not None
    assert found.picked_in_vain.decisions == found.ruling.picked
    assert "tier is gold for 100%" in found.left_out_in_vain.traits[0].told


@pytest.mark.parametrize(
    ("pool", "offers", "pushes"),
    [("offer", ("H-5",), 2), ("scope", ("H-5", "H-10"), 2), ("all", ("H-5", "H-10", "T-5"), 3)],
)
def test_pools_what_is_asked_for(pool: str, offers: tuple[str, ...], pushes: int) -> None:
    found = past_court().audit(Question(BROWSED, "H-5", pool))  # type: ignore[arg-type] # a Pool
    assert (found.offers, found.ruling.pushes) == (offers, pushes)
    assert found.ruling.decisions == 8_000 * pushes


def test_what_was_asked_before_changes_no_answer() -> None:
    court = past_court()
    pools: tuple[Pool, ...] = ("offer", "scope", "all")
    for rule in (BROWSED, f"not ({BROWSED})"):
        for pool in pools:
            question = Question(rule, "H-5", pool)
            assert court.audit(question).to_json() == past_court().audit(question).to_json()


def test_any_offer_of_two_is_told_more_surely_than_one() -> None:
    court = past_court()
    one, two = (court.audit(Question(BROWSED, "H-5", pool)).ruling for pool in ("offer", "scope"))
    assert two.effective.left_out_sent > 1.5 * one.effective.left_out_sent
    assert isinstance(one.answer, Findings)
    assert isinstance(two.answer, Findings)
    assert two.answer.left_out.gain.error < one.answer.left_out.gain.error


def test_conversions_decide_when_they_are_what_counts() -> None:
    found = past_court().audit(Question(BROWSED, "H-5", "scope", objective="conversions"))
    answer = found.ruling.answer
    assert isinstance(answer, Findings)
    assert answer.reversed
    assert -0.3 < answer.picked_less_best_left_out.mean < -0.2
    assert "more conversions in 1,000 contacts" in found.ruling.verdict


def test_dates_are_compared_from_the_moment_of_each_decision() -> None:
    found = past_court().audit(Question("seen_days__hualien >= 2026-03-01", "H-5", "all"))
    browsed = past_court().audit(Question(BROWSED, "H-5", "all"))
    # At the first push nobody has seen it since, 20 days later two thirds of 30 days, then all.
    assert 0.5 * browsed.ruling.picked < found.ruling.picked < 0.62 * browsed.ruling.picked


def test_an_offer_that_was_never_a_candidate_cannot_be_judged() -> None:
    for pool in ("offer", "scope"):
        found = past_court().audit(Question(BROWSED, "X-1", pool))
        assert isinstance(found.ruling.answer, CannotSay)
        assert "no past decision had one of these offers" in found.ruling.verdict


def test_a_log_that_nobody_drew_cannot_say() -> None:
    found = past_court(drawn=False).audit(Question(BROWSED, "H-5"))
    assert "not drawn at random" in found.ruling.verdict
    assert found.to_json()["answer"] == "cannot_say"
    assert found.picked_in_vain is None


def test_a_rule_over_what_there_is_not_is_refused() -> None:
    with pytest.raises(RuleError, match="seen_days__hualien"):
        past_court().audit(Question("seen_days__hualian < 3", "H-5"))


def test_evidence_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    court = past_court(600)
    court.evidence.save(tmp_path)
    court.encoding.save(tmp_path / "encoding.json")
    question = Question(BROWSED, "H-5", "all")
    assert Court.load(tmp_path).audit(question) == court.audit(question)
    np.save(tmp_path / "values.npy", court.evidence.values[:, :1])
    with pytest.raises(ArtifactError, match="1 features by the evidence and 2 by the encoding"):
        Court.load(tmp_path)
    np.save(tmp_path / "values.npy", court.evidence.values[:9])
    with pytest.raises(ArtifactError, match=r"values of the evidence is \(9, 2\), wanted \(600, 2"):
        Evidence.load(tmp_path)


def test_the_route_answers_like_the_court(caller: Scored) -> None:
    caller.decider.release.court = past_court()
    asked = {"rule": BROWSED, "offer_id": "H-5", "pool": "scope", "in_scope": True}
    response = caller.client.post("/v1/rules:audit", json=asked)
    assert response.status_code == 200, response.text
    expected = past_court().audit(Question(BROWSED, "H-5", "scope", in_scope=True)).to_json()
    assert response.json() == json.loads(json.dumps(expected))


def test_the_route_tells_what_it_cannot_say(caller: Scored) -> None:
    caller.decider.release.court = past_court(100)
    response = caller.client.post("/v1/rules:audit", json={"rule": BROWSED, "offer_id": "H-5"})
    assert response.status_code == 200
    assert (response.json()["answer"], response.json()["findings"]) == ("cannot_say", None)


def test_without_evidence_it_is_a_problem(caller: Scored) -> None:
    response = caller.client.post("/v1/rules:audit", json={"rule": BROWSED, "offer_id": "H-5"})
    assert response.status_code == 409
    assert response.json()["type"] == "urn:pushwise:problem:no_evidence"


def test_the_route_needs_its_scope(scored: Scored) -> None:
    asked = {"rule": BROWSED, "offer_id": "H-5"}
    headers = scored.headers("decide")
    assert scored.client.post("/v1/rules:audit", json=asked, headers=headers).status_code == 403
    headers = scored.headers("audience:export")
    assert scored.client.post("/v1/rules:audit", json=asked, headers=headers).status_code == 409


def test_a_release_carries_the_evidence(bench: Bench) -> None:
    from serving.release import load_release

    folder = bench.draft("r1")
    court = past_court(600)
    court.evidence.save(folder / FOLDER)
    court.encoding.save(folder / FOLDER / "encoding.json")
    bench.sealed(folder, "r1")
    release = load_release(folder, bench.trusted)
    question = Question(BROWSED, "H-5", "all")
    assert release.court is not None
    assert release.court.audit(question) == court.audit(question)
