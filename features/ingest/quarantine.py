"""Rows that did not fit, kept with their text so that they can be mended and re-driven.

One JSON line a row in ``quarantine/<table>/<source>-<batch>.jsonl``, where ``<source>`` stands for
the content of the file that the row came from. ``text`` is what re-driving reads: a line of a CSV
file with header ``columns``, or a JSON object where ``columns`` is null.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.contract import ContractError
from features.workspace import Workspace

if TYPE_CHECKING:
    from features.ingest.chunk import Rejected


@dataclass(frozen=True, slots=True)
class Entry:
    """One quarantined row.

    source, line: the file, or other source, and where in it the row stood, counted from 1.
    """

    source: str
    line: int
    reason: str
    column: str
    message: str
    columns: list[str] | None
    text: str

    @property
    def identity(self) -> tuple[int, str, str]:
        """What makes it the same row again, within sources of the same content."""
        return self.line, self.reason, self.text

    def to_line(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Origin:
    """A source of rows.

    digest: stands for its content; asked only when a row of it is quarantined.
    columns: the header of a CSV file; None for sources whose texts are JSON.
    """

    name: str
    digest: Callable[[], str]
    columns: Sequence[str] | None = None


class Drafts:
    """The quarantined rows of one batch on disk, until the batch is settled."""

    def __init__(self, workspace: Workspace, folder: str, staging: Path) -> None:
        self._folder = workspace.quarantine / folder
        self._staging = staging
        self._origins: dict[int, Origin] = {}

    def put(self, number: int, origin: Origin, rejected: Iterable[Rejected]) -> None:
        """Keep rejected rows of source ``number``."""
        with self._path(number).open("a", encoding="utf-8") as file:
            for row in rejected:
                self._origins[number] = origin
                # A conflict is known by its typed values, not by its line of text.
                columns = origin.columns if row.reason != "conflict" else None
                entry = Entry(
                    origin.name, row.line, row.reason, row.column, row.message,
                    None if columns is None else list(columns), row.text,
                )  # fmt: skip
                file.write(entry.to_line())

    def drop(self, number: int) -> None:
        """Forget source ``number``: it turned out to be unreadable."""
        self._origins.pop(number, None)

    def publish(self, batch: str) -> None:
        """Move the rows to the quarantine, without those that already lie there."""
        for number, origin in sorted(self._origins.items()):
            digest = origin.digest()[:16]
            known = {
                entry.identity
                for path in self._folder.glob(f"{digest}-*.jsonl")
                for entry in read_entries(path)
            }
            draft = self._path(number)
            if known and not _without(draft, known):
                continue
            self._folder.mkdir(parents=True, exist_ok=True)
            publish_file(draft, self._folder / f"{digest}-{batch}-{number}.jsonl")

    def _path(self, number: int) -> Path:
        return self._staging / f"quarantine-{number}.jsonl"


def _without(draft: Path, known: set[tuple[int, str, str]]) -> bool:
    """Take the ``known`` rows out of a draft; whether any is left."""
    left = [entry for entry in read_entries(draft) if entry.identity not in known]
    draft.write_text("".join(entry.to_line() for entry in left), encoding="utf-8")
    return bool(left)


def publish_file(staged: Path, target: Path) -> None:
    """Move a finished file in place, so that it is there as a whole also after a power cut."""
    with staged.open("rb") as file:
        os.fsync(file.fileno())
    staged.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_entries(path: Path) -> Iterator[Entry]:
    """The rows of one quarantine file.

    Raises:
        ContractError: a line does not read, as after a slip while editing it.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield Entry(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ContractError(
                    f"{path}, line {number}: not a quarantined row ({error}); "
                    "mend the line or delete it"
                ) from error
