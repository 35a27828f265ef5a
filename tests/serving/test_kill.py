"""Killed at named points under load, a scorer loses and doubles nothing that it answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.serving_ground import found
from benchmarks.serving_kills import (
    POINTS,
    Answered,
    Connection,
    Field,
    Ground,
    compared,
    killed_at,
)
from serving.log import Log
from serving.pointer import publish
from tests.serving.conftest import AS_OF, Bench, StartServer
from tests.serving.large_release import enlarge
from tests.serving.test_server import make_key


@pytest.fixture
def where(bench: Bench) -> Field:
    for release_id in ("r1", "r2"):
        enlarge(bench.draft(release_id), 5_000)
        bench.sealed(bench.workspace.releases / release_id, release_id)
    releases, trusted = bench.workspace.releases, bench.trusted
    key = make_key(bench, "decide", "events:write", "outcomes:write")
    return Field(
        bench.workspace.root, "spring", key, 5_000, ("r1", "r2"),
        lambda release_id: publish(releases, release_id, trusted),
    )  # fmt: skip


@pytest.mark.parametrize("target", sorted({point.target for point in POINTS}))
def test_every_named_point_is_there(target: str) -> None:
    assert callable(found(target)[2])


@pytest.mark.slow
def test_killed_at_named_points_nothing_answered_is_lost(
    bench: Bench, where: Field, start: StartServer, tmp_path: Path
) -> None:
    answered = Answered("spring")
    with Ground(tmp_path / "ground.txt") as ground:
        for point in POINTS[::2]:  # the others are the benchmark's
            killed_at(point, ground, where, answered)
            with Log(bench.workspace.serving_log) as log:
                it = compared(log, answered, AS_OF)
            assert (it.lost, it.doubled, it.counters_right) == (0, 0, True), point.name
    assert len(POINTS[::2]) >= 20
    assert answered.events
    assert answered.outcomes
    server = start()
    members = list(answered.decisions)
    with Connection(server.address, where.key) as again:
        for first in range(0, len(members), 500):
            part = [{"member_id": one} for one in members[first : first + 500]]
            said = again.post("/v1/decisions", {"push_id": "spring", "members": part})
            assert said is not None
            for one in said["decisions"]:
                assert one == answered.decisions[one["member_id"]]
