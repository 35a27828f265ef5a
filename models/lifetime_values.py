"""Lifetime values of everybody in a release: what a ``Clv`` expected of them when it was built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import ArtifactError

FOLDER = "clv"
_COLUMNS = ("purchases", "spend", "margin")


@dataclass(frozen=True, slots=True)
class LifetimeValue:
    """What is expected of one member in the horizon_days after the release's moment, whatever is
    sent. purchases: days with an order. spend, margin: currency, margin at today's worth."""

    purchases: float
    spend: float
    margin: float
    horizon_days: int


@dataclass(frozen=True, eq=False)
class LifetimeValues:
    """Of many members, by row.

    values: (members, 3) float32, purchases, spend and margin as in ``models.clv.Forecast``; NaN for
        one who never bought.
    """

    horizon_days: int
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(_COLUMNS):
            raise ArtifactError(
                f"lifetime values are {self.values.shape}, wanted {len(_COLUMNS)} a member"
            )
        if self.values.dtype != np.float32:
            raise ArtifactError(f"lifetime values are {self.values.dtype}, wanted float32")
        if not isinstance(self.horizon_days, int) or self.horizon_days < 1:
            raise ArtifactError(f"horizon is {self.horizon_days} days, wanted 1 or more")

    def __len__(self) -> int:
        return len(self.values)

    def at(self, row: int) -> LifetimeValue | None:
        """Of the member in that row; None for one who never bought."""
        purchases, spend, margin = self.values[row].tolist()
        if np.isnan(purchases):
            return None
        return LifetimeValue(purchases, spend, margin, self.horizon_days)

    def of_rows(self, rows: NDArray[np.int64]) -> LifetimeValues:
        """Of these members alone, in that order; a copy."""
        return LifetimeValues(self.horizon_days, np.array(self.values[rows]))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "clv.json").write_text(json.dumps({"horizon_days": self.horizon_days}))
        np.save(folder / "values.npy", self.values, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Memory-map what ``save`` wrote. Raises ``ArtifactError`` when it does not read."""
        try:
            head = json.loads((folder / "clv.json").read_text(encoding="utf-8"))
            values: NDArray[Any] = np.load(folder / "values.npy", mmap_mode="r", allow_pickle=False)
            return cls(head["horizon_days"], values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{folder} does not read as lifetime values: {error}") from error
