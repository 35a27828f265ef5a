"""The real server in a process of its own: start, kill, restart, swap, stop."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from models.errors import ModelError
from serving.auth import Keys, NewKey
from serving.log import Log
from serving.pointer import publish
from serving.server import background, serve
from serving.settings import Settings, SettingsError

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Running

Start = Callable[..., "Running"]


def make_key(bench: Bench, *scopes: str, expires_at: datetime | None = None) -> str:
    with Log(bench.workspace.serving_log) as log:
        return Keys(log).create(NewKey("live", scopes, "", expires_at), datetime.now(UTC))


class Caller:
    """One keep-alive connection."""

    def __init__(self, address: str, key: str) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, self._headers)
        response = self._connection.getresponse()
        text = response.read()
        is_json = "json" in (response.getheader("content-type") or "")
        return response.status, json.loads(text) if is_json else text.decode()

    def decide(self, *members: str) -> dict[str, dict[str, Any]]:
        body = {"push_id": "spring", "members": [{"member_id": member} for member in members]}
        status, answer = self("POST", "/v1/decisions", body)
        assert status == 200, answer
        return {one["member_id"]: one for one in answer["decisions"]}


@pytest.mark.slow
def test_killed_during_decisions_no_answered_one_is_lost(bench: Bench, start: Start) -> None:
    release, key = str(bench.release("r1")), make_key(bench, "decide")
    answered: dict[str, dict[str, Any]] = {}
    for attempt in range(2):
        server = start("--release", release)
        _decide_until_killed(server, key, f"round{attempt}-", answered)
    server = start("--release", release)
    assert len(answered) > 100
    members = list(answered)
    with Caller(server.address, key) as caller:
        for first in range(0, len(members), 500):
            again = caller.decide(*members[first : first + 500])
            assert all(again[member] == answered[member] for member in again)
    with Log(bench.workspace.serving_log) as log:
        found = log.decided("spring", members[:500])
    assert len(found) == len(members[:500])


def _decide_until_killed(
    server: Running, key: str, prefix: str, answered: dict[str, dict[str, Any]]
) -> None:
    calls = iter(range(1_000_000))
    enough = threading.Event()

    def stream() -> None:
        with Caller(server.address, key) as caller:
            for number in calls:
                try:
                    answered.update(caller.decide(*(f"{prefix}{number}-{row}" for row in range(3))))
                except (OSError, http.client.HTTPException, ValueError):
                    return  # killed while this call was under way: it was not answered
                if number > 40:
                    enough.set()

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(stream)
        assert enough.wait(30)
        server.process.kill()
    server.process.wait(10)


@pytest.mark.slow
def test_a_published_release_is_served_followed_and_kept_when_the_next_is_broken(
    bench: Bench, start: Start
) -> None:
    releases, key = bench.workspace.releases, make_key(bench, "decide", "outcomes:write")
    for release_id in ("r1", "r2", "r3"):
        bench.release(release_id)
    publish(releases, "r1", bench.trusted)
    server = start()
    with Caller(server.address, key) as caller:
        _follow_and_keep(bench, caller)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    said = server.log.read_text()
    assert "release refused" in said
    assert not any(f'"{member}"' in said for member in ("m00", "m01", "stranger"))


def _follow_and_keep(bench: Bench, caller: Caller) -> None:
    releases = bench.workspace.releases
    first = caller.decide("m00", "stranger")
    assert first["m00"]["release"] == "r1"
    assert first["stranger"]["reason"] == "unknown_member_fallback"
    publish(releases, "r2", bench.trusted)
    _until(lambda: _release(caller) == "r2")
    assert caller.decide("m00", "stranger") == first, "the same answer after a new release"
    assert caller.decide("m01")["m01"]["release"] == "r2"

    values = releases / "r3" / "snapshot" / "values.npy"
    values.write_bytes(values.read_bytes()[:-1] + b"\x01")
    (releases / "current").write_text("r3\n")
    _until(lambda: 'result="refused"' in caller("GET", "/metrics")[1])
    assert _release(caller) == "r2"
    assert caller.decide("m02")["m02"]["release"] == "r2"
    _, metrics = caller("GET", "/metrics")
    assert 'pushwise_release_loads_total{result="refused"} 1.0' in metrics
    assert not any(member in metrics for member in ("m00", "m01", "stranger"))


def _release(caller: Caller) -> str:
    status, readiness = caller("GET", "/readyz")
    assert (status, readiness["ready"]) == (200, True)
    return str(readiness["release"])


def _until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.1)


@pytest.mark.slow
def test_one_member_asked_by_many_at_once_gets_one_answer(bench: Bench, start: Start) -> None:
    server = start("--release", str(bench.release("r1")), "--insecure-dev")
    members = [f"m{number:02d}" for number in range(10)]

    def ask(_: int) -> dict[str, dict[str, Any]]:
        with Caller(server.address, "") as caller:
            return caller.decide(*members)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(48)))
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.slow
def test_without_a_key_the_command_ends_with_one_line(bench: Bench, start: Start) -> None:
    with pytest.raises(AssertionError) as refused:
        start("--release", str(bench.release("r1")))
    assert str(refused.value) == (
        f"error: no active API key for the environment live in {bench.workspace.serving_log}; make "
        "one with `pushwise keys create --scope decide`, or start with --insecure-dev on a "
        "loopback address\n"
    )


def refusal(settings: Settings) -> str:
    with pytest.raises((SettingsError, ModelError)) as refused:
        serve(settings, lambda address: pytest.fail(f"started at {address}"))
    return str(refused.value)


def test_does_not_start_without_an_active_key(bench: Bench) -> None:
    settings = Settings(bench.workspace, release=bench.release("r1"))
    assert "no active API key" in refusal(settings)
    make_key(bench, "decide", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert "no active API key" in refusal(settings)


def test_does_not_start_without_a_release_or_the_key_that_signs_it(bench: Bench) -> None:
    nothing = bench.workspace.root / "nothing"
    assert "cannot read the trusted public key" in refusal(
        Settings(bench.workspace, insecure_dev=True)
    )
    trust = bench.trust
    assert "no release is published" in refusal(
        Settings(bench.workspace, trust=trust, insecure_dev=True)
    )
    assert "no release there" in refusal(
        Settings(bench.workspace, release=nothing, insecure_dev=True)
    )


def test_a_tampered_release_does_not_start(bench: Bench) -> None:
    folder = bench.release("r1")
    (folder / "policy.json").write_text((folder / "policy.json").read_text() + " ")
    said = refusal(Settings(bench.workspace, release=folder, insecure_dev=True))
    assert "policy.json is not the size that was signed" in said


def test_a_taken_port_is_said_so(bench: Bench, free_port: int) -> None:
    release = bench.release("r1")
    settings = Settings(bench.workspace, port=free_port, release=release, insecure_dev=True)
    with background(settings), Caller(f"http://127.0.0.1:{free_port}", "") as caller:
        assert caller.decide("m00")["m00"]["release"] == "r1"
        assert "Address already in use" in refusal(settings)
    with Caller(f"http://127.0.0.1:{free_port}", "") as caller, pytest.raises(OSError, match="ref"):
        caller.decide("m00")


@pytest.mark.slow
def test_ready_means_that_the_first_call_is_not_slow(bench: Bench, start: Start) -> None:
    release, key = str(bench.release("r1")), make_key(bench, "decide")
    server = start("--release", release)
    with Caller(server.address, key) as caller:
        assert caller("GET", "/readyz")[0] == 200
        seconds = []
        for number in range(30):
            started = time.perf_counter()
            caller.decide(f"first-{number}")
            seconds.append(time.perf_counter() - started)
    usual = sorted(seconds[1:])[len(seconds) // 2]
    assert seconds[0] < max(0.1, 8 * usual), (seconds[0], usual)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    events = [line["event"] for line in lines if line.get("logger") == "uvicorn.error"]
    assert any(event.startswith("Started server process") for event in events)
    assert any(event.startswith("Finished server process") for event in events)
