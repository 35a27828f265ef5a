"""The application over a real release, whose decisions can be looked into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient

from serving.app import create_app
from serving.archive import Archive
from serving.auth import Access, Keys, NewKey
from serving.log import Log
from serving.parts import Parts
from serving.release import Release
from serving.telemetry import Telemetry
from tests.serving.conftest import AS_OF, Bench


@dataclass
class Holder:
    release: Release


@dataclass
class RealScorer:
    """A scorer of a real release, and the archive of its workspace."""

    client: TestClient
    holder: Holder
    log: Log
    parts: Parts
    bench: Bench

    def decide(self, *members: str, push: str = "spring") -> list[dict[str, Any]]:
        body = {"push_id": push, "members": [{"member_id": member} for member in members]}
        found: list[dict[str, Any]] = self.client.post("/v1/decisions", json=body).json()[
            "decisions"
        ]
        return found

    def get(self, decision: dict[str, Any], what: str) -> dict[str, Any]:
        response = self.client.get(f"/v1/decisions/{decision['decision_id']}/{what}")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found


@contextmanager
def real_scorer(release: Release, bench: Bench, log: Log) -> Iterator[RealScorer]:
    """With a key that opens everything, and the archive of ``bench``."""
    holder = Holder(release)
    parts = Parts(
        holder, log, Access(log, "live"), Telemetry(), bench.workspace.audiences,
        deadline=30.0, archive=Archive(bench.workspace.releases, bench.trusted),
    )  # fmt: skip
    with TestClient(create_app(parts), raise_server_exceptions=False) as client:
        key = Keys(log).create(NewKey("live", ("admin",), "test", None), AS_OF)
        client.headers["Authorization"] = f"Bearer {key}"
        yield RealScorer(client, holder, log, parts, bench)
