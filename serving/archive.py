"""Releases by their id, also those no longer in use: what they decided can be looked into."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.manifest import MANIFEST
from serving.errors import ReleaseGone
from serving.pointer import check
from serving.redaction import successor
from serving.release import Release, load_release
from serving.verify import RELEASE_ID, ReleaseError

_KEPT = 2  # releases beside the one in use; each holds its models in memory


class Archive:
    """Loads releases of a workspace when they are asked for, and keeps the last few.

    One is loaded at a time: loading takes seconds and memory, and nobody waits for it but people.
    """

    def __init__(self, releases: Path, trusted: Mapping[str, Ed25519PublicKey]) -> None:
        self._releases = releases
        self._trusted = trusted
        self._loaded: OrderedDict[str, Release] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def empty(cls) -> Archive:
        """Of no release: nobody is trusted."""
        return cls(Path(), {})

    def get(self, release_id: str, in_use: object) -> Release:
        """The release ``release_id``; verified like one that is to be served.

        Args:
            in_use: answers for itself without being loaded again.

        Raises:
            ReleaseGone: it is not in the workspace, or not what was signed.
        """
        if isinstance(in_use, Release) and in_use.versions.release == release_id:
            return in_use
        with self._lock:
            if release_id not in self._loaded:
                self._loaded[release_id] = self.load(release_id)
            self._loaded.move_to_end(release_id)
            while len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
            return self._loaded[release_id]

    def load(self, release_id: str) -> Release:
        """The same for one who keeps it. Raises ``ReleaseGone``."""
        # Where members were erased from it, its successor decides for the others as it did.
        found = successor(self._releases, release_id)
        folder = self._releases / found
        if not RELEASE_ID.fullmatch(found) or not (folder / MANIFEST).is_file():
            raise ReleaseGone(release_id, "is no longer in the workspace")
        try:
            check(self._releases, found, self._trusted)
            release = load_release(folder, self._trusted)
            versions = release.versions.model_copy(update={"release": release_id})
            return replace(release, versions=versions)
        except ReleaseError as error:
            raise ReleaseGone(release_id, "is there, but may not be loaded") from error
