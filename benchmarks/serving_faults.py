"""Two hundred kills, and a hundred releases under load: what the tests do, in full."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.serving_ground import Kill
from benchmarks.serving_kills import (
    POINTS,
    Answered,
    Connection,
    Field,
    Ground,
    compared,
    killed_at,
    loaded,
)
from benchmarks.serving_release import PUSHES, Shop
from benchmarks.serving_server import api_key, ready_again, serving
from features.snapshot import Snapshot
from features.workspace import Workspace
from models.keys import trusted_keys
from models.manifest import MANIFEST, TrackedVersion
from serving.log import Log
from serving.pointer import publish
from serving.release import seal

_KILLS, _QUICK_KILLS = 200, 50
_READY_WITHIN = 5.0  # seconds
_REAL_STARTS = 5


def kills(shop: Shop, folder: Path, quick: bool) -> Iterator[Figure]:
    """Each named point, again and again at later calls, and as many random moments."""
    where, answered = _field(shop, folder), Answered(PUSHES[0])
    number, draw = _QUICK_KILLS if quick else _KILLS, random.Random(3)
    as_of = Snapshot.load(shop.folder / "snapshot").as_of
    lost = doubled = wrong = 0
    with Ground(folder / "ground.txt") as ground:
        for kill in range(number):
            if kill % 2:
                _killed_at_random(ground, where, answered, draw.uniform(0.05, 1.0))
            else:
                killed_at(POINTS[kill // 2 % len(POINTS)], ground, where, answered)
            with Log(folder / "serving" / "log.db") as log:
                found = compared(log, answered, as_of)
            lost, doubled = max(lost, found.lost), max(doubled, found.doubled)
            wrong += not found.counters_right
    told = len(answered.decisions) + len(answered.events) + len(answered.outcomes)
    goal = f"0 lost, doubled or miscounted of {told:,} answered, in {number} kills"
    bad = lost + doubled + wrong
    yield Figure("serving_lost_in_kills", bad, told, "answers", 0.0, goal, bad == 0)
    slowest = max(_ready_after_a_kill(shop, folder / "ready") for _ in range(_REAL_STARTS))
    yield Figure(
        "serving_ready_after_a_kill", slowest, _READY_WITHIN, "s", slowest / _READY_WITHIN,
        f"< {_READY_WITHIN:g} s, the slowest of {_REAL_STARTS}", slowest < _READY_WITHIN,
    )  # fmt: skip


def _killed_at_random(ground: Ground, where: Field, answered: Answered, seconds: float) -> None:
    child = ground.begin(Kill(where.serve()))
    with loaded(ground.said("listening"), where, answered):
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        ground.said("ended")


def _field(shop: Shop, folder: Path) -> Field:
    """A workspace of two releases that differ in their names alone."""
    folder.mkdir(parents=True, exist_ok=True)
    releases = Workspace(folder).releases
    as_of = Snapshot.load(shop.folder / "snapshot").as_of
    for name in ("r1", "r2"):
        shutil.copytree(shop.folder, releases / name)
        (releases / name / MANIFEST).unlink()
        seal(releases / name, name, as_of, {"response": TrackedVersion("bench", "1")}, shop.key)
    shutil.copytree(shop.trust.parent, folder / "keys")
    trusted = trusted_keys(shop.trust)
    return Field(
        folder, PUSHES[0], api_key(folder), shop.members, ("r1", "r2"),
        lambda release_id: publish(releases, release_id, trusted),
    )  # fmt: skip


def _ready_after_a_kill(shop: Shop, folder: Path) -> float:
    """Seconds from starting the command anew, after a kill -9 under load, until it is ready."""
    with serving(shop, folder) as server:
        with Connection(f"http://127.0.0.1:{server.port}", server.key) as connection:
            members = [{"member_id": f"m{number:07d}"} for number in range(50)]
            connection.post("/v1/decisions", {"push_id": PUSHES[0], "members": members})
        server.process.kill()
        server.process.wait()
    began = time.monotonic()
    with serving(shop, folder) as again:
        ready_again(again.port)
        return time.monotonic() - began
