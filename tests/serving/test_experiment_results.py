"""Results over HTTP: the document of the command, read beside the scorer and kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from console.experiment_results import results_of
from experiments.design import Analysis, Arm, Experiment
from features.workspace import Workspace
from serving.app import create_app
from serving.auth import Access
from serving.client_calls import Call
from serving.client_errors import Busy
from serving.client_experiments import ExperimentCalls
from serving.experiment_audit import Change
from serving.experiment_errors import ReadoutUnderWay
from serving.experiments import Book
from serving.log import Log
from serving.parts import Parts
from serving.problems import problem_of
from serving.readout_process import ReadoutProcess, results_command
from serving.routes import experiment_results
from serving.telemetry import Telemetry
from tests.console.measured_experiment import EXPERIMENT, MEMBERS, START, measured
from tests.serving.conftest import FakeDecider, FakeRelease

ID = EXPERIMENT.experiment_id
PATH = f"/v1/experiments/{ID}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("measured"))
    measured(made)
    return made


@pytest.fixture(scope="module")
def log(workspace: Workspace) -> Iterator[Log]:
    with Log.of(workspace) as opened:
        yield opened


def application(workspace: Workspace, log: Log, readouts: ReadoutProcess | None) -> TestClient:
    access = Access(log, "live", required=False)
    parts = Parts(
        FakeDecider(FakeRelease()), log, access, Telemetry(), workspace.audiences,
        readouts=readouts,
    )  # fmt: skip
    return TestClient(create_app(parts))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


@pytest.mark.slow
def test_the_api_says_what_the_command_says(workspace: Workspace, log: Log) -> None:
    readouts = ReadoutProcess(log, results_command(str(workspace.root)), {})
    client = application(workspace, log, readouts)
    as_of = "2026-03-12T00:00:00+00:00"
    answer = client.get(f"{PATH}/results", params={"as_of": as_of})
    while answer.status_code == 503:
        answer = client.get(f"{PATH}/results", params={"as_of": as_of})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert sum(arm["members"] for arm in document["arms"]) == len(MEMBERS)
    told = results_of(workspace, ID, START.replace(day=12)).to_json()
    assert {**document, "as_of": as_of, "started_at": None, "at_look": None} == {
        **told, "started_at": None, "at_look": None,
    }  # fmt: skip
    begun = time.perf_counter()
    assert client.get(f"{PATH}/results", params={"as_of": as_of}).json() == document
    assert time.perf_counter() - begun < 2, "kept while the log stands"
    readouts.stop()


def test_a_readout_that_takes_long_is_asked_for_again(
    workspace: Workspace, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment_results, "WAIT_SECONDS", 0.1)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    readouts = ReadoutProcess(log, sleeper, {})
    answer = application(workspace, log, readouts).get(f"{PATH}/results")
    assert code(answer) == (503, "readout_under_way")
    assert answer.headers["Retry-After"] == "2"
    begun = time.perf_counter()
    readouts.stop()
    assert time.perf_counter() - begun < 10


def test_a_readout_that_fails_is_a_fault_of_ours_and_tried_again(
    workspace: Workspace, log: Log, tmp_path: Path
) -> None:
    marker = tmp_path / "tries"
    script = f"open({str(marker)!r}, 'a').write('x'); raise SystemExit('error: no')"
    readouts = ReadoutProcess(log, [sys.executable, "-c", script], {})
    client = application(workspace, log, readouts)
    for tries in (1, 2):
        assert code(client.get(f"{PATH}/results")) == (500, "readout_failed")
        assert marker.read_text() == "x" * tries
    readouts.stop()


def test_what_cannot_be_read_is_told_by_its_code(workspace: Workspace, log: Log) -> None:
    change = Change(START, "key")
    arms = (Arm("a", 0.5, "champion"), Arm("b", 0.5, "random"))
    shadow = Experiment("shade", arms, "a", push_ids=("p",), mode="shadow", layer="dark")
    draft = replace(shadow, experiment_id="draft", mode="live", analysis=Analysis())
    book = Book(log)
    book.create(draft, change)
    readouts = ReadoutProcess(log, ["/nowhere"], {})
    client = application(workspace, log, readouts)
    assert code(client.get("/v1/experiments/none/results")) == (404, "unknown_experiment")
    assert code(client.get("/v1/experiments/draft/results")) == (409, "wrong_state")
    for moment in ("2026-03-12T00:00:00", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        answer = client.get(f"{PATH}/results", params={"as_of": moment})
        assert code(answer) == (422, "wrong_moment")
    assert code(application(workspace, log, None).get(f"{PATH}/results")) == (409, "no_readout")
    assert code(client.get(f"{PATH}/results")) == (500, "readout_failed")
    readouts.stop()


def test_a_promotion_hears_the_verdict_or_that_there_is_none(log: Log) -> None:
    better = {"kind": "promote", "sentence": "Promote challenger."}
    document = {
        "as_of": "2026-04-01T00:00:00+00:00", "verdict": better, "look": {"next_at": None},
        "contrasts": [
            {"arm": "challenger", "verdict": better},
            {"arm": "other", "verdict": {"kind": "wait"}}, {"arm": "nobody", "verdict": None},
        ],
    }  # fmt: skip
    entry = Book(log).find(ID)
    says = [sys.executable, "-c", f"import json; print(json.dumps({document!r}))"]
    readouts = ReadoutProcess(log, says, {})
    reading = readouts.reading(entry, 60)
    assert reading.sentence == "Promote challenger."
    assert reading.allows == frozenset({"challenger"})
    assert reading.told["arms"].keys() == {"challenger", "other"}
    readouts.stop()
    broken = ReadoutProcess(log, [sys.executable, "-c", "raise SystemExit(1)"], {})
    assert broken.reading(entry, 60).allows == frozenset()
    broken.stop()
    slow = ReadoutProcess(log, [sys.executable, "-c", "import time; time.sleep(60)"], {})
    with pytest.raises(ReadoutUnderWay):
        slow.reading(entry, 0.1)
    slow.stop()


def test_the_last_readout_is_kept_while_another_is_made(log: Log) -> None:
    entry = Book(log).find(ID)
    code = "import json, sys; print(json.dumps({'look': None, 'asked': sys.argv[1:]}))"
    readouts = ReadoutProcess(log, [sys.executable, "-c", code], {})
    assert readouts.last(ID) is None
    assert not readouts.under_way(ID)
    first = readouts.results(entry, None).result(60)
    assert first["asked"] == ["--", ID]
    assert readouts.results(entry, None).result(60) is first, "kept while the log stands"
    told = readouts.results(entry, None, 6).result(60)
    assert told["asked"] == ["--moments", "6", "--", ID]
    assert readouts.results(entry, None).result(60) is told, "earlier moments do no harm"
    readouts.stop()
    assert readouts.last(ID) == told


@pytest.fixture
def slow(log: Log) -> Iterator[ReadoutProcess]:
    made = ReadoutProcess(log, [sys.executable, "-c", "import time; time.sleep(60)"], {})
    yield made
    made.stop()


def test_readouts_of_many_moments_do_not_pile_up(log: Log, slow: ReadoutProcess) -> None:
    entry = Book(log).find(ID)
    first = slow.results(entry, START + timedelta(days=1))
    for days in range(2, 9):
        slow.results(entry, START + timedelta(days=days))
    assert slow.results(entry, START + timedelta(days=1)) is first
    with pytest.raises(ReadoutUnderWay):
        slow.results(entry, START + timedelta(days=9))


def test_a_readout_under_way_is_not_that_of_an_experiment_stopped_meanwhile(
    log: Log, slow: ReadoutProcess
) -> None:
    entry = Book(log).find(ID)
    begun = slow.results(entry, None)
    assert slow.results(replace(entry, version=entry.version + 1), None) is not begun


class Patient(ExperimentCalls):
    """A client whose first tries find the readout under way."""

    def __init__(self, tries: int) -> None:
        self.tries = tries
        self.asked: list[Call[Any]] = []

    def _run(self, call: Call[Any]) -> Any:
        self.asked.append(call)
        if len(self.asked) <= self.tries:
            raise Busy(problem_of(ReadoutUnderWay()))
        return call.answer.model_construct(experiment_id=ID)


def test_the_client_waits_until_a_readout_is_done() -> None:
    client = Patient(tries=2)
    assert client.experiment_results(ID, START).experiment_id == ID
    assert len(client.asked) == 3
    assert client.asked[0].path == f"{PATH}/results"
    assert client.asked[0].query == {"as_of": "2026-03-01T00:00:00+00:00"}
    with pytest.raises(Busy, match="not done yet"):
        Patient(tries=9).experiment_results(ID, seconds=-1)
