"""The plain recommenders that every other has to beat: what is popular, what one bought before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.errors import ModelError
from models.histories import Histories
from models.listing import (
    Ask,
    Recommendation,
    Scores,
    barred_of,
    check_sorted,
    positions,
    ranked_lists,
)


@dataclass(frozen=True, eq=False)
class Popularity:
    """The same for everyone: what most members bought lately."""

    item_ids: NDArray[np.bytes_]  # (items,) UTF-8, sorted, unique
    popularity: NDArray[np.float32]  # (items,) 0 or more

    def __post_init__(self) -> None:
        check_sorted("item_ids", self.item_ids)
        if self.popularity.shape != (len(self.item_ids),):
            raise ModelError(
                f"popularity is {self.popularity.shape}, wanted ({len(self.item_ids)},)"
            )

    def recommend(
        self,
        members: Sequence[str],
        k: int,
        exclude: Mapping[str, Collection[str]] | None = None,
    ) -> list[Recommendation]:
        """The ``k`` most popular items that each member may get; equal ones go by item id."""
        nobody = np.zeros(len(members), dtype=bool)
        ask = Ask(k, nobody, barred_of(members, exclude), "popularity")
        return ranked_lists(
            self.item_ids, ask, lambda part: np.tile(self.popularity, (len(nobody[part]), 1))
        )

    def item_scores(self, members: Sequence[str], items: Sequence[str]) -> NDArray[np.float32]:
        """(members, items), all NaN: popularity knows no member."""
        return np.full((len(members), len(items)), np.nan, dtype=np.float32)

    def save(self, folder: Path) -> None:
        arrays = {"item_ids": self.item_ids, "popularity": self.popularity}
        Artifact("popularity", {}, arrays).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ``ArtifactError``: another kind of model, or arrays that do not fit."""
        try:
            return cls(**Artifact.load(folder, "popularity").arrays)
        except (TypeError, ModelError) as error:
            raise ArtifactError(f"{folder} is not a readable popularity: {error}") from error


@dataclass(frozen=True, eq=False)
class PersonalFrequency:
    """What a member bought most often, then what is popular.

    counts: how often each member bought each item. Equal counts go by popularity.
    """

    member_ids: NDArray[np.bytes_]  # (members,) UTF-8, sorted, unique
    item_ids: NDArray[np.bytes_]  # (items,) UTF-8, sorted, unique
    counts: Histories
    popularity: NDArray[np.float32]  # (items,) 0 or more

    def __post_init__(self) -> None:
        check_sorted("member_ids", self.member_ids)
        check_sorted("item_ids", self.item_ids)
        self.counts.check_items(len(self.item_ids))
        found = (len(self.counts), self.popularity.shape)
        if found != (len(self.member_ids), (len(self.item_ids),)):
            raise ModelError(
                f"counts and popularity are {found}, wanted "
                f"{len(self.member_ids)} members and {len(self.item_ids)} items"
            )

    def recommend(
        self,
        members: Sequence[str],
        k: int,
        exclude: Mapping[str, Collection[str]] | None = None,
    ) -> list[Recommendation]:
        """The ``k`` best items of each member, in the order asked; strangers get the popular."""
        rows = positions(self.member_ids, members)
        ask = Ask(k, rows >= 0, barred_of(members, exclude), "frequency")
        return ranked_lists(self.item_ids, ask, lambda part: self._scores(rows[part]))

    def item_scores(self, members: Sequence[str], items: Sequence[str]) -> NDArray[np.float32]:
        """(members, items) scores; NaN where the model knows the member or item not."""
        rows, columns = positions(self.member_ids, members), positions(self.item_ids, items)
        scores = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        known, listed = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
        scores[np.ix_(known, listed)] = self._scores(rows[known])[:, columns[listed]]
        return scores

    def save(self, folder: Path) -> None:
        arrays = {
            "member_ids": self.member_ids,
            "item_ids": self.item_ids,
            "count_starts": self.counts.starts,
            "count_items": self.counts.items,
            "counts": self.counts.weights,
            "popularity": self.popularity,
        }
        Artifact("personal-frequency", {}, arrays).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ``ArtifactError``: another kind of model, or arrays that do not fit."""
        arrays = dict(Artifact.load(folder, "personal-frequency").arrays)
        try:
            names = ("count_starts", "count_items", "counts")
            counts = Histories(*(arrays.pop(name) for name in names))
            return cls(counts=counts, **arrays)
        except (KeyError, TypeError, IndexError, ModelError) as error:
            message = f"{folder} is not a readable personal frequency: {error}"
            raise ArtifactError(message) from error

    def _scores(self, rows: NDArray[np.int64]) -> Scores:
        """(len(rows), items): counts, and popularity as a rank below 1."""
        rank = np.empty(len(self.item_ids))
        rank[np.argsort(-self.popularity, kind="stable")] = np.arange(len(rank), 0, -1)
        scores = np.tile(rank / (len(rank) + 1), (len(rows), 1))
        for place, row in enumerate(rows.tolist()):
            if row >= 0:
                items, counts = self.counts.row(row)
                scores[place, items] += counts
        return scores
