"""Which release is published: one text file, replaced atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from features.workspace import write_atomically
from models.errors import ModelError
from models.manifest import MANIFEST, Manifest
from serving.verify import RELEASE_ID, ReleaseError, verified

POINTER = "current"
_HISTORY = "history.json"


@dataclass(frozen=True, slots=True)
class Listed:
    """One release of a workspace. ``as_of``, ``created_at``: ISO 8601, empty when unreadable."""

    release_id: str
    created_at: str
    as_of: str
    current: bool


def current(releases: Path) -> str | None:
    """Id of the published release, None before the first.

    Raises:
        ReleaseError: the pointer holds no release id.
    """
    try:
        release_id = (releases / POINTER).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{releases / POINTER} does not read: {error}") from error
    if not RELEASE_ID.fullmatch(release_id):
        raise ReleaseError(f"{releases / POINTER} holds no release id; publish a release again")
    return release_id


def publish(releases: Path, release_id: str, trusted: Mapping[str, Ed25519PublicKey]) -> Manifest:
    """Point at ``release_id``, after checking that it is what a ``trusted`` key signed.

    Raises:
        ReleaseError: no such release, or not as signed; the pointer then stays where it was.
    """
    manifest = check(releases, release_id, trusted)
    published = history(releases)
    if published[-1:] != [release_id]:
        # History first: what the pointer does not (yet) show is dropped from it next time.
        _write_history(releases, [*published, release_id])
    write_atomically(releases / POINTER, f"{release_id}\n".encode())
    return manifest


def rollback(releases: Path, trusted: Mapping[str, Ed25519PublicKey]) -> str:
    """Point at the release published before the current one; its id.

    Raises:
        ReleaseError: nothing was published before, or it is no longer as signed.
    """
    earlier = history(releases)[:-1]
    if not earlier:
        raise ReleaseError(f"{releases}: nothing was published before; there is no way back")
    check(releases, earlier[-1], trusted)
    write_atomically(releases / POINTER, f"{earlier[-1]}\n".encode())
    _write_history(releases, earlier)
    return earlier[-1]


def supersede(releases: Path, successors: Mapping[str, str]) -> None:
    """Point at the successor of the published release, and name successors in the history.

    Args:
        successors: new id by old id; each was just sealed.
    """
    published = history(releases)
    renamed = [successors.get(one, one) for one in published]
    if renamed == published:
        return
    # The history first, with both: whatever the pointer shows when we die, it is in there.
    _write_history(releases, [*renamed, *published[-1:]])
    write_atomically(releases / POINTER, f"{renamed[-1]}\n".encode())
    _write_history(releases, renamed)


def listed(releases: Path) -> list[Listed]:
    """The workspace's releases, oldest first."""
    if not releases.is_dir():
        return []
    published = current(releases)
    found = []
    for folder in releases.iterdir():
        if not RELEASE_ID.fullmatch(folder.name) or not (folder / MANIFEST).is_file():
            continue
        try:
            manifest = Manifest.from_json((folder / MANIFEST).read_text(encoding="utf-8"))
            created_at, as_of = manifest.created_at, manifest.as_of
        except (ModelError, UnicodeDecodeError):
            created_at = as_of = ""
        found.append(Listed(folder.name, created_at, as_of, folder.name == published))
    return sorted(found, key=lambda one: (one.created_at, one.release_id))


def check(releases: Path, release_id: str, trusted: Mapping[str, Ed25519PublicKey]) -> Manifest:
    """The manifest of ``release_id``. Raises ``ReleaseError`` unless all is as signed."""
    if not RELEASE_ID.fullmatch(release_id):
        raise ReleaseError(f"{release_id!r} is no release id")
    manifest = verified(releases / release_id, trusted)
    if manifest.release_id != release_id:
        raise ReleaseError(
            f"{releases / release_id} holds the release {manifest.release_id}; "
            "a release keeps the name it was signed with"
        )
    return manifest


def history(releases: Path) -> list[str]:
    """Releases published, oldest first, up to and with the current one."""
    now = current(releases)
    if now is None:
        return []
    try:
        known = json.loads((releases / _HISTORY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = []
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{releases / _HISTORY} does not read: {error}") from error
    if now not in known:
        return [now]
    last = len(known) - 1 - known[::-1].index(now)
    return [str(one) for one in known[: last + 1]]


def _write_history(releases: Path, published: list[str]) -> None:
    write_atomically(releases / _HISTORY, json.dumps(published).encode())
