"""Deleting from an SQLite file so that its bytes are gone too."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from features.errors import FeatureError

_SMALL = 64 << 20  # bytes: writing so much anew takes a moment
_FEW = 100  # needles: looking for more takes longer than writing the file anew
_CHUNK = 16 << 20
_PATIENCE_SECONDS = 30.0


class ScrubError(FeatureError):
    """A file whose freed pages or write-ahead log could not be emptied."""


@contextmanager
def deleting(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose deletions overwrite what they free; one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_SECONDS)) as opened:
        opened.execute("PRAGMA secure_delete=ON")
        opened.execute("BEGIN IMMEDIATE")
        try:
            yield opened
        except BaseException:
            opened.execute("ROLLBACK")
            raise
        opened.execute("COMMIT")


def scrub(path: Path, needles: Iterable[bytes]) -> None:
    """Leave none of ``needles``, which no row holds any more, in the file or its write-ahead log;
    where none are given, nothing at all that was deleted.

    What was deleted before, without overwriting, may lie in freed pages: then the file is written
    anew, and whoever writes waits for that.

    Raises:
        ScrubError: somebody reads or writes on and on, so that the write-ahead log cannot be
            emptied; try again.
    """
    wanted = sorted(set(needles))
    with closing(sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_SECONDS)) as opened:
        opened.execute("PRAGMA secure_delete=ON")
        _checkpoint(opened, path)
        told = 0 < len(wanted) <= _FEW
        if path.stat().st_size < _SMALL or not told or holds(path, wanted):
            opened.execute("VACUUM")
            _checkpoint(opened, path)


def holds(path: Path, needles: Iterable[bytes]) -> bool:
    """Whether any of ``needles`` stands in the bytes of a file."""
    wanted = list(needles)
    overlap = max(map(len, wanted), default=1) - 1
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = rest + chunk
            if any(needle in text for needle in wanted):
                return True
            rest = text[len(text) - overlap :] if overlap else b""
    return False


def _checkpoint(opened: sqlite3.Connection, path: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > until:
            raise ScrubError(f"{path}: its write-ahead log is in use all the time; try again")
        time.sleep(0.05)
