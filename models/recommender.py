"""Recommender: which items a member would want, from what members saw and bought."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact, ArtifactError
from models.errors import ModelError

KIND = "recommender"
Source = Literal["als", "popularity"]
_CHUNK = 4_096  # members scored at a time, so that memory stays at a chunk times the items


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What one member is offered.

    items: best first; fewer than asked when no more are left.
    scores: one per item. They compare items for one member: taste (``als``) has no unit, and
        ``popularity`` is on another scale.
    source: ``popularity`` when the model does not know the member.
    """

    items: tuple[str, ...]
    scores: tuple[float, ...]
    source: Source


@dataclass(frozen=True, eq=False)
class AlsRecommender:
    """A fitted matrix factorisation, with popularity for members that it does not know."""

    member_ids: NDArray[np.bytes_]  # (members,) UTF-8, sorted, unique
    item_ids: NDArray[np.bytes_]  # (items,) UTF-8, sorted, unique
    member_factors: NDArray[np.float32]  # (members, factors)
    item_factors: NDArray[np.float32]  # (items, factors)
    popularity: NDArray[np.float32]  # (items,) 0 or more

    def __post_init__(self) -> None:
        members, items = len(self.member_ids), len(self.item_ids)
        factors = self.item_factors.shape[-1]
        found = (self.member_factors.shape, self.item_factors.shape, self.popularity.shape)
        wanted = ((members, factors), (items, factors), (items,))
        if found != wanted:
            raise ModelError(f"factors and popularity are {found}, wanted {wanted}")
        for name, ids in (("member_ids", self.member_ids), ("item_ids", self.item_ids)):
            if (ids[:-1] >= ids[1:]).any():
                raise ModelError(f"{name} are not sorted and unique")

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
        if k < 1:
            raise ModelError(f"k is {k}, wanted 1 or more")
        barred = exclude or {}
        rows = _positions(self.member_ids, members)
        answers: list[Recommendation] = []
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            scores = self._scores(chunk)
            for offset, member in enumerate(members[start : start + _CHUNK]):
                excluded = _positions(self.item_ids, list(barred.get(member, ())))
                scores[offset, excluded[excluded >= 0]] = -np.inf
                source: Source = "als" if chunk[offset] >= 0 else "popularity"
                answers.append(self._best(scores[offset], k, source))
        return answers

    def item_scores(self, members: Sequence[str], items: Sequence[str]) -> NDArray[np.float32]:
        """(members, items) taste scores; NaN where the model knows the member or item not.

        The caller picks what stands in for NaN: a zero here would pass for a score.
        """
        rows, columns = _positions(self.member_ids, members), _positions(self.item_ids, items)
        scores = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        known, listed = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
        scores[np.ix_(known, listed)] = self._taste(rows[known], self.item_factors[columns[listed]])
        return scores

    def save(self, folder: Path) -> None:
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        Artifact(KIND, {}, arrays).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises ``ArtifactError``: another kind of model, or arrays that do not fit."""
        stored = Artifact.load(folder, KIND)
        try:
            return cls(**stored.arrays)
        except (TypeError, ModelError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error

    def _scores(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows), items) scores; popularity in rows of -1."""
        scores = np.tile(self.popularity, (len(rows), 1))
        scores[rows >= 0] = self._taste(rows[rows >= 0], self.item_factors)
        return scores

    def _taste(
        self, rows: NDArray[np.int64], item_factors: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        # A product's last bits depend on how many members are asked at once. In float64 they fall
        # away on rounding, so one member asked alone gets the answer it gets among many.
        product = self.member_factors[rows].astype(np.float64) @ item_factors.T.astype(np.float64)
        return np.asarray(product, dtype=np.float32)

    def _best(self, scores: NDArray[np.float32], k: int, source: Source) -> Recommendation:
        left = np.flatnonzero(scores > -np.inf)
        if len(left) > k:
            worst_kept = np.partition(scores[left], len(left) - k)[len(left) - k]
            left = left[scores[left] >= worst_kept]
        best = left[np.argsort(-scores[left], kind="stable")][:k]
        items = tuple(item.decode() for item in self.item_ids[best].tolist())
        return Recommendation(items, tuple(scores[best].tolist()), source)


def _positions(known: NDArray[np.bytes_], asked: Sequence[str]) -> NDArray[np.int64]:
    """Where each id stands among the sorted ``known`` ones, -1 where it does not."""
    if not len(known) or not len(asked):
        return np.full(len(asked), -1, dtype=np.int64)
    # numpy drops trailing NULs, so "a" and "a\0" would be one id: the latter is nobody's.
    encoded: NDArray[Any] = np.array([text.encode("utf-8", "surrogatepass") for text in asked])
    found = np.searchsorted(known, encoded).clip(max=len(known) - 1)
    same = known[found] == encoded
    same &= np.array([not text.endswith("\0") for text in asked])
    return np.where(same, found, -1).astype(np.int64)
