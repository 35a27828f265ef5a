"""A scorer follows the pointer and never leaves a good release for a broken one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from serving.pointer import publish, rollback
from serving.telemetry import Telemetry
from serving.verify import ReleaseError
from serving.watch import Published, Watch

if TYPE_CHECKING:
    from tests.serving.conftest import Bench

Follow = Callable[[], Published]


@pytest.fixture
def follow(bench: Bench, make_fake: Callable[..., Any]) -> Follow:
    """Follows the workspace's pointer, without the cost of parsing a real release."""

    def load(folder: Path, trusted: Mapping[str, Any]) -> Any:
        return make_fake(release=folder.name)

    return lambda: Published(bench.workspace.releases, bench.trusted, Telemetry(), load)


def test_without_a_published_release_nothing_starts(bench: Bench, follow: Follow) -> None:
    with pytest.raises(ReleaseError, match="no release is published; run `pushwise release build`"):
        follow()


def test_a_newly_published_release_is_taken_over(bench: Bench, follow: Follow) -> None:
    for release_id in ("r1", "r2"):
        bench.release(release_id)
    publish(bench.workspace.releases, "r1", bench.trusted)
    published = follow()
    begun = published.release
    publish(bench.workspace.releases, "r2", bench.trusted)
    assert published.release is begun, "nothing changes before the look"
    published.look()
    assert published.release.versions.release == "r2"
    assert begun.versions.release == "r1", "who holds the old one keeps it"


def test_the_way_back_loads_nothing_but_verifies_all(
    bench: Bench, make_fake: Callable[..., Any]
) -> None:
    for release_id in ("r1", "r2", "r3"):
        bench.release(release_id)
    loads: list[str] = []

    def load(folder: Path, trusted: Mapping[str, Any]) -> Any:
        loads.append(folder.name)
        return make_fake(release=folder.name)

    releases = bench.workspace.releases
    publish(releases, "r1", bench.trusted)
    published = Published(releases, bench.trusted, Telemetry(), load)
    first = published.release
    publish(releases, "r2", bench.trusted)
    published.look()
    assert rollback(releases, bench.trusted) == "r1"
    published.look()
    assert published.release is first
    assert loads == ["r1", "r2"]
    publish(releases, "r3", bench.trusted)
    published.look()
    policy = releases / "r1" / "policy.json"
    policy.write_bytes(policy.read_bytes() + b" ")
    (releases / "current").write_text("r1\n")
    published.look()
    assert published.release.versions.release == "r3", "in memory or not, it is not what was signed"


def test_a_broken_release_leaves_the_old_one_until_it_is_published_again(
    bench: Bench, follow: Follow
) -> None:
    for release_id in ("r1", "r2"):
        bench.release(release_id)
    publish(bench.workspace.releases, "r1", bench.trusted)
    published = follow()
    publish(bench.workspace.releases, "r2", bench.trusted)
    policy = bench.workspace.releases / "r2" / "policy.json"
    good = policy.read_bytes()
    policy.write_bytes(good + b" ")
    published.look()
    assert published.release.versions.release == "r1"
    assert "policy.json" in published.refusal
    policy.write_bytes(good)
    published.look()
    assert published.release.versions.release == "r1"
    publish(bench.workspace.releases, "r2", bench.trusted)
    published.look()
    assert published.release.versions.release == "r2"
    assert published.refusal == ""


def test_a_look_that_fails_is_not_the_last() -> None:
    looks, seen = iter(range(3)), threading.Event()

    def look() -> None:
        if next(looks) < 2:
            raise MemoryError
        seen.set()

    watch = Watch(look, look, seconds=0.01)
    try:
        assert seen.wait(10)
    finally:
        watch.stop()
