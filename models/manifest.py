"""What a release holds, file by file, and the signature over it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from models.errors import ModelError

MANIFEST = "manifest.json"
FORMAT = 1


class ManifestError(ModelError):
    """A release whose files, sizes, hashes or signature are not what they should be."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    size: int  # bytes
    sha256: str  # hex


@dataclass(frozen=True, slots=True)
class TrackedVersion:
    """Where a model came from: the MLflow run and the registered version."""

    run_id: str
    version: str


@dataclass(frozen=True, slots=True)
class Manifest:
    release_id: str
    created_at: str  # ISO 8601, UTC
    as_of: str  # ISO 8601, UTC: the moment whose knowledge the snapshot shows
    files: Mapping[str, FileEntry]  # path inside the release, with /
    models: Mapping[str, TrackedVersion]
    key_id: str = ""
    signature: str = ""  # base64 of Ed25519 (RFC 8032) over the manifest without this field

    def signed(self, key: Ed25519PrivateKey) -> Manifest:
        named = replace(self, key_id=key_id(key.public_key()))
        signature = base64.b64encode(key.sign(named.message())).decode()
        return replace(named, signature=signature)

    def check_signature(self, trusted: Mapping[str, Ed25519PublicKey]) -> None:
        """Raises ``ManifestError`` unless one of the ``trusted`` keys (by key id) signed this."""
        if self.key_id not in trusted:
            raise ManifestError(f"release {self.release_id} is signed by unknown key {self.key_id}")
        try:
            signature = base64.b64decode(self.signature, validate=True)
            trusted[self.key_id].verify(signature, self.message())
        except (InvalidSignature, ValueError):
            raise ManifestError(f"the signature of release {self.release_id} is wrong") from None

    def message(self) -> bytes:
        """The signed bytes: canonical JSON of everything but the signature."""
        content = asdict(self)
        del content["signature"]
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Raises ``ManifestError`` when ``text`` is no manifest of this format."""
        try:
            content = json.loads(text)
            if content.pop("format") != FORMAT:
                raise ManifestError(f"not a manifest of format {FORMAT}")
            files = {path: FileEntry(**entry) for path, entry in content.pop("files").items()}
            models = {n: TrackedVersion(**entry) for n, entry in content.pop("models").items()}
            if not all(isinstance(value, str) for value in content.values()):
                raise TypeError("a field is not text")
            return cls(files=files, models=models, **content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"the manifest does not read: {error}") from error


def key_id(key: Ed25519PublicKey) -> str:
    """A short name for a public key: the first 16 hex digits of the sha256 of its raw bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def file_entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return FileEntry(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
