"""Graph filter: what goes with what a member met, by neighbours and by the broad tastes of all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.errors import ModelError
from models.histories import Histories
from models.listing import (
    Ask,
    Recommendation,
    Scores,
    at_a_time,
    barred_of,
    check_sorted,
    histories_of,
    positions,
    ranked_lists,
)
from models.row_sums import on_grid

KIND = "graph-filter"


@dataclass(frozen=True, eq=False)
class GraphFilter:
    """GF-CF: a member's history passed through filters on the graph of items.

    Scores are ``r (P + α D^(−1/2) V Vᵀ D^(1/2))`` of a history r: P the normalised Gram matrix of
    the items, of which each item keeps its nearest; V its leading directions (the ideal low pass);
    D the degrees of the items. Nothing is trained, so a member not seen before is answered like
    any other.

    cold: row numbers of items that nobody had met; their directions come from items like them.

    Source: Shen et al., "How powerful is graph convolution for recommendation?", CIKM 2021.
    """

    member_ids: NDArray[np.bytes_]  # (members,) UTF-8, sorted, unique
    item_ids: NDArray[np.bytes_]  # (items,) UTF-8, sorted, unique
    histories: Histories  # of the members
    neighbours: NDArray[np.int32]  # (items, nearest) row numbers
    similarity: NDArray[np.float32]  # (items, nearest) 0 or more; 0 where there are fewer
    directions: NDArray[np.float32]  # (items, rank) V, columns of length 1
    strengths: NDArray[np.float32]  # (rank,) singular values, greatest first
    degrees: NDArray[np.float32]  # (items,) above 0
    popularity: NDArray[np.float32]  # (items,) 0 or more
    low_pass: float = 0.3  # α
    cold: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        members, items = len(self.member_ids), len(self.item_ids)
        found = (
            len(self.histories), len(self.neighbours), self.similarity.shape,
            self.directions.shape, self.degrees.shape, self.popularity.shape,
        )  # fmt: skip
        shape, rank = self.neighbours.shape, len(self.strengths)
        wanted = (members, items, shape, (items, rank), (items,), (items,))
        if found != wanted:
            raise ModelError(f"parts of the graph filter are {found}, wanted {wanted}")
        check_sorted("member_ids", self.member_ids)
        check_sorted("item_ids", self.item_ids)
        self.histories.check_items(items)
        known = np.arange(items)
        if not (np.isin(self.neighbours, known).all() and np.isin(self.cold, known).all()):
            raise ModelError(f"neighbours or cold items are not among the {items} items")
        if not (self.degrees > 0).all():
            raise ModelError("degrees are to be above 0")

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
        ask = Ask(k, rows >= 0, barred_of(members, exclude), "graph")
        return self._lists(ask, self.histories, rows)

    def recommend_new(
        self,
        firsts: Sequence[Mapping[str, float]],
        k: int,
        exclude: Sequence[Collection[str]] | None = None,
    ) -> list[Recommendation]:
        """Lists for members the model does not know, from the first items that they met.

        Args:
            firsts: weight by item, as the training weighs them; unknown items are passed over. Who
                met no known item gets the most popular ones.
            exclude: items each must not get, in the order of ``firsts``.
        """
        histories = histories_of(self.item_ids, firsts)
        known = np.diff(histories.starts) > 0
        rows = np.where(known, np.arange(len(firsts)), -1)
        ask = Ask(k, known, exclude or [()] * len(firsts), "graph")
        return self._lists(ask, histories, rows)

    def item_scores(self, members: Sequence[str], items: Sequence[str]) -> NDArray[np.float32]:
        """(members, items) scores; NaN where the model knows the member or item not.

        The caller picks what stands in for NaN: a zero here would pass for a score.
        """
        rows, columns = positions(self.member_ids, members), _columns(self, tuple(items))
        scores = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        known, listed = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
        step = at_a_time(len(self.item_ids))
        for start in range(0, len(known), step):
            part = known[start : start + step]
            whole = self._filtered(self.histories, rows[part])
            scores[np.ix_(part, listed)] = whole[:, columns[listed]]
        return scores

    @property
    def item_vectors(self) -> NDArray[np.float32]:
        """(items, rank): items that go together point the same way."""
        return self.directions * self.strengths

    def save(self, folder: Path) -> None:
        arrays = {
            "member_ids": self.member_ids,
            "item_ids": self.item_ids,
            "history_starts": self.histories.starts,
            "history_items": self.histories.items,
            "history_weights": self.histories.weights,
            "neighbours": self.neighbours,
            "similarity": self.similarity,
            "directions": self.directions,
            "strengths": self.strengths,
            "degrees": self.degrees,
            "popularity": self.popularity,
            "cold": self.cold,
        }
        Artifact(KIND, {"low_pass": self.low_pass}, arrays).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ``ArtifactError``: another kind of model, or arrays that do not fit."""
        stored = Artifact.load(folder, KIND)
        parts: dict[str, Any] = {**stored.arrays, **stored.config}
        try:
            names = ("history_starts", "history_items", "history_weights")
            histories = Histories(*(parts.pop(name) for name in names))
            return cls(histories=histories, **parts)
        except (KeyError, TypeError, IndexError, ModelError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error

    def _lists(
        self, ask: Ask, histories: Histories, rows: NDArray[np.int64]
    ) -> list[Recommendation]:
        def scores(part: slice) -> Scores:
            found = np.tile(self.popularity, (len(rows[part]), 1))
            known = rows[part] >= 0
            found[known] = self._filtered(histories, rows[part][known])
            return found

        return ranked_lists(self.item_ids, ask, scores)

    @cached_property
    def _broad(self) -> NDArray[np.float64]:
        return on_grid(self.directions * np.sqrt(self.degrees.astype(np.float64))[:, None])

    @cached_property
    def _root(self) -> NDArray[np.float64]:
        return np.sqrt(self.degrees.astype(np.float64))

    def _filtered(self, histories: Histories, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows), items) of the histories in ``rows``."""
        near = np.zeros((len(rows), len(self.item_ids)))
        broad = np.zeros((len(rows), self.directions.shape[1]))
        root = self._root
        for place, row in enumerate(rows.tolist()):
            items, weights = histories.row(row)
            # Every history on its own, so that a member alone is answered as among many.
            spread = weights[:, None].astype(np.float64) * self.similarity[items]
            near[place] = np.bincount(
                self.neighbours[items].ravel(), spread.ravel(), len(self.item_ids)
            )
            met = (weights / root[items])[:, None] * self.directions[items]
            broad[place] = met.sum(axis=0)
        near += self.low_pass * (on_grid(broad) @ self._broad.T)
        return near.astype(np.float32)


@lru_cache(maxsize=512)
def _columns(model: GraphFilter, items: tuple[str, ...]) -> NDArray[np.int64]:
    """An offer's scope is asked about again and again."""
    return positions(model.item_ids, items)
