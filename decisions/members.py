"""Members as decisions see them: rows of numbers with names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from decisions.errors import DecisionError
from decisions.rules import FeatureNames


@dataclass(frozen=True, slots=True)
class Members:
    """The members of one question.

    ids: in the order asked.
    values: (members, features) float32, NaN where missing; column order is ``encoding.names``.
    known: (members,) whether features of the member exist at all.
    as_of: the moment whose knowledge the values show; rules with dates need it.
    """

    ids: tuple[str, ...]
    values: NDArray[np.float32]
    known: NDArray[np.bool_]
    encoding: FeatureNames
    as_of: datetime

    def __post_init__(self) -> None:
        wanted = (len(self.ids), len(self.encoding.names))
        if self.values.shape != wanted:
            raise DecisionError(f"feature values are {self.values.shape}, wanted {wanted}")

    @classmethod
    def everybody(
        cls,
        ids: NDArray[np.bytes_],
        values: NDArray[np.float32],
        encoding: FeatureNames,
        as_of: datetime,
    ) -> Self:
        """All members of a feature snapshot; ``ids`` are UTF-8."""
        names = tuple(member.decode() for member in ids.tolist())
        return cls(names, values, np.ones(len(names), dtype=bool), encoding, as_of)

    def __len__(self) -> int:
        return len(self.ids)

    def named(self, rows: NDArray[np.int64]) -> list[str]:
        """The ids of the members in ``rows``."""
        return [self.ids[row] for row in rows.tolist()]

    def column(self, name: str) -> NDArray[np.float32] | None:
        """One feature, shape (members,); None where this workspace has no such feature."""
        if name not in self.encoding.names:
            return None
        column: NDArray[np.float32] = self.values[:, self.encoding.names.index(name)]
        return column

    def code(self, name: str) -> NDArray[np.int64]:
        """(members,) position of a category's value, -1 where missing or no such feature."""
        column = self.column(name)
        if column is None or name not in self.encoding.categories:
            return np.full(len(self), -1, dtype=np.int64)
        return np.where(np.isnan(column), -1, column).astype(np.int64)

    def block(self, start: int, stop: int) -> Members:
        """The members in rows ``start`` to ``stop``, without a copy of their values."""
        part = slice(start, stop)
        return Members(
            self.ids[part], self.values[part], self.known[part], self.encoding, self.as_of
        )
