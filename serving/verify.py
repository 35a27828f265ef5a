"""Is this folder the release that the trainer signed? Answered before any of it is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.errors import ModelError
from models.manifest import MANIFEST, Manifest, file_entry

RELEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_MANIFEST = 1 << 20  # bytes; it is read before anything vouches for it
# ``experiments.json`` was always empty: experiments live in the log; older releases still hold it.
_ALLOWED = re.compile(
    r"(offers|pushes|policy|prices|experiments|golden|items|hours)\.json"
    r"|snapshot/(snapshot\.json|encoding\.json|members\.npy|values\.npy)"
    r"|(response|prior|propensity|recommender|contacts)(/[a-z0-9_-]+)?"
    r"/(artifact\.json|arrays\.npz|[A-Za-z0-9_-]+\.txt)"
    r"|clv/(clv\.json|values\.npy)"
    r"|court/(artifact\.json|arrays\.npz|values\.npy|encoding\.json)"
)
REQUIRED = (
    "offers.json", "pushes.json", "policy.json", "prices.json", "golden.json",
    "snapshot/snapshot.json", "snapshot/encoding.json", "snapshot/members.npy",
    "snapshot/values.npy",
)  # fmt: skip


class ReleaseError(ModelError):
    """A release that must not be served; the message says what is wrong with it."""


def verified(folder: Path, trusted: Mapping[str, Ed25519PublicKey]) -> Manifest:
    """The manifest of ``folder``, after every name, size, hash and the signature were checked.

    Raises:
        ReleaseError: no release, or not exactly what one of the ``trusted`` keys signed.
    """
    manifest = _manifest(folder / MANIFEST)
    try:
        manifest.check_signature(trusted)
        _check_files(folder, manifest)
    except ReleaseError:
        raise
    except (ModelError, OSError) as error:
        raise ReleaseError(f"{folder}: {error}") from error
    return manifest


def _check_files(folder: Path, manifest: Manifest) -> None:
    found = set(names(folder)) - {MANIFEST}
    signed = set(manifest.files)
    for name in sorted(found ^ signed):
        state = "was added after signing" if name in found else "is missing"
        raise ReleaseError(f"{folder}: {name} {state}")
    for name, entry in sorted(manifest.files.items()):
        path = folder / name
        if path.stat().st_size != entry.size:
            raise ReleaseError(f"{folder}: {name} is not the size that was signed")
        if file_entry(path) != entry:
            raise ReleaseError(f"{folder}: {name} is not what was signed")
    missing = [name for name in REQUIRED if name not in signed]
    if missing:
        raise ReleaseError(f"{folder}: a release needs {missing[0]}")


def names(folder: Path) -> Iterator[str]:
    """Paths of the files in ``folder``, with ``/``.

    Raises:
        ReleaseError: a name that is not on the allow-list, or anything but a plain file.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ReleaseError(f"{folder}: {name} is not a plain file")
        if path.is_dir():
            continue
        if name != MANIFEST and not _ALLOWED.fullmatch(name):
            raise ReleaseError(f"{folder}: {name} is no file of a release")
        yield name


def _manifest(path: Path) -> Manifest:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise ReleaseError(f"{path}: not a plain file")  # a pipe would never end
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_MANIFEST + 1)
    except OSError as error:
        raise ReleaseError(
            f"{path.parent}: no release there ({error.strerror}: {path.name}); "
            "make one with `pushwise release build`"
        ) from error
    if len(content) > _MOST_MANIFEST:
        raise ReleaseError(f"{path}: larger than any manifest")
    try:
        manifest = Manifest.from_json(content.decode())
    except (ModelError, UnicodeDecodeError, RecursionError) as error:
        raise ReleaseError(f"{path.parent}: {error}") from error
    if not isinstance(manifest.release_id, str) or not RELEASE_ID.fullmatch(manifest.release_id):
        raise ReleaseError(f"{path}: the release id is not 1 to 64 of letters, digits, . _ -")
    return manifest
