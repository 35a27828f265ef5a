"""Which items each member met, and how much: rows of different lengths in three flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError


@dataclass(frozen=True, eq=False)
class Histories:
    """One history per member, by row number; an item stands in it once."""

    starts: NDArray[np.int64]  # (members + 1,) where each history begins; the last is their end
    items: NDArray[np.int32]  # (n,) row numbers of items
    weights: NDArray[np.float32]  # (n,) above 0

    def __post_init__(self) -> None:
        n = len(self.items)
        fits = len(self.starts) > 0 and self.starts[0] == 0 and self.starts[-1] == n
        if not fits or (np.diff(self.starts) < 0).any() or self.weights.shape != (n,):
            raise ModelError("histories do not fit: starts, items and weights disagree")

    @classmethod
    def of(
        cls,
        size: int,
        members: NDArray[np.int64],
        items: NDArray[np.int64],
        weights: NDArray[np.float64],
    ) -> Self:
        """From ``(n,)`` pairs in any order, each pair once; ``size`` members in all."""
        order = np.lexsort((items, members))
        counts = np.bincount(members, minlength=size)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(starts, items[order].astype(np.int32), weights[order].astype(np.float32))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, member: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Items and weights of one member, in order of item."""
        part = slice(self.starts[member], self.starts[member + 1])
        return self.items[part], self.weights[part]

    def check_items(self, items: int) -> None:
        """Raises ``ModelError`` when an item is not among the first ``items`` row numbers."""
        if len(self.items) and not 0 <= int(self.items.min()) <= int(self.items.max()) < items:
            raise ModelError(f"histories name items that are not among the {items}")
