"""Publishing over HTTP: signed releases only, and never a path of the caller's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.auth import Access, Keys, NewKey
from serving.log import Log
from serving.parts import Parts
from serving.pointer import current
from serving.publishing import Publishing
from serving.telemetry import Telemetry
from tests.serving.conftest import AS_OF, FakeDecider, FakeRelease

if TYPE_CHECKING:
    from tests.serving.conftest import Bench, Scored


@pytest.fixture
def client(bench: Bench, log: Log, tmp_path: Path) -> Iterator[TestClient]:
    parts = Parts(
        FakeDecider(FakeRelease()), log, Access(log, "live"), Telemetry(), tmp_path / "audiences",
        publishing=Publishing(bench.workspace.releases, bench.trusted),
    )  # fmt: skip
    key = Keys(log).create(NewKey("live", ("publish",)), AS_OF)
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(create_app(parts), headers=headers, raise_server_exceptions=False) as client:
        yield client


def told(client: TestClient, path: str) -> tuple[int, str]:
    answer = client.post(path)
    said = answer.json()
    return answer.status_code, said.get("published") or said["type"].rpartition(":")[2]


def test_releases_are_listed_published_and_rolled_back(client: TestClient, bench: Bench) -> None:
    for name in ("r1", "r2"):
        bench.release(name)
    assert told(client, "/v1/releases:rollback") == (409, "release_refused")
    assert told(client, "/v1/releases/r1:publish") == (200, "r1")
    assert told(client, "/v1/releases/r2:publish") == (200, "r2")
    shown = client.get("/v1/releases").json()["releases"]
    assert [(one["release_id"], one["published"]) for one in shown] == [("r1", False), ("r2", True)]
    assert told(client, "/v1/releases:rollback") == (200, "r1")
    assert current(bench.workspace.releases) == "r1"


def test_what_was_changed_after_signing_is_not_published(client: TestClient, bench: Bench) -> None:
    bench.release("r1")
    client.post("/v1/releases/r1:publish")
    (bench.release("r2") / "offers.json").write_text("[]")
    answer = client.post("/v1/releases/r2:publish")
    assert answer.status_code == 409
    assert str(bench.workspace.releases) not in answer.text
    assert current(bench.workspace.releases) == "r1"


@pytest.mark.parametrize("name", ["r9", "..", ".", "../keys", "%2e%2e", "r1\n", "a" * 65, "-r"])
def test_a_name_that_is_no_release_leaves_no_folder(client: TestClient, name: str) -> None:
    answer = client.post(f"/v1/releases/{quote(name, safe='')}:publish")
    assert answer.status_code in (404, 405, 422)


def test_publishing_wants_its_scope_and_a_scorer_that_follows(scored: Scored) -> None:
    for method, path in (
        ("GET", "/v1/releases"), ("POST", "/v1/releases/r1:publish"),
        ("POST", "/v1/releases:rollback"),
    ):  # fmt: skip
        weak = scored.client.request(method, path, headers=scored.headers("decide", "erase"))
        assert weak.status_code == 403
        fixed = scored.client.request(method, path, headers=scored.headers("publish"))
        assert fixed.json()["type"] == "urn:pushwise:problem:no_publishing"
