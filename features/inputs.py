"""Fingerprint of what a build of one moment reads, to tell whether it would come out the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from features.contract import TABLES
from features.learned import good_from
from features.tables import table_files
from features.taste import vector_files
from features.workspace import Workspace
from features.worth import buying_files

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _File:
    """A stored file. since: nothing in it was known before; None where that cannot be told."""

    name: tuple[str, str, int, int]
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that the builds of a workspace read.

    common: fingerprint of conventions, vocabulary and definitions.
    files: the stored files. A batch never changes after it was written, so name, size and time of
        change tell it apart.
    """

    common: str
    files: Sequence[_File]

    @classmethod
    def of(cls, workspace: Workspace) -> Inputs:
        files = [_file(name, path) for name in TABLES for path in table_files(workspace, name)]
        if workspace.conventions.taste:
            files += [_learned("item_vectors", path) for path in vector_files(workspace)]
        files += [_learned("buying", path) for path in buying_files(workspace)]
        return cls(_common(workspace), files)

    def digest(self, as_of: datetime) -> str:
        """The fingerprint of what was known before ``as_of``: a later file changes nothing."""
        read = [file.name for file in self.files if file.since is None or file.since < as_of]
        return hashlib.sha256(json.dumps([self.common, read]).encode()).hexdigest()


def vocabulary_file(workspace: Workspace) -> Path:
    return workspace.features / "vocabulary.json"


def _common(workspace: Workspace) -> str:
    vocabulary = vocabulary_file(workspace)
    # No feature reads how many unsubscribe.
    content = {
        "conventions": asdict(replace(workspace.conventions, default_unsubscribe_rate=0.0)),
        "vocabulary": vocabulary.read_text(encoding="utf-8") if vocabulary.exists() else None,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _file(table: str, path: Path) -> _File:
    return _File(_name(table, path), _known_since(path))


def _learned(what: str, path: Path) -> _File:
    """What a training learned is read at the moment itself from which on it is good."""
    return _File(_name(what, path), good_from(path) - timedelta(microseconds=1))


def _name(table: str, path: Path) -> tuple[str, str, int, int]:
    found = path.stat()
    return table, path.name, found.st_size, found.st_mtime_ns


def _known_since(path: Path) -> datetime | None:
    """The least ``known_at`` of a file, from its statistics; None where a row was always known."""
    from pyarrow import parquet

    head = parquet.read_metadata(path)
    place = head.schema.names.index("known_at") if "known_at" in head.schema.names else None
    if not head.num_rows:
        return _NEVER
    if place is None:
        return None
    least: list[datetime] = []
    for number in range(head.num_row_groups):
        statistics = head.row_group(number).column(place).statistics
        if statistics is None or not statistics.has_min_max or statistics.null_count:
            return None
        least.append(statistics.min.astimezone(UTC))
    return min(least)
