"""Releases come and go under load: no call fails, no answer mixes two of them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.manifest import TrackedVersion
from serving.log import Log
from serving.pointer import publish
from serving.release import seal
from tests.serving.conftest import AS_OF
from tests.serving.large_release import enlarge
from tests.serving.test_server import Caller, make_key

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Running

Start = Callable[..., "Running"]
MEMBERS = 3_000


def variant(bench: Bench, number: int, members: int = MEMBERS) -> Path:
    """An unsealed release whose offers, policy and model version carry its number."""
    folder = bench.draft(f"s{number}")
    for name in ("offers", "pushes", "policy", "prices"):
        text = (folder / f"{name}.json").read_text()
        for old, new in (('"ten"', f'"ten-{number}"'), ('"gift"', f'"gift-{number}"')):
            text = text.replace(old, new)
        (folder / f"{name}.json").write_text(text.replace('"salt": "', f'"salt": "{number}'))
    kinds = (folder / "offers.json").read_text()
    (folder / "offers.json").write_text(kinds.replace(f'"kind": "gift-{number}"', '"kind": "gift"'))
    enlarge(folder, members)
    return folder


def sealed(bench: Bench, folder: Path, key: Ed25519PrivateKey | None = None) -> str:
    number = folder.name.removeprefix("s")
    version = {"prior": TrackedVersion("run", number)}
    seal(folder, folder.name, AS_OF, version, key or bench.key)
    return folder.name


def break_golden(bench: Bench, folder: Path) -> None:
    """Signed, but it does not answer as it did."""
    found = json.loads((folder / "golden.json").read_text())
    found[0]["answers"][0]["probability"] += 0.01
    (folder / "golden.json").write_text(json.dumps(found))
    sealed(bench, folder)


def break_model(bench: Bench, folder: Path) -> None:
    """Signed, with a model that may abort whoever parses it."""
    path = folder / "prior" / "propensity" / "booster.txt"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    sealed(bench, folder)


def break_after_signing(bench: Bench, folder: Path) -> None:
    sealed(bench, folder)
    path = folder / "snapshot" / "values.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")


def sign_strangely(bench: Bench, folder: Path) -> None:
    sealed(bench, folder, Ed25519PrivateKey.generate())


# What is published one after the other: good releases, and broken ones.
COMING: tuple[Callable[[Bench, Path], None] | None, ...] = (
    None, break_golden, sign_strangely, None, break_after_signing, break_model,
)  # fmt: skip


@dataclass
class Seen:
    """What the callers got: faults in words, answers by release."""

    faults: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)

    def look(self, status: int, body: Any) -> None:
        if status != 200 or body["degraded"]:
            self.faults.append(f"{status} {body}")
            return
        release = body["versions"]["release"]
        number = release.removeprefix("s")
        of_one = body["versions"]["models"] == {"prior": number} and all(
            one["release"] == release
            and (one["offer_id"] is None or one["offer_id"].endswith(f"-{number}"))
            for one in body["decisions"]
        )
        if not of_one:
            self.faults.append(f"mixed: {body}")
        self.answers[release] = self.answers.get(release, 0) + 1


@contextmanager
def load(server: Running, key: str, seen: Seen) -> Iterator[None]:
    """Two callers ask about ever new members while the block lasts."""
    enough = threading.Event()

    def stream(first: int) -> None:
        with Caller(server.address, key) as caller:
            for start in range(first, 1_000_000, 6):
                if enough.is_set():
                    return
                asked = [f"m{number % MEMBERS:07d}" for number in range(start, start + 3)]
                push = ("spring", "autumn")[start // MEMBERS % 2]
                members = [{"member_id": one} for one in asked]
                if start >= 2 * MEMBERS:  # whom the snapshot knows were all asked about
                    members = [{"member_id": f"x{start + row}"} for row in range(3)]
                seen.look(*caller("POST", "/v1/decisions", {"push_id": push, "members": members}))
                time.sleep(0.005)

    with ThreadPoolExecutor(2) as pool:
        streams = [pool.submit(stream, 3 * number) for number in range(2)]
        try:
            yield
        finally:
            enough.set()
        for one in streams:
            one.result()


def in_use(caller: Caller) -> str:
    return str(caller("GET", "/readyz")[1]["release"])


def until(true: Callable[[], bool], seconds: float = 30.0) -> float:
    """Seconds it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + seconds
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.slow
def test_releases_published_under_load_fail_and_mix_nothing(bench: Bench, start: Start) -> None:
    releases, key = bench.workspace.releases, make_key(bench, "decide")
    publish(releases, sealed(bench, variant(bench, 0)), bench.trusted)
    server = start("--deadline-ms", "10000")
    seen = Seen()
    with Caller(server.address, key) as probe, load(server, key, seen):
        last = "s0"
        for number, damage in enumerate(COMING, start=1):
            folder = variant(bench, number)
            if damage is None:
                last = sealed(bench, folder)
                publish(releases, last, bench.trusted)
            else:
                damage(bench, folder)
                (releases / "current").write_text(f"{folder.name}\n")
            loads = sum(one is None for one in COMING[:number]) + 1
            until(partial(_handled, probe, loads, number + 1 - loads))
            assert in_use(probe) == last
    assert seen.faults == []
    good = {"s0", *(f"s{at}" for at, damage in enumerate(COMING, start=1) if damage is None)}
    assert set(seen.answers) == good, "each good release answered, and no other"


def _handled(probe: Caller, loaded: int, refused: int) -> bool:
    said = probe("GET", "/metrics")[1]
    name = "pushwise_release_loads_total"
    return f'{name}{{result="loaded"}} {loaded}.0' in said and (
        not refused or f'{name}{{result="refused"}} {refused}.0' in said
    )


@pytest.mark.slow
def test_a_command_brings_back_a_large_release_within_five_seconds(
    bench: Bench, start: Start
) -> None:
    releases, key = bench.workspace.releases, make_key(bench, "decide")
    for number in range(2):
        sealed(bench, variant(bench, number, 100_000))
    publish(releases, "s0", bench.trusted)
    server = start()
    with Caller(server.address, key) as caller:
        publish(releases, "s1", bench.trusted)
        until(lambda: in_use(caller) == "s1")
        began = time.monotonic()
        command = "from console.main import main; main()"
        subprocess.run(
            [sys.executable, "-c", command, "release", "rollback",
             "--workspace", str(bench.workspace.root)],
            check=True, capture_output=True, env=os.environ,
        )  # fmt: skip
        until(lambda: in_use(caller) == "s0")
        taken = time.monotonic() - began
        assert caller.decide("m0000001")["m0000001"]["release"] == "s0"
    assert taken < 5.0


def _until_closed(probe: Caller) -> Iterator[tuple[int, Any]]:
    while True:
        try:
            yield probe("GET", "/readyz")
        except (OSError, http.client.HTTPException):
            return


@pytest.mark.slow
def test_told_to_stop_it_answers_what_is_under_way_and_takes_nothing_new(
    bench: Bench, start: Start
) -> None:
    release, key = str(bench.release("r1")), make_key(bench, "decide")
    server = start("--release", release, "--deadline-ms", "20000")
    answered: dict[str, dict[str, Any]] = {}
    after_the_signal: list[int] = []
    stopping = threading.Event()

    def stream(name: str) -> None:
        with Caller(server.address, key) as caller:
            for number in range(1_000):
                try:
                    found = caller.decide(*(f"{name}-{number}-{row}" for row in range(200)))
                except (OSError, http.client.HTTPException):
                    return  # the connection was closed, or no new one was taken: no half answers
                answered.update(found)
                if stopping.is_set():
                    after_the_signal.append(number)

    with ThreadPoolExecutor(4) as pool:
        streams = [pool.submit(stream, f"caller{number}") for number in range(4)]
        until(lambda: len(answered) > 400)
        with Caller(server.address, key) as probe:
            assert probe("GET", "/readyz")[0] == 200
            stopping.set()
            server.process.send_signal(signal.SIGTERM)
            said = list(_until_closed(probe))
        for one in streams:
            one.result()
    assert server.process.wait(15) == 0
    assert after_the_signal, "what was under way was answered"
    assert all(status == 503 and body["failing"] == ["draining"] for status, body in said[1:])
    assert all(one["decision_id"] for one in answered.values())
    with Log(bench.workspace.serving_log) as log:
        members = list(answered)
        for first in range(0, len(members), 500):
            part = members[first : first + 500]
            assert len(log.decided("spring", part)) == len(part)
