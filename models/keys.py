"""The trainer's signing key and the public keys a scorer trusts, as PEM files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from models.errors import ModelError
from models.manifest import key_id

PRIVATE = "trainer.pem"
PUBLIC = "trainer.pub.pem"


class KeyFileError(ModelError):
    """A key file that is missing or holds no Ed25519 key."""


def trainer_key(folder: Path) -> Ed25519PrivateKey:
    """The signing key of ``folder``; made, with its public half beside it, on first use.

    The private file is readable by its owner only. Whoever makes the key first wins: two processes
    at once end with one key.

    Raises:
        KeyFileError: the file is there but holds no Ed25519 private key.
    """
    path = folder / PRIVATE
    if not path.exists():
        _create(folder)
    key = _read(path)
    _write_public(folder / PUBLIC, key.public_key())
    return key


def trusted_keys(path: Path) -> Mapping[str, Ed25519PublicKey]:
    """The public key in ``path`` by its key id, as ``Manifest.check_signature`` wants it.

    Raises:
        KeyFileError: no such file, or no Ed25519 public key in it.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise KeyFileError(
            f"{path}: cannot read the trusted public key ({error.strerror}); name the trainer's "
            f"{PUBLIC}, which `pushwise release build` writes"
        ) from error
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path}: not an Ed25519 public key in PEM form")
    return {key_id(key): key}


def _create(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = folder / f".{PRIVATE}.{os.getpid()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, fails when somebody else was first.
        (folder / PRIVATE).hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: not an Ed25519 private key in PEM form")
    return key


def _write_public(path: Path, key: Ed25519PublicKey) -> None:
    content = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
