"""Publishing and rolling back: one pointer, moved atomically, to verified releases only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.pointer import current, listed, publish, rollback
from serving.verify import ReleaseError

if TYPE_CHECKING:
    from tests.serving.conftest import Bench


@pytest.fixture
def three(bench: Bench) -> Bench:
    for release_id in ("r1", "r2", "r3"):
        bench.release(release_id)
    return bench


def test_publish_and_rollback_walk_the_history(three: Bench) -> None:
    releases = three.workspace.releases
    assert current(releases) is None
    for release_id in ("r1", "r2", "r2", "r3"):
        publish(releases, release_id, three.trusted)
    assert rollback(releases, three.trusted) == "r2"
    assert rollback(releases, three.trusted) == "r1"
    with pytest.raises(ReleaseError, match="nothing was published before"):
        rollback(releases, three.trusted)
    assert current(releases) == "r1"
    publish(releases, "r3", three.trusted)
    assert rollback(releases, three.trusted) == "r1"


def test_a_tampered_release_is_not_published(three: Bench) -> None:
    releases = three.workspace.releases
    publish(releases, "r1", three.trusted)
    (releases / "r2" / "policy.json").write_text("{}")
    with pytest.raises(ReleaseError, match=r"policy\.json"):
        publish(releases, "r2", three.trusted)
    assert current(releases) == "r1"
    (releases / "r3").rename(releases / "r4")
    with pytest.raises(ReleaseError, match="a release keeps the name it was signed with"):
        publish(releases, "r4", three.trusted)
    for release_id in ("../r1", "", "current/..", ".."):
        with pytest.raises(ReleaseError, match="no release id"):
            publish(releases, release_id, three.trusted)


def test_releases_are_listed_oldest_first(three: Bench) -> None:
    releases = three.workspace.releases
    publish(releases, "r2", three.trusted)
    found = listed(releases)
    assert [(one.release_id, one.current) for one in found] == [
        ("r1", False),
        ("r2", True),
        ("r3", False),
    ]
    assert all(one.as_of == "2026-05-01T00:00:00+00:00" for one in found)


def test_a_pointer_that_is_none_is_said_so(three: Bench) -> None:
    (three.workspace.releases / "current").write_text("../../etc")
    with pytest.raises(ReleaseError, match="holds no release id"):
        current(three.workspace.releases)
