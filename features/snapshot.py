"""The packed feature snapshot of a release: every member's features, memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.encoding import Encoding
from features.errors import FeatureError


class SnapshotError(FeatureError):
    """A snapshot folder that is missing or inconsistent."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Features of all members as of one moment.

    as_of: the moment whose knowledge the values show.
    encoding: which feature stands in which column.
    member_ids: (members,) UTF-8 bytes, sorted, unique.
    values: (members, features) float32; NaN where a feature is missing.
    """

    as_of: datetime
    encoding: Encoding
    member_ids: NDArray[np.bytes_]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        wanted = (len(self.member_ids), len(self.encoding.names))
        if self.values.shape != wanted:
            raise SnapshotError(f"values are {self.values.shape}, wanted {wanted}")

    def rows(self, members: Sequence[str]) -> NDArray[np.int64]:
        """Row number of each member, -1 for one the snapshot does not know."""
        asked = np.array([member.encode() for member in members], dtype=np.bytes_)
        if not len(self.member_ids) or not len(asked):
            return np.full(len(asked), -1, dtype=np.int64)
        found = np.searchsorted(self.member_ids, asked).clip(max=len(self.member_ids) - 1)
        # numpy compares bytes without their trailing NULs; member ids hold none (contract).
        known = self.member_ids[found] == asked
        return np.where(known, found, -1).astype(np.int64)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows), features) values; all NaN for row -1."""
        taken = np.full((len(rows), self.values.shape[1]), np.nan, dtype=np.float32)
        known = rows >= 0
        taken[known] = self.values[rows[known]]
        return taken

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.encoding.save(folder / "encoding.json")
        (folder / "snapshot.json").write_text(json.dumps({"as_of": self.as_of.isoformat()}))
        np.save(folder / "members.npy", self.member_ids, allow_pickle=False)
        np.save(folder / "values.npy", self.values, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Snapshot:
        """Memory-map a saved snapshot. Raises ``SnapshotError`` when it does not read."""
        try:
            head = json.loads((folder / "snapshot.json").read_text(encoding="utf-8"))
            return cls(
                datetime.fromisoformat(head["as_of"]),
                Encoding.load(folder / "encoding.json"),
                _mapped(folder / "members.npy"),
                _mapped(folder / "values.npy"),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SnapshotError(f"{folder} does not read as a snapshot: {error}") from error


def _mapped(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
