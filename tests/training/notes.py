"""A model that is one line of text, and accounts of how it was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.trained import Account, Comparison


@dataclass(frozen=True)
class Note:
    text: str

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "note.txt").write_text(self.text)


def read_note(folder: Path) -> Note:
    return Note((folder / "note.txt").read_text())


def account(
    ours: float,
    theirs: float,
    champion: float | None = None,
    error: float | None = None,
    facts: Mapping[str, str] | None = None,
) -> Account:
    """One figure beside popularity's, and the champion's where one was measured."""
    comparison = Comparison("recall@10", ours, {"popularity": theirs}, True, champion, error)
    return Account((comparison,), {}, {"data_window": "2011", **(facts or {})})
