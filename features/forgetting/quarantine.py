"""Quarantined rows that name a member, in whatever form, leave the quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from features.mentions import mentions
from features.workspace import Workspace, write_atomically

_MARKS = frozenset(" ,;|\"'{}[]():=<>\\.")  # where ``mentions`` might cut an id


@dataclass(frozen=True, slots=True)
class Named:
    """Looks for some members in text. odd: ids that may be cut where words are told apart."""

    members: frozenset[str]
    odd: tuple[str, ...]

    @classmethod
    def of(cls, members: Iterable[str]) -> Self:
        ids = frozenset(members)
        return cls(ids, tuple(one for one in ids if not _MARKS.isdisjoint(one)))

    def in_line(self, line: str) -> bool:
        """Whether a line of the quarantine names one of them, in its text or its message."""
        parts = [line]
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            parts = [str(entry["text"]), str(entry["message"])]
        return any(
            not self.members.isdisjoint(mentions(part)) or any(one in part for one in self.odd)
            for part in parts
        )


def forget_quarantined(workspace: Workspace, named: Named) -> int:
    """Take lines out that name one of the members; how many. Inside ``staging``."""
    removed = 0
    for path in _files(workspace):
        lines = _lines(path)
        kept = [line for line in lines if not named.in_line(line)]
        removed += len(lines) - len(kept)
        if not kept:
            path.unlink()
        elif len(kept) < len(lines):
            write_atomically(path, "".join(kept).encode())
    return removed


def quarantined_lines(workspace: Workspace, named: Named) -> Iterator[tuple[str, str]]:
    """Lines that name one of the members: the file, within the workspace, and the line."""
    for path in _files(workspace):
        for line in _lines(path):
            if named.in_line(line):
                yield path.relative_to(workspace.root).as_posix(), line


def _files(workspace: Workspace) -> list[Path]:
    return sorted(workspace.quarantine.rglob("*.jsonl"))


def _lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return list(file)  # not splitlines: a text may hold other ends of lines
