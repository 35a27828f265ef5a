"""Recommender: which items a member would want, from what members saw and bought."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.errors import ModelError
from models.fold_in import FoldIn
from models.graph_filter import KIND as GRAPH_FILTER
from models.graph_filter import GraphFilter
from models.listing import (
    Ask,
    Recommendation,
    Scores,
    barred_of,
    check_sorted,
    histories_of,
    positions,
    ranked_lists,
)
from models.row_sums import on_grid

KIND = "recommender"


@dataclass(frozen=True, eq=False)
class AlsRecommender:
    """A fitted matrix factorisation, with popularity for members that it does not know.

    cold: row numbers of items that nobody had met; their factors come from items like them.
    regularization, confidence: what the factors were fitted with, for folding in new members;
        confidence is what each unit of weight adds to that of a pair that never met, which is 1.
    """

    member_ids: NDArray[np.bytes_]  # (members,) UTF-8, sorted, unique
    item_ids: NDArray[np.bytes_]  # (items,) UTF-8, sorted, unique
    member_factors: NDArray[np.float32]  # (members, factors)
    item_factors: NDArray[np.float32]  # (items, factors)
    popularity: NDArray[np.float32]  # (items,) 0 or more
    cold: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    regularization: float = 1.0
    confidence: float = 1.0

    def __post_init__(self) -> None:
        members, items = len(self.member_ids), len(self.item_ids)
        factors = self.item_factors.shape[-1]
        found = (self.member_factors.shape, self.item_factors.shape, self.popularity.shape)
        wanted = ((members, factors), (items, factors), (items,))
        if found != wanted:
            raise ModelError(f"factors and popularity are {found}, wanted {wanted}")
        check_sorted("member_ids", self.member_ids)
        check_sorted("item_ids", self.item_ids)
        if not np.isin(self.cold, np.arange(items)).all():
            raise ModelError(f"cold items are not among the {items} items")
        if not (self.regularization > 0 and self.confidence > 0):
            raise ModelError("regularization and confidence are to be above 0")

    def recommend(
        self,
        members: Sequence[str],
        k: int,
        exclude: Mapping[str, Collection[str]] | None = None,
    ) -> list[Recommendation]:
        """The ``k`` best items of each member, in the order asked.

        A member the model never saw gets the most popular items, and the answer says so. Equal
        scores go by item id.

        Args:
            exclude: items a member must not get, by member; unknown items in it do no harm.
        """
        rows = positions(self.member_ids, members)
        factors = self.member_factors
        ask = Ask(k, rows >= 0, barred_of(members, exclude), "als")
        return ranked_lists(self.item_ids, ask, lambda part: self._scores(factors, rows[part]))

    def recommend_new(
        self,
        firsts: Sequence[Mapping[str, float]],
        k: int,
        exclude: Sequence[Collection[str]] | None = None,
    ) -> list[Recommendation]:
        """Lists for members the model was not fitted on, from the first items that they met.

        Args:
            firsts: weight by item, as the training weighs them; unknown items are passed over. Who
                met no known item gets the most popular ones.
            exclude: items each must not get, in the order of ``firsts``.
        """
        factors = self.fold_in(firsts)
        known = np.asarray(np.isfinite(factors).all(axis=1), dtype=np.bool_)
        rows = np.where(known, np.arange(len(firsts)), -1)
        ask = Ask(k, known, exclude or [()] * len(firsts), "als")
        return ranked_lists(self.item_ids, ask, lambda part: self._scores(factors, rows[part]))

    def fold_in(self, firsts: Sequence[Mapping[str, float]]) -> NDArray[np.float32]:
        """(len(firsts), factors) of members from the items they met, without training anew.

        The same as training's own for a member of the same history, up to rounding. NaN where no
        item is known.

        Raises:
            ModelError: a weight that is not above 0.
        """
        histories = histories_of(self.item_ids, firsts)
        factors = self.solver().factors(histories)
        factors[np.diff(histories.starts) == 0] = np.nan
        return factors

    def solver(self) -> FoldIn:
        """What finds a member's factors from a history."""
        learned = np.ones(len(self.item_ids), dtype=bool)
        learned[self.cold] = False
        return FoldIn.of(self.item_factors, learned, self.regularization, self.confidence)

    def item_scores(self, members: Sequence[str], items: Sequence[str]) -> NDArray[np.float32]:
        """(members, items) taste scores; NaN where the model knows the member or item not.

        The caller picks what stands in for NaN: a zero here would pass for a score.
        """
        rows, columns = positions(self.member_ids, members), positions(self.item_ids, items)
        scores = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        known, listed = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
        tastes = on_grid(self.member_factors[rows[known]])
        scores[np.ix_(known, listed)] = tastes @ self._items[columns[listed]].T
        return scores

    @property
    def item_vectors(self) -> NDArray[np.float32]:
        """(items, factors): items that go together point the same way."""
        return self.item_factors

    def save(self, folder: Path) -> None:
        config = {"regularization": self.regularization, "confidence": self.confidence}
        arrays = {
            "member_ids": self.member_ids,
            "item_ids": self.item_ids,
            "member_factors": self.member_factors,
            "item_factors": self.item_factors,
            "popularity": self.popularity,
            "cold": self.cold,
        }
        Artifact(KIND, config, arrays).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ``ArtifactError``: another kind of model, or arrays that do not fit."""
        stored = Artifact.load(folder, KIND)
        parts: dict[str, Any] = {**stored.arrays, **stored.config}
        try:
            return cls(**parts)
        except (TypeError, IndexError, ModelError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error

    def _scores(self, factors: NDArray[np.float32], rows: NDArray[np.int64]) -> Scores:
        """(len(rows), items) scores by the rows of ``factors``; popularity in rows of −1."""
        scores = np.tile(self.popularity, (len(rows), 1))
        scores[rows >= 0] = on_grid(factors[rows[rows >= 0]]) @ self._items.T
        return scores

    @cached_property
    def _items(self) -> NDArray[np.float64]:
        return on_grid(self.item_factors)


def load_recommender(folder: Path) -> AlsRecommender | GraphFilter:
    """The recommender in ``folder``, of whichever kind was kept.

    Raises:
        ArtifactError: none there, or not readable.
    """
    try:
        kind = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error
    return GraphFilter.load(folder) if kind == GRAPH_FILTER else AlsRecommender.load(folder)
