"""A dashboard over a workspace of its own, and somebody who looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dashboard.web.app import create_dashboard
from dashboard.web.ground import Ground
from dashboard.web.passwords import kept
from dashboard.web.routing import COOKIE
from dashboard.web.users import ROLES, Role
from dashboard.web.work import Work
from features.workspace import Workspace
from serving.log import Log
from serving.parts import Parts
from serving.release import Release
from serving.tables import users
from tests.dashboard.web.reading import Reader
from tests.serving.conftest import (  # noqa: F401 - fixtures, which are found by their names here
    Bench,
    bench,
    candidate,
    database,
    databases,
    loaded,
    log,
)
from tests.serving.real_scorer import RealScorer, real_scorer

PASSWORD = "a long enough password"
Opens = Callable[..., "House"]


@dataclass
class House:
    """A dashboard that is served in this process."""

    ground: Ground
    client: Callable[[], TestClient]

    def reader(self, role: Role = "publisher", language: str = "en") -> Reader:
        """Somebody of that role, logged in."""
        reader = Reader(self.client(), language)
        user = next(one for one in self.ground.users.all() if one.name == role)
        session = self.ground.sessions.begin(user, datetime.now(UTC))
        reader.client.cookies.set(COOKIE, session.token)
        reader.csrf = session.csrf
        return reader


@pytest.fixture(scope="session")
def hashed() -> str:
    """A password is slow to keep, so it is kept once."""
    return kept(PASSWORD)


@pytest.fixture
def house(tmp_path: Path, hashed: str) -> Iterator[Opens]:
    """Opens a dashboard over a workspace: ``house(workspace, parts)``; both may be left out."""
    with ExitStack() as ends:

        def opens(
            workspace: Workspace | None = None,
            parts: Parts | None = None,
            log: Log | None = None,
            *,
            open_to_all: bool = False,
        ) -> House:
            place = workspace or Workspace(tmp_path / "ws")
            shared = parts.log if parts is not None else log
            opened = shared or ends.enter_context(Log.of(place))
            work = Work(str(place.root), {})
            ends.callback(work.stop)
            ground = Ground(place, opened, lambda: parts, work, open_to_all=open_to_all)
            if not ground.users.all():
                at = datetime.now(UTC).isoformat()
                rows = [
                    {"name": role, "role": role, "password": hashed, "created_at": at}
                    for role in ROLES
                ]
                opened.write(lambda connection: connection.execute(users.insert(), rows).rowcount)
            app = create_dashboard(ground)
            return House(ground, lambda: TestClient(app, "http://dashboard"))

        yield opens


@pytest.fixture
def scorer(loaded: Release, bench: Bench, log: Log) -> Iterator[RealScorer]:  # noqa: F811
    """A scorer of a small real release, with an empty log."""
    with real_scorer(loaded, bench, log) as started:
        yield started


@pytest.fixture
def served(house: Opens, scorer: RealScorer) -> House:
    """A dashboard over that scorer's parts and workspace."""
    return house(scorer.bench.workspace, scorer.parts)
