"""The dashboard as a server of its own on this machine, and who is logged in there."""

from __future__ import annotations

import html
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Match, Route

from dashboard.web.ground import Ground
from dashboard.web.routing import COOKIE
from dashboard.web.server import application
from dashboard.web.sessions import Session
from dashboard.web.users import Role
from features.workspace import Workspace
from serving.server import address_of, listening
from serving.settings import Settings

_LINK = re.compile(r'href="(/[^"#]*)')


@dataclass(frozen=True)
class House:
    """origin: where it listens."""

    origin: str
    app: Starlette

    @property
    def ground(self) -> Ground:
        ground: Ground = self.app.state.ground
        return ground

    def session(self, role: Role) -> Session:
        """Somebody of that role, logged in."""
        user = next(one for one in self.ground.users.all() if one.name == role)
        return self.ground.sessions.begin(user, datetime.now(UTC))

    def decide(self, *members: str) -> None:
        """Decide them for the push that goes out last; whoever the release does not know gets
        nothing."""
        parts = self.ground.parts
        assert parts is not None
        pushes = parts.decider.release.pushes
        last = max(pushes, key=lambda name: pushes[name].send_at)
        parts.scorer.decide(last, dict.fromkeys(members), datetime.now(UTC))

    def pages(self, session: Session, starts: Sequence[str]) -> dict[str, str]:
        """One address of every page that links lead to, by its route."""
        found: dict[str, str] = {}
        ahead = deque(starts)
        while ahead:
            path = ahead.popleft()
            route = self._route(path)
            if route is None or route in found:
                continue
            text = self._read(path, session)
            if text is not None:
                found[route] = path
                ahead.extend(html.unescape(link) for link in _LINK.findall(text))
        return found

    def _route(self, path: str) -> str | None:
        scope = {"type": "http", "method": "GET", "path": urlsplit(path).path, "root_path": ""}
        for route in self.app.routes:
            if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL:
                return route.path
        return None

    def _read(self, path: str, session: Session) -> str | None:
        """The page there; None where it is a file."""
        asked = Request(self.origin + path, headers={"Cookie": f"{COOKIE}={session.token}"})
        with urlopen(asked, timeout=60) as answer:
            kind = answer.headers.get_content_type()
            return str(answer.read().decode()) if kind == "text/html" else None


@contextmanager
def opened_house(workspace: Workspace) -> Iterator[House]:
    with (
        application(Settings(workspace, port=0)) as app,
        listening("127.0.0.1", 0) as listener,
    ):
        config = uvicorn.Config(app, access_log=False, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield House(address_of(listener), app)
        finally:
            server.should_exit = True
            thread.join(30)
