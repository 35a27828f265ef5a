"""When something fails, a simpler policy answers, in time, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import sleep
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from starlette.testclient import TestClient

from decisions.segment_means import SegmentMeans
from serving.app import create_app
from serving.auth import Access
from serving.errors import DeadlinePassed
from serving.fresh_source import Freshness
from serving.inputs import Inputs
from serving.log import Log
from serving.parts import Parts
from serving.release import load_release
from serving.situation import Situation
from serving.telemetry import Telemetry
from serving.watch import Fixed
from tests.serving.conftest import MEMBERS

if TYPE_CHECKING:
    from pathlib import Path

    from serving.release import Release
    from tests.serving.conftest import Scored

CALL = {"push_id": "spring", "members": [{"member_id": member} for member in MEMBERS]}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, candidate: Path) -> Release:
    from features.workspace import Workspace
    from tests.serving.conftest import Bench

    bench = Bench(Workspace(tmp_path_factory.mktemp("workspace")), candidate)
    return load_release(bench.release("r1"), bench.trusted)


def answer(release: Release, log: Log, files: Path) -> dict[str, Any]:
    parts = Parts(
        Fixed(release), log, Access(log, "live", required=False), Telemetry(), files, deadline=30.0
    )
    with TestClient(create_app(parts)) as client:
        response = client.post("/v1/decisions", json=CALL)
        assert response.status_code == 200, response.text
        again = client.post("/v1/decisions", json=CALL)
        assert again.content == response.content, "the same bytes, degraded or not"
        found: dict[str, Any] = response.json()
        return found


class Failing:
    """A model that cannot be asked."""

    reliability = None

    def estimate(self, *_: Any) -> Any:
        raise FloatingPointError("no numbers today")

    def channel_factor(self, _channel: str) -> tuple[float, str]:
        return 1.0, "prior"


def test_a_failing_model_is_answered_for_by_the_averages_of_its_segments(
    release: Release, log: Log, tmp_path: Path
) -> None:
    found = answer(replace(release, estimator=Failing()), log, tmp_path)
    assert found["degraded"] == ["model_failed"]
    shown = [one["estimates"] for one in found["decisions"] if one["estimates"]["uplift"]]
    assert shown
    assert len({one["uplift"] for one in shown}) <= 2, "an average an offer: nobody is told apart"


def test_without_averages_the_safe_default_goes_out_to_those_who_may_have_it(
    release: Release, log: Log, tmp_path: Path
) -> None:
    push = replace(release.pushes["spring"], safe_default="gift", exploration=0.0, holdout=0.0)
    broken = replace(
        release, estimator=Failing(), means=cast("Any", Failing()), pushes={"spring": push}
    )  # fmt: skip
    found = answer(broken, log, tmp_path)
    assert found["degraded"] == ["model_failed", "averages_failed"]
    sent = [one for one in found["decisions"] if one["send"]]
    assert sent
    assert {one["offer_id"] for one in sent} == {"gift"}
    assert all(set(one["estimates"].values()) == {None} for one in sent)
    assert {one["reason"] for one in found["decisions"] if not one["send"]} == {"no_consent"}


def test_where_nothing_can_decide_nothing_is_sent_and_nothing_is_written(
    release: Release, log: Log, tmp_path: Path
) -> None:
    found = answer_once(
        replace(release, estimator=Failing(), means=cast("Any", Failing())), log, tmp_path
    )
    assert found["degraded"] == ["model_failed", "averages_failed"]
    assert {one["send"] for one in found["decisions"]} == {False}
    assert {one["decision_id"] for one in found["decisions"]} == {None}
    assert log.decided("spring", list(MEMBERS)) == {}


def answer_once(release: Release, log: Log, files: Path) -> dict[str, Any]:
    parts = Parts(
        Fixed(release), log, Access(log, "live", required=False), Telemetry(), files, deadline=30.0
    )
    with TestClient(create_app(parts)) as client:
        found: dict[str, Any] = client.post("/v1/decisions", json=CALL).json()
        return found


def test_averages_are_those_of_the_model_over_its_members(release: Release) -> None:
    members = release._known(MEMBERS)
    offers = list(release.offers.values())
    expected = release.estimator.estimate(members.values, members.encoding.names, offers)
    means = SegmentMeans.of(release.estimator, members, offers, ["push"])
    told = means.estimate(members.values, members.encoding.names, offers[:1])
    assert told.p_if_sent.shape == (len(MEMBERS), 1)
    assert told.p_if_sent[:, 0] == pytest.approx(expected.p_if_sent[:, 0].mean())


def test_fresh_features_go_before_those_of_the_release(release: Release) -> None:
    terms = release.terms("spring", {})
    plain = release.choose("spring", ["m07"], Situation(terms))[0]
    situation = Situation(terms, fresh={"m07": {"consent_push": 0.0}})
    newer = release.choose("spring", ["m07"], situation)[0]
    assert newer.reason == "no_consent"
    assert np.array_equal(newer.vector, plain.vector, equal_nan=True), "kept is what was built"


def test_a_fresh_feature_that_the_release_does_not_know_is_left_out(release: Release) -> None:
    terms = release.terms("spring", {})
    of_another = Situation(terms, fresh={"m07": {"of the release before": 1.0}})
    found = release.choose("spring", ["m07"], of_another)[0]
    assert found == release.choose("spring", ["m07"], Situation(terms))[0]


def test_a_call_that_is_not_decided_in_time_sends_nothing_and_says_so(caller: Scored) -> None:
    slow = type(caller.decider.release).choose

    def late(self: Any, push_id: str, members: Any, situation: Situation) -> Any:
        sleep(0.3)
        return slow(self, push_id, members, situation)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(caller.decider.release), "choose", late)
        response = caller.client.post(
            "/v1/decisions",
            json={"push_id": "spring", "members": [{"member_id": "a"}]},
            headers={"Pushwise-Deadline-Ms": "50"},
        )
        flat = caller.client.get(
            "/v1/decide",
            params={"push_id": "spring", "member_id": "b"},
            headers={"Pushwise-Deadline-Ms": "50"},
        )
    found = response.json()
    assert (response.status_code, found["degraded"]) == (200, ["deadline"])
    assert found["decisions"][0]["send"] is False
    assert found["decisions"][0]["reason"] == "deadline"
    assert flat.json()["send"] is False
    assert flat.json()["degraded"] == ["deadline"]


class Told:
    """A source of fresh features that knows one thing of everybody."""

    def __init__(self, *degraded: str) -> None:
        self._degraded = degraded
        self.forgotten: list[str] = []

    async def fresh(self, members: Sequence[str], *_: object) -> Freshness:
        return Freshness({m: {"consent_push": 0.0} for m in members}, self._degraded)

    def forget(self, member: str) -> None:
        self.forgotten.append(member)

    def state(self) -> None:
        return None


def told(release: Release, log: Log, folder: Path, fresh: Told, deadline: float = 30.0) -> Parts:
    access = Access(log, "live", required=False)
    return Parts(Fixed(release), log, access, Telemetry(), folder, deadline=deadline, fresh=fresh)


def test_an_erased_member_is_not_last_known(release: Release, log: Log, tmp_path: Path) -> None:
    fresh = Told()
    with TestClient(create_app(told(release, log, tmp_path, fresh))) as client:
        assert client.delete("/v1/members/m07").status_code == 202
    assert fresh.forgotten == ["m07"]


def test_what_was_late_is_said_too_where_time_ran_out(
    release: Release, log: Log, tmp_path: Path
) -> None:
    parts = told(release, log, tmp_path, Told("features_late"), deadline=1e-9)
    with TestClient(create_app(parts)) as client:
        found = client.post("/v1/decisions", json=CALL).json()
    assert found["degraded"] == ["features_late", DeadlinePassed.code]


def test_a_call_is_decided_with_what_is_fresh_and_says_what_was_late(
    release: Release, log: Log, tmp_path: Path
) -> None:
    with TestClient(create_app(told(release, log, tmp_path, Told("features_late")))) as client:
        found = client.post("/v1/decisions", json=CALL).json()
    assert {one["reason"] for one in found["decisions"]} == {"no_consent"}
    assert found["degraded"] == ["features_late"]
    row = log.decision(found["decisions"][0]["decision_id"])
    assert row is not None
    assert row.inputs is not None
    inputs = Inputs.from_json(row.inputs, row.member_id)
    assert (dict(inputs.fresh), inputs.degraded) == ({"consent_push": 0.0}, ("features_late",))
