"""Starts the scorer: opens the log, loads the release, listens, and stops in good order."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from time import perf_counter
from types import FrameType

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import FastAPI
from starlette.types import ASGIApp

from models.keys import trusted_keys
from serving.app import create_app
from serving.archive import Archive
from serving.audience_worker import AudienceWorker, job_command
from serving.audiences import Audiences
from serving.auth import Access, Keys
from serving.command_worker import Chore, CommandWorker, erase_command, evaluate_command
from serving.database import Database, child_environment
from serving.door import door
from serving.erasures import Erasures
from serving.evaluations import Evaluations
from serving.experiments import Book
from serving.follower_process import can_follow
from serving.fresh_opening import OpenedLater
from serving.fresh_source import FreshSource, NoFresh
from serving.log import Log
from serving.parts import Parts
from serving.probes import Probes
from serving.publishing import Publishing
from serving.readout_process import ReadoutProcess, can_read_out, results_command
from serving.release import Release, load_release
from serving.scorer import Decider
from serving.settings import Settings, SettingsError
from serving.shadows import Shadows
from serving.telemetry import Telemetry
from serving.trials import Trials
from serving.watch import Fixed, Published, Watch

_STOP_SECONDS = 10


def as_it_is(api: FastAPI) -> ASGIApp:
    """Nothing beside the API."""
    return api


def serve(
    settings: Settings,
    announce: Callable[[str], None],
    around: Callable[[FastAPI], ASGIApp] = as_it_is,
) -> None:
    """Answer calls until SIGTERM or SIGINT. ``announce`` gets the address once calls are answered.

    SIGHUP loads the published release again.

    Args:
        around: makes of the API what is served; its ``state.parts`` are the scorer's.

    Raises:
        SettingsError: no active API key, or the address cannot be listened on.
        ReleaseError, KeyFileError, LogError: a part is missing or broken.
    """
    with _application(settings) as (app, wake), listening(settings.host, settings.port) as listener:
        signal.signal(signal.SIGHUP, lambda *_: wake())
        # uvicorn raises a signal again once it stopped; the default would end us before clean-up.
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, lambda *_: None)
        server = _Server(app, around(app), lambda: announce(address_of(listener)))
        server.run(sockets=[listener])


@contextmanager
def background(settings: Settings) -> Iterator[str]:
    """A scorer in a thread of this process, for as long as the block lasts; its address.

    Raises:
        As ``serve``.
    """
    with _application(settings) as (app, _), listening(settings.host, settings.port) as listener:
        ready = threading.Event()
        server = _Server(app, app, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not ready.wait(0.05):
                if not thread.is_alive():
                    raise SettingsError("the scorer stopped while it was starting")
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Tells when it answers calls, and is not ready from the moment when it is told to stop."""

    def __init__(self, app: FastAPI, served: ASGIApp, ready: Callable[[], None]) -> None:
        super().__init__(_config(app, served))
        self._probes: Probes = app.state.probes
        self._fresh: FreshSource = app.state.parts.fresh
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if isinstance(self._fresh, OpenedLater):
            self._fresh.start()
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._probes.readiness.drain()
        super().handle_exit(sig, frame)


@contextmanager
def _application(settings: Settings) -> Iterator[tuple[FastAPI, Callable[[], None]]]:
    """The application, and what makes it look for a new release at once."""
    telemetry, trusted = Telemetry(), trusted_keys(settings.trusted_key)
    with Log.of(settings.workspace, telemetry.committed) as log:
        _check_keys(settings, log)
        with (
            opened(settings, trusted, log, telemetry) as (parts, trials, wake),
            _under_way(trials, log, parts.archive, parts.decider),
        ):
            yield _settled(create_app(parts)), wake


@contextmanager
def opened(
    settings: Settings,
    trusted: Mapping[str, Ed25519PublicKey],
    log: Log,
    telemetry: Telemetry,
) -> Iterator[tuple[Parts, Trials, Callable[[], None]]]:
    """The parts of a scorer, with what works for them beside it: audiences, erasures, evaluations,
    readouts. The last is what makes it look for a new release at once.

    Raises:
        ReleaseError, KeyFileError: nothing is published, or it cannot be served.
    """
    # One thread a call: LightGBM's own would fight over the cores with the other calls.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    access = Access(log, settings.environment, required=not settings.insecure_dev)
    archive = Archive(settings.workspace.releases, trusted)
    trials = Trials(Book(log).running, archive.load)
    with ExitStack() as ends:
        fresh = ends.enter_context(_fresh(settings))
        readouts = ends.enter_context(_readouts(settings, log))

        def parts(decider: Decider, publishing: Publishing | None) -> Parts:
            files, sample = settings.workspace.audiences, settings.vector_sample
            return Parts(
                decider, log, access, telemetry, files, sample, settings.deadline, publishing,
                archive, fresh=fresh, trials=trials, readouts=readouts,
                workspace=settings.workspace,
            )  # fmt: skip

        if settings.release is not None:
            started = perf_counter()
            fixed = Fixed(load_release(settings.release, trusted))
            telemetry.loaded_in(perf_counter() - started)
            telemetry.serving(fixed.release.versions)
            ends.enter_context(_workers(settings, log, fixed.release.versions.release))
            yield parts(fixed, None), trials, lambda: None
            return
        published = Published(settings.workspace.releases, trusted, telemetry)
        watch = Watch(published.look, published.look_again)
        ends.callback(watch.stop)
        ends.enter_context(_workers(settings, log, None))
        publishing = Publishing(settings.workspace.releases, trusted)
        yield parts(published, publishing), trials, watch.wake


@contextmanager
def _fresh(settings: Settings) -> Iterator[FreshSource]:
    """Where fresh features come from; opened once calls are answered."""
    if not settings.fresh or not can_follow():
        yield NoFresh()
        return
    source = OpenedLater(settings.workspace)
    try:
        yield source
    finally:
        source.stop()


@contextmanager
def _readouts(settings: Settings, log: Log) -> Iterator[ReadoutProcess | None]:
    """What reads experiments out, where the features extra is installed."""
    if not can_read_out():
        yield None
        return
    command = results_command(str(settings.workspace.root))
    process = ReadoutProcess(log, command, child_environment(settings.workspace))
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def _under_way(trials: Trials, log: Log, archive: Archive, decider: Decider) -> Iterator[None]:
    """Experiments are followed while the block lasts."""

    def release(release_id: str) -> Release:
        return archive.get(release_id, decider.release)

    trials.look()
    shadows = Shadows(log, Book(log).shadows, release)
    watches = [Watch(look, look) for look in (trials.look, shadows.look)]
    try:
        yield
    finally:
        for watch in watches:
            watch.stop()


@contextmanager
def _workers(settings: Settings, log: Log, release: str | None) -> Iterator[None]:
    """Audiences of ``release``, None for any, erasures and evaluations are worked on meanwhile."""
    environment = child_environment(settings.workspace)
    worker = AudienceWorker(Audiences(log), job_command(settings, release), release, environment)
    root = str(settings.workspace.root)
    chores = (
        Chore("erasures", Erasures(log).wait, erase_command(root)),
        Chore("evaluations", Evaluations(log).wait, evaluate_command(root)),
    )
    workers = [CommandWorker(chore, environment) for chore in chores]
    try:
        yield
    finally:
        for one in workers:
            one.stop()
        worker.stop()


def _check_keys(settings: Settings, log: Log) -> None:
    if settings.insecure_dev or Keys(log).active(settings.environment, datetime.now(UTC)):
        return
    raise SettingsError(
        f"no active API key for the environment {settings.environment} in "
        f"{Database.of(settings.workspace)}; make one with `pushwise keys create --scope decide`, "
        "or start with --insecure-dev on a loopback address"
    )


def _settled(app: FastAPI) -> FastAPI:
    # What is alive now stays alive: leaving it out of collections keeps their pauses short.
    gc.collect()
    gc.freeze()
    return app


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket for callers; port 0 takes any free one. Raises ``SettingsError``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host} port {port} ({error.strerror}); choose another with --port"
        ) from error
    with listener:
        yield listener


def address_of(listener: socket.socket) -> str:
    """Where callers find it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(app: FastAPI, served: ASGIApp) -> uvicorn.Config:
    parts: Parts = app.state.parts
    # No access log: paths hold member ids.
    return uvicorn.Config(
        served, http=door(parts.room, parts.telemetry) or "auto", access_log=False, log_config=None,
        lifespan="off", server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )  # fmt: skip
