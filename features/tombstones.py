"""Who asked to be forgotten: known again when met, and told to nobody.

A tombstone is the HMAC-SHA256 of a member id under a random key of the workspace. Whoever holds
the tombstones alone cannot try ids on them; whoever holds the key can only ask "is it this one?".
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from features.errors import FeatureError
from features.mentions import mentions
from features.workspace import Workspace, one_at_a_time, write_atomically

REASON = "erased_member"  # the code of a row that is refused for it
MESSAGE = "the member was erased; nothing of the row is kept"
_KEY = "erasure.key"
_FILE = "tombstones.txt"
_MARK = re.compile(r"[0-9a-f]{64}")


class TombstoneError(FeatureError):
    """The key or the tombstones of a workspace do not read."""


def mark(key: bytes, member: str) -> str:
    """The tombstone of a member, 64 hex digits."""
    return hmac.digest(key, member.encode("utf-8", "surrogatepass"), "sha256").hex()


def erasure_key(keys: Path) -> bytes:
    """The key in the folder ``keys``; made on first use, for its owner alone.

    Raises:
        TombstoneError: it is there and is no key.
    """
    path = keys / _KEY
    with one_at_a_time(keys / f".{_KEY}.lock"):
        if not path.exists():
            write_atomically(path, secrets.token_hex(32).encode(), secret=True)
        return _read_key(path)


def known_key(keys: Path) -> bytes | None:
    """The key in the folder ``keys``, None where nobody was erased yet.

    Raises:
        TombstoneError: it is there and is no key.
    """
    path = keys / _KEY
    return _read_key(path) if path.exists() else None


@dataclass(frozen=True, slots=True)
class Tombstones:
    """Those that a workspace keeps beside its tables. False where there are none."""

    key: bytes
    marks: frozenset[str]

    @classmethod
    def of(cls, workspace: Workspace) -> Tombstones:
        """Raises ``TombstoneError`` where they do not read: then nothing may be taken in."""
        marks, key = _stored(workspace.erased / _FILE), known_key(workspace.keys)
        if marks and key is None:
            raise TombstoneError(
                f"{workspace.erased} holds erased members, and {workspace.keys / _KEY}, by which "
                "they are known again, is gone; put it back from a backup"
            )
        return cls(key or b"", marks)

    def __bool__(self) -> bool:
        return bool(self.marks)

    def among(self, members: Iterable[str]) -> frozenset[str]:
        """Those of ``members`` who were erased."""
        if not self.marks:
            return frozenset()
        return frozenset(member for member in set(members) if mark(self.key, member) in self.marks)

    def named_in(self, text: str) -> bool:
        """Whether a text, of whatever form, names an erased member between marks or spaces."""
        if not self.marks:
            return False
        return bool(self.among(mentions(text)))


def remember(workspace: Workspace, marks: Iterable[str]) -> None:
    """Add tombstones to those that the workspace keeps beside its tables."""
    path = workspace.erased / _FILE
    with one_at_a_time(workspace.erased / ".lock"):
        known = _stored(path)
        added = sorted(set(marks) - known)
        if added:
            write_atomically(path, "".join(f"{one}\n" for one in sorted(known) + added).encode())


def _stored(path: Path) -> frozenset[str]:
    try:
        lines = path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise TombstoneError(f"{path} does not read: {error}") from error
    if not all(map(_MARK.fullmatch, lines)):
        raise TombstoneError(f"{path} holds something else than tombstones; put it back")
    return frozenset(lines)


def _read_key(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise TombstoneError(f"{path} does not read as a key: {error}") from error
    if len(key) != 32:
        raise TombstoneError(f"{path} holds {len(key)} bytes, wanted 32 in hex")
    return key
