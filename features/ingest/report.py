"""What became of the rows: every row read is accepted, a duplicate, or quarantined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.errors import FeatureError


class LostRowsError(FeatureError):
    """The counts do not add up: a fault of ours, never of the data."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """One source of a batch.

    quarantined: reason code to number of rows.
    refused: why nothing of the file was taken; empty when it was read.
    """

    source: str
    rows: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    refused: str = ""

    def __post_init__(self) -> None:
        ended = self.accepted + self.duplicate + sum(self.quarantined.values())
        if ended != self.rows:
            raise LostRowsError(f"{self.source}: {self.rows} rows read, but {ended} accounted for")

    def to_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "rows": self.rows,
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "quarantined": dict(sorted(self.quarantined.items())),
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one call took into one table."""

    table: str
    files: tuple[FileReport, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def accepted(self) -> int:
        return sum(file.accepted for file in self.files)

    @property
    def duplicate(self) -> int:
        return sum(file.duplicate for file in self.files)

    @property
    def quarantined(self) -> Mapping[str, int]:
        """Reason code to number of rows, commonest first."""
        total: Counter[str] = Counter()
        for file in self.files:
            total.update(file.quarantined)
        return dict(total.most_common())

    @property
    def refused(self) -> tuple[FileReport, ...]:
        return tuple(file for file in self.files if file.refused)

    def to_json(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "rows": self.rows,
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "quarantined": dict(self.quarantined),
            "files": [file.to_json() for file in self.files],
        }
