"""Publishing over HTTP: moves the workspace's pointer, which every worker follows by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.manifest import MANIFEST
from serving import pointer
from serving.errors import ReleaseRefused, UnknownRelease
from serving.redaction import successor
from serving.verify import RELEASE_ID, ReleaseError

_log = structlog.get_logger("pushwise.releases")


@dataclass(frozen=True, slots=True)
class Publishing:
    """releases: the folder. trusted: keys that may have signed a release."""

    releases: Path
    trusted: Mapping[str, Ed25519PublicKey]

    def listed(self) -> list[pointer.Listed]:
        """Oldest first."""
        try:
            return pointer.listed(self.releases)
        except ReleaseError as error:
            raise _refused(error) from error

    def published(self) -> list[str]:
        """What was published, oldest first, up to and with the current one."""
        try:
            return pointer.history(self.releases)
        except ReleaseError as error:
            raise _refused(error) from error

    def check(self, release_id: str) -> frozenset[str]:
        """The pushes it knows.

        Raises ``UnknownRelease``, or ``ReleaseRefused`` where it is not as signed.
        """
        known = self._known(release_id)
        try:
            pointer.check(self.releases, known, self.trusted)
            return pushes_of(self.releases / known)
        except ReleaseError as error:
            raise _refused(error) from error

    def publish(self, release_id: str) -> str:
        """Raises ``UnknownRelease``, or ``ReleaseRefused`` where it is not as signed."""
        known = self._known(release_id)
        try:
            return pointer.publish(self.releases, known, self.trusted).release_id
        except ReleaseError as error:
            raise _refused(error) from error

    def rollback(self) -> str:
        """Raises ``ReleaseRefused`` where there is no way back."""
        try:
            return pointer.rollback(self.releases, self.trusted)
        except ReleaseError as error:
            raise _refused(error) from error

    def _known(self, release_id: str) -> str:
        """The id under which it is there: another where members were erased from it."""
        # The pattern first: what it lets through leaves no folder.
        if RELEASE_ID.fullmatch(release_id) is None:
            raise UnknownRelease
        found = successor(self.releases, release_id)
        if RELEASE_ID.fullmatch(found) is None or not (self.releases / found / MANIFEST).is_file():
            raise UnknownRelease
        return found


def pushes_of(release: Path) -> frozenset[str]:
    """The pushes that a release knows; ask only once it was checked as signed."""
    given = json.loads((release / "pushes.json").read_text(encoding="utf-8"))
    return frozenset(push["push_id"] for push in given)


def _refused(error: ReleaseError) -> ReleaseRefused:
    _log.warning("release refused", why=str(error))
    return ReleaseRefused()
