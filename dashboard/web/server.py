"""Serves the dashboard alone, over a workspace that may still be empty."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.types import ASGIApp

from dashboard.web.app import beside, create_dashboard
from dashboard.web.ground import Ground
from dashboard.web.work import Work
from models.errors import ModelError
from models.keys import trusted_keys
from serving import pointer
from serving.database import child_environment
from serving.log import Log
from serving.parts import Parts
from serving.scorer_error import ScorerError
from serving.server import address_of, listening, opened
from serving.settings import Settings
from serving.telemetry import Telemetry
from serving.verify import ReleaseError

MOUNTED_AT = "/dashboard"
_STOP_SECONDS = 5
_log = structlog.get_logger("pushwise.dashboard")


class Opener:
    """Opens a scorer's parts as soon as a release is published, and keeps them.

    Until then, and while the published one is refused, there are none.
    """

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings = settings
        self._scorer_log = log
        self._lock = threading.Lock()
        self._ends = ExitStack()
        self._parts: Parts | None = None
        self._refused = ""

    def parts(self) -> Parts | None:
        if self._parts is not None:
            return self._parts
        with self._lock:
            if self._parts is None:
                self._parts = self._open()
        return self._parts

    def close(self) -> None:
        self._ends.close()

    def _open(self) -> Parts | None:
        published: str | None = None
        try:
            published = pointer.current(self._settings.workspace.releases)
            if published is None or published == self._refused:
                return None
            trusted = trusted_keys(self._settings.trusted_key)
            scorer = opened(self._settings, trusted, self._scorer_log, Telemetry())
            return self._ends.enter_context(scorer)[0]
        except (ReleaseError, ModelError) as error:
            self._refused = published or ""
            _log.error("release refused", why=str(error))
        except ScorerError as error:  # it may pass: the next page tries again
            _log.error("release not opened", why=str(error))
        return None


@contextmanager
def application(settings: Settings, *, secure: bool = False) -> Iterator[Starlette]:
    """The dashboard of a workspace, for as long as the block lasts.

    Args:
        settings: of the scorer whose parts the pages use; ``insecure_dev``: nobody logs in.
        secure: cookies go over TLS alone.

    Raises:
        LogError: the log cannot be opened.
    """
    workspace = settings.workspace
    with ExitStack() as ends:
        log = ends.enter_context(Log.of(workspace))
        opener = Opener(settings, log)
        ends.callback(opener.close)
        work = Work(str(workspace.root), child_environment(workspace))
        ends.callback(work.stop)
        yield create_dashboard(
            Ground(
                workspace, log, opener.parts, work,
                open_to_all=settings.insecure_dev, secure=secure,
            )
        )  # fmt: skip


@contextmanager
def mounted(settings: Settings, *, secure: bool = False) -> Iterator[Callable[[FastAPI], ASGIApp]]:
    """What puts the dashboard beside a scorer's API, at ``/dashboard``, with the scorer's parts."""
    workspace = settings.workspace
    work = Work(str(workspace.root), child_environment(workspace))

    def around(api: FastAPI) -> ASGIApp:
        parts: Parts = api.state.parts
        ground = Ground(
            workspace, parts.log, lambda: parts, work,
            open_to_all=settings.insecure_dev, secure=secure,
        )  # fmt: skip
        return beside(MOUNTED_AT, create_dashboard(ground), api)

    try:
        yield around
    finally:
        work.stop()


def serve(settings: Settings, announce: Callable[[str], None], *, secure: bool = False) -> None:
    """Show the dashboard until SIGTERM or SIGINT.

    Raises:
        SettingsError: the address cannot be listened on.
        LogError: the log cannot be opened.
    """
    with (
        application(settings, secure=secure) as app,
        listening(settings.host, settings.port) as listener,
    ):
        # uvicorn raises a signal again once it stopped; the default would end us before clean-up.
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, lambda *_: None)
        announce(address_of(listener))
        # No access log: pages are about members.
        config = uvicorn.Config(
            app, access_log=False, log_config=None, lifespan="off", server_header=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])
