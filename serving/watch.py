"""Which release is in use: a fixed one, or whatever the workspace's pointer shows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from serving.pointer import POINTER, check, current
from serving.release import Release, load_release
from serving.scorer import Answering
from serving.telemetry import Telemetry
from serving.verify import ReleaseError

POLL_SECONDS = 1.0


class Loader(Protocol):
    """``serving.release.load_release``."""

    def __call__(self, folder: Path, trusted: Mapping[str, Ed25519PublicKey]) -> Answering: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A scorer of one release folder: nothing to watch."""

    release: Release


@dataclass(frozen=True, slots=True)
class _Loaded:
    """signature: over names, sizes and hashes of the files that the release was read from."""

    release: Answering
    signature: str


class Published:
    """The published release; follows the pointer.

    A newly published release is verified and loaded beside the old one, then one reference is
    swapped. One that is refused leaves the old one in use until the pointer is written again. The
    one before stays in memory: the way back takes no longer than verifying its files.

    Raises:
        ReleaseError: nothing is published, or what is published must not be served.
    """

    def __init__(
        self,
        releases: Path,
        trusted: Mapping[str, Ed25519PublicKey],
        telemetry: Telemetry,
        load: Loader = load_release,
    ) -> None:
        self._releases = releases
        self._trusted = trusted
        self._telemetry = telemetry
        self._load = load
        self._log = structlog.get_logger("pushwise.release")
        self._seen = self._stamp()
        self._refusal = ""
        self._before: _Loaded | None = None
        self._now = self._loaded()

    @property
    def release(self) -> Answering:
        """The one in use; read it once a request."""
        return self._now.release

    @property
    def refusal(self) -> str:
        """Why the newest that was published is not in use; empty where it is."""
        return self._refusal

    def look(self) -> None:
        """Swap if the pointer was written since the last look; refusals are logged."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._before, self._now = self._now, self._loaded()
            self._refusal = ""
        except ReleaseError as error:
            self._refusal = str(error)
            self._telemetry.refused_release()
            self._log.error("release refused", why=str(error), still=self.release.versions.release)

    def look_again(self) -> None:
        """Load what the pointer shows, even if it was seen before."""
        self._seen = (0, 0)
        self.look()

    def _loaded(self) -> _Loaded:
        release_id = current(self._releases)
        if release_id is None:
            raise ReleaseError(
                f"{self._releases}: no release is published; "
                "run `pushwise release build`, then `pushwise release publish`"
            )
        started = perf_counter()
        manifest = check(self._releases, release_id, self._trusted)
        loaded = self._before
        if loaded is None or loaded.signature != manifest.signature:
            release = self._load(self._releases / release_id, self._trusted)
            loaded = _Loaded(release, manifest.signature)
        self._telemetry.serving(loaded.release.versions)
        self._telemetry.loaded_in(perf_counter() - started)
        self._log.info("release in use", release=release_id)
        return loaded

    def _stamp(self) -> tuple[int, int]:
        try:
            status = (self._releases / POINTER).stat()
        except OSError:
            return (-1, -1)
        return (status.st_mtime_ns, status.st_ino)


class Watch:
    """A thread that calls ``look`` every ``seconds``, and ``at_once`` when woken."""

    def __init__(
        self, look: Callable[[], None], at_once: Callable[[], None], seconds: float = POLL_SECONDS
    ) -> None:
        self._look = look
        self._at_once = at_once
        self._seconds = seconds
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._log = structlog.get_logger("pushwise.release")
        self._thread = threading.Thread(target=self._run, name="release-watch", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        self._stopped.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            woken = self._woken.wait(self._seconds)
            if self._stopped.is_set():
                return
            self._woken.clear()
            try:
                (self._at_once if woken else self._look)()
            # The outermost handler of this thread: if it ended, no release would come in any more.
            except Exception:
                self._log.exception("looking for a release failed")
