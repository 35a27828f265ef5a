"""Audiences over HTTP from a real scorer and its worker: whole, cancelled, killed, restarted."""

from __future__ import annotations

import csv
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from features.workspace import Workspace
from serving.audiences import Audiences
from serving.log import Log
from serving.pointer import publish
from tests.serving.conftest import AS_OF, Bench, Running, running
from tests.serving.large_release import enlarge
from tests.serving.test_server import Caller

Start = Callable[..., "Running"]
MANY = 20_000


def until(true: Callable[[], Any], seconds: float = 300.0) -> Any:
    give_up = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return found


def asked(caller: Caller, **body: Any) -> str:
    status, job = caller("POST", "/v1/audiences", {"push_id": "spring", **body})
    assert status == 202, job
    return str(job["audience_id"])


def ended(caller: Caller, audience_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        status, job = caller("GET", f"/v1/audiences/{audience_id}")
        assert status == 200
        return job if job["state"] not in ("queued", "running") else None

    found: dict[str, Any] = until(look, 300.0)
    return found


def large(bench: Bench) -> str:
    folder = bench.draft("r1")
    enlarge(folder, MANY)
    bench.sealed(folder, "r1")
    return str(folder)


def workers(server: Running) -> list[int]:
    """Process ids of the audience jobs that the scorer started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_text()
        except OSError:
            continue  # it ended meanwhile
        if parent == server.process.pid and "serving.audience_job" in command:
            found.append(int(status.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.fixture(scope="module")
def scorer(candidate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One of the small release, for tests that only ask."""
    folder = tmp_path_factory.mktemp("asked")
    bench = Bench(Workspace(folder / "workspace"), candidate)
    options = ("--release", str(bench.release("r1")), "--insecure-dev")
    with running(bench.workspace.root, folder / "stderr.txt", *options) as started:
        yield started


@pytest.mark.slow
def test_from_the_question_to_the_files(scorer: Running) -> None:
    with Caller(scorer.address, "") as caller:
        audience_id = asked(caller, max_audience=20, rule="recency_days < 30")
        path = f"/v1/audiences/{audience_id}"
        job = ended(caller, audience_id)
        assert job["state"] == "done", job
        summary = job["summary"]
        assert 0 < summary["audience"] <= 20
        assert summary["gain_bound"] >= summary["expected_gain"] > 0
        assert set(summary["beside"]) == {"propensity", "rule"}
        assert summary["measurable"]["verdict"]
        assert sum(summary["funnel"]["members"].values()) == 50
        status, page = caller("GET", f"{path}/members?limit=5")
        assert (status, len(page["members"]), page["next"]) == (200, 5, 5)
        status, traced = caller("GET", f"{path}/frontier")
        assert (status, traced["along"]) == (200, "cost")
        assert traced["points"][traced["largest_profit"]]["gain"] >= summary["expected_gain"] * 0.98
        status, text = caller("GET", f"{path}/file")
        assert status == 200
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert len(rows) == summary["audience"]
        assert [row["member_id"] for row in rows[:5]] == [m["member_id"] for m in page["members"]]
        assert asked(caller, max_audience=20, rule="recency_days < 30") == audience_id
        assert caller("POST", f"{path}:cancel")[0] == 409


@pytest.mark.slow
def test_an_audience_that_is_asked_for_after_an_erasure_leaves_the_member_out(
    bench: Bench, start: Start
) -> None:
    bench.release("r1")
    publish(bench.workspace.releases, "r1", bench.trusted)
    server = start("--insecure-dev")
    with Caller(server.address, "") as caller:
        assert caller("DELETE", "/v1/members/m01")[0] == 202
        audience_id = asked(caller)
        job = ended(caller, audience_id)
        assert job["state"] == "done", job
        page = caller("GET", f"/v1/audiences/{audience_id}/members")[1]
        members = {one["member_id"] for one in page["members"]}
        assert len(members) == job["summary"]["audience"] > 0
        assert "m01" not in members


@pytest.mark.slow
def test_limits_that_conflict_are_told(scorer: Running) -> None:
    with Caller(scorer.address, "") as caller:
        audience_id = asked(caller, min_audience=50)
        job = ended(caller, audience_id)
        assert (job["state"], job["summary"]) == ("failed", None)
        assert job["failure"]["detail"].startswith("the limits of push 'spring' conflict: ")
        assert "\n" not in job["failure"]["detail"]
        assert job["failure"]["conflicts"][0]["name"] == "the audience"
        status, problem = caller("GET", f"/v1/audiences/{audience_id}/members")
        assert (status, problem["type"]) == (409, "urn:pushwise:problem:audience_not_done")
        assert asked(caller, min_audience=50) != audience_id, "tried again"


@pytest.mark.slow
def test_a_cancelled_job_leaves_nothing_and_calls_are_answered_beside_the_next(
    bench: Bench, start: Start
) -> None:
    server = start("--release", large(bench), "--insecure-dev")
    with Caller(server.address, "") as caller:
        first, second = asked(caller), asked(caller, max_audience=MANY // 2)
        pid = until(lambda: workers(server))[0]
        until(lambda: caller("GET", f"/v1/audiences/{first}")[1]["state"] == "running")
        assert caller("GET", f"/v1/audiences/{second}")[1]["state"] == "queued", "one at a time"
        status, job = caller("POST", f"/v1/audiences/{first}:cancel")
        assert (status, job["state"]) == (200, "cancelled")
        until(lambda: not alive(pid), 20.0)
        answered = 0
        while caller("GET", f"/v1/audiences/{second}")[1]["state"] in ("queued", "running"):
            caller.decide(f"m{answered:07d}")
            answered += 1
        assert answered > 5
        assert ended(caller, second)["state"] == "done"
        assert caller("GET", f"/v1/audiences/{first}")[1]["state"] == "cancelled"
    assert [folder.name for folder in bench.workspace.audiences.iterdir()] == [second]


@pytest.mark.slow
def test_a_job_whose_scorer_and_worker_were_killed_is_done_after_a_restart(
    bench: Bench, start: Start
) -> None:
    release = large(bench)
    server = start("--release", release, "--insecure-dev")
    with Caller(server.address, "") as caller:
        audience_id = asked(caller)
        until(lambda: caller("GET", f"/v1/audiences/{audience_id}")[1]["state"] == "running")
        pid = workers(server)[0]
        server.process.kill()
        os.kill(pid, signal.SIGKILL)
        server.process.wait(10)
    with Log(bench.workspace.serving_log) as log:
        assert Audiences(log).find(audience_id).state == "running", "killed in the middle of it"
    server = start("--release", release, "--insecure-dev")
    with Caller(server.address, "") as caller:
        job = ended(caller, audience_id)
        assert job["state"] == "done"
        status, text = caller("GET", f"/v1/audiences/{audience_id}/file?format=csv")
        assert (status, len(text.splitlines())) == (200, 1 + job["summary"]["contacts"])
    assert [folder.name for folder in bench.workspace.audiences.iterdir()] == [audience_id]


@pytest.mark.slow
def test_a_scorer_that_stops_lets_its_job_wait_for_the_next(bench: Bench, start: Start) -> None:
    server = start("--release", large(bench), "--insecure-dev")
    with Caller(server.address, "") as caller:
        audience_id = asked(caller)
        until(lambda: caller("GET", f"/v1/audiences/{audience_id}")[1]["state"] == "running")
        pid = workers(server)[0]
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    assert not alive(pid)
    with Log(bench.workspace.serving_log) as log:
        assert Audiences(log).find(audience_id).state == "queued"
        assert Audiences(log).due("r1", AS_OF)


@pytest.mark.slow
def test_a_worker_does_not_outlive_its_scorer(bench: Bench, start: Start) -> None:
    server = start("--release", large(bench), "--insecure-dev")
    with Caller(server.address, "") as caller:
        audience_id = asked(caller)
        until(lambda: caller("GET", f"/v1/audiences/{audience_id}")[1]["state"] == "running")
        pid = workers(server)[0]
        server.process.kill()
    until(lambda: not alive(pid), 20.0)
    with Log(bench.workspace.serving_log) as log:
        assert Audiences(log).find(audience_id).state == "queued"
