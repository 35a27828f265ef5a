"""Publishing over HTTP: moves the workspace's pointer, which every worker follows by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.manifest import MANIFEST
from serving import pointer
from serving.errors import ReleaseRefused, UnknownRelease
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

    def publish(self, release_id: str) -> str:
        """Raises ``UnknownRelease``, or ``ReleaseRefused`` where it is not as signed."""
        # The pattern first: what it lets through leaves no folder.
        known = RELEASE_ID.fullmatch(release_id)
        if known is None or not (self.releases / release_id / MANIFEST).is_file():
            raise UnknownRelease
        try:
            return pointer.publish(self.releases, release_id, self.trusted).release_id
        except ReleaseError as error:
            raise _refused(error) from error

    def rollback(self) -> str:
        """Raises ``ReleaseRefused`` where there is no way back."""
        try:
            return pointer.rollback(self.releases, self.trusted)
        except ReleaseError as error:
            raise _refused(error) from error


def _refused(error: ReleaseError) -> ReleaseRefused:
    _log.warning("release refused", why=str(error))
    return ReleaseRefused()
