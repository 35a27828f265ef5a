"""How many rows the quarantine holds and some of them, for pages: never more than a look may cost.

A quarantine may be as large as what was ingested. Its files are counted whole in the background
(``counted``); a page counts a small one itself (``glance``), and reads the heads of a large one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from features.ingest.quarantine import Entry
from features.workspace import Workspace

_MOST_BYTES = 2_000_000  # of one folder, that a page reads
_LONGEST_LINE = 65_536  # characters; a longer line is left to re-driving
UNREADABLE = "unreadable"
_HEAD = 400  # rows of one large file, that a page reads


@dataclass(frozen=True, slots=True)
class Glance:
    """What one folder of the quarantine holds at first sight.

    counts: reason to rows; None where counting them is too much for a page. samples: by reason,
    the first few of the newest files.
    """

    folder: str
    counts: Mapping[str, int] | None
    samples: Mapping[str, tuple[Entry, ...]]


def folders(workspace: Workspace) -> list[str]:
    """Tables and imports with quarantined rows, by name."""
    if not workspace.quarantine.is_dir():
        return []
    found = (one for one in workspace.quarantine.iterdir() if one.is_dir())
    return sorted(one.name for one in found if next(one.glob("*.jsonl"), None) is not None)


def counted(workspace: Workspace, folder: str) -> dict[str, int]:
    """Reason to rows of one folder, commonest first; reads everything.

    A line that does not read counts as ``UNREADABLE``: somebody slipped while mending it.
    """
    total: Counter[str] = Counter()
    for path in _files(workspace, folder):
        total.update(_reason(entry) for entry in _readable(path))
    return dict(total.most_common())


def glance(workspace: Workspace, folder: str, samples: int = 5) -> Glance:
    """Some rows of one folder, at most ``samples`` a reason, and counts where it is small."""
    files = _files(workspace, folder)
    small = sum(_size(path) for path in files) <= _MOST_BYTES
    counts: Counter[str] = Counter()
    kept: dict[str, list[Entry]] = {}
    left = None if small else _HEAD
    for path in files:
        for entry in islice(_readable(path, _LONGEST_LINE), left):
            reason = _reason(entry)
            counts[reason] += 1
            first = kept.setdefault(reason, [])
            if entry is not None and len(first) < samples:
                first.append(entry)
        if not small and sum(counts.values()) >= _HEAD:
            break
    found = {reason: tuple(rows) for reason, rows in kept.items()}
    return Glance(folder, dict(counts.most_common()) if small else None, found)


def _files(workspace: Workspace, folder: str) -> list[Path]:
    """Newest first."""
    found = (workspace.quarantine / folder).glob("*.jsonl")
    return sorted(found, key=lambda path: (-_age_mark(path), path.name))


def _age_mark(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # re-driven meanwhile
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _reason(entry: Entry | None) -> str:
    return UNREADABLE if entry is None else entry.reason


def _readable(path: Path, longest: int = -1) -> Iterator[Entry | None]:
    """The rows of a file; None for a line that does not read or has more than ``longest``
    characters."""
    try:
        with path.open(encoding="utf-8") as file:
            whole = True
            while line := file.readline(longest):
                began, whole = whole, line.endswith("\n")
                if began:
                    yield _entry(line) if whole else None
    except FileNotFoundError:
        return


def _entry(line: str) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
