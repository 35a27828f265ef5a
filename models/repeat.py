"""Repeat: what a member's next order will hold, from the habits of the member and of all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
    barred_of,
    check_sorted,
    positions,
    ranked_lists,
)
from models.trees import Trees

KIND = "repeat"
OWN = (
    "orders", "faded_30", "faded_180", "recency_days", "age_days", "gap_days", "overdue",
    "share_of_orders", "orders_a_year_ago", "since_last_order_days", "place",
    "orders_since", "share_since_first", "share_of_last_5",
)  # fmt: skip
MEMBER = (
    "member_orders", "member_recency_days", "member_gap_days", "member_items", "member_basket",
    "member_repeats",
)  # fmt: skip
ITEM = (
    "buyers_7", "buyers_30", "buyers_90", "buyers_trend", "repeat_buyers", "item_age_days",
    "item_recency_days", "buyers_a_year_ago",
)  # fmt: skip
MATCH = ("near", "near_share", "together", "together_share", "last_order", "last_order_share")
NAMES = OWN + MEMBER + ITEM + MATCH
_FADED_30, _FADED_180 = OWN.index("faded_30"), OWN.index("faded_180")
_LAST = OWN.index("since_last_order_days")
# Candidates of a member, at most, beside the items bought before.
_POPULAR, _NEAR, _TOGETHER = 50, 100, 50
_MOST_OWN = 400


@dataclass(frozen=True, eq=False)
class Near:
    """The nearest items of each item: row numbers and similarities, 0 where there are fewer."""

    items: NDArray[np.int32]  # (items, width)
    similarity: NDArray[np.float32]  # (items, width) 0 or more

    def spread(self, items: NDArray[np.int32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(all items,) similarities to ``items``, each times its weight, added up."""
        shares = weights[:, None] * self.similarity[items]
        total = np.bincount(self.items[items].ravel(), shares.ravel(), len(self.items))
        return np.asarray(total, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Habits:
    """What is known of members, items and their pairs at a moment.

    own: items that each member bought, weighed by the orders that held them.
    near: items bought by the same members. together: items of the same orders.
    """

    member_ids: NDArray[np.bytes_]  # (members,) UTF-8, sorted, unique
    item_ids: NDArray[np.bytes_]  # (items,) UTF-8, sorted, unique
    own: Histories
    own_values: NDArray[np.float32]  # (n, OWN) of the pairs of ``own``
    member_values: NDArray[np.float32]  # (members, MEMBER)
    item_values: NDArray[np.float32]  # (items, ITEM)
    near: Near
    together: Near
    popularity: NDArray[np.float32]  # (items,) 0 or more

    def __post_init__(self) -> None:
        members, items, pairs = len(self.member_ids), len(self.item_ids), len(self.own.items)
        found = (
            len(self.own), self.own_values.shape, self.member_values.shape,
            self.item_values.shape, self.popularity.shape,
        )  # fmt: skip
        wanted = (
            members, (pairs, len(OWN)), (members, len(MEMBER)), (items, len(ITEM)), (items,),
        )  # fmt: skip
        if found != wanted:
            raise ModelError(f"parts of the habits are {found}, wanted {wanted}")
        check_sorted("member_ids", self.member_ids)
        check_sorted("item_ids", self.item_ids)
        self.own.check_items(items)
        for one in (self.near, self.together):
            fits = len(one.items) == items and one.items.shape == one.similarity.shape
            if not fits or not np.isin(one.items, np.arange(items)).all():
                raise ModelError(f"near items do not fit the {items} items")

    def candidates(self, member: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the items that the next order of ``member`` may hold, and what is known of each.

        Items bought before, popular ones, and those near to or bought together with them.

        Returns:
            (n,) rows in rising order, and (n, ``NAMES``) values; NaN where there is none.
        """
        part = slice(self.own.starts[member], self.own.starts[member + 1])
        own, values = self.own.items[part], self.own_values[part]
        near = _match(self.near, own, values[:, _FADED_180])
        together = _match(self.together, own, values[:, _FADED_30])
        last = _match(self.together, own, (values[:, _LAST] < 1).astype(np.float32))
        kept = own[_best(values[:, _FADED_180], _MOST_OWN)]
        rows = np.unique(
            np.concatenate(
                [
                    kept,
                    _best(self.popularity, _POPULAR),
                    _best(near, _NEAR),
                    _best(together, _TOGETHER),
                ]
            )
        )
        table = np.full((len(rows), len(NAMES)), np.nan, dtype=np.float32)
        place = np.searchsorted(own, rows).clip(max=max(len(own) - 1, 0))
        had = own[place] == rows if len(own) else np.zeros(len(rows), dtype=bool)
        ends = np.cumsum([len(OWN), len(MEMBER), len(ITEM)])
        table[had, : ends[0]] = values[place[had]]
        table[:, ends[0] : ends[1]] = self.member_values[member]
        table[:, ends[1] : ends[2]] = self.item_values[rows]
        for column, match in zip(
            range(ends[2], len(NAMES), 2), (near, together, last), strict=True
        ):
            table[:, column] = match[rows]
            table[:, column + 1] = match[rows] / max(float(match.max(initial=0)), 1e-12)
        return rows, table


@dataclass(frozen=True, eq=False)
class RepeatModel:
    """Habits, and the trees that rank their candidates; popularity for unknown members."""

    habits: Habits
    trees: Trees

    @property
    def item_ids(self) -> NDArray[np.bytes_]:
        """(items,) UTF-8, sorted, unique: all that can be listed."""
        return self.habits.item_ids

    @property
    def popularity(self) -> NDArray[np.float32]:
        """(items,) 0 or more: what a stranger is listed by."""
        return self.habits.popularity

    def recommend(
        self,
        members: Sequence[str],
        k: int,
        exclude: Mapping[str, Collection[str]] | None = None,
    ) -> list[Recommendation]:
        """The ``k`` items that the next order of each member most likely holds, best first.

        Fewer where a member has fewer candidates left. A member the model never saw gets the most
        popular items, and the answer says so.

        Args:
            exclude: items a member must not get, by member; unknown items in it do no harm.
        """
        rows = positions(self.habits.member_ids, members)
        ask = Ask(k, rows >= 0, barred_of(members, exclude), "repeat")
        return ranked_lists(self.item_ids, ask, lambda part: self._scores(rows[part]))

    def item_scores(self, members: Sequence[str], items: Sequence[str]) -> NDArray[np.float32]:
        """(members, items) scores; NaN where the member or item is not known, or is no candidate.

        They compare items for one member.
        """
        rows = positions(self.habits.member_ids, members)
        columns = positions(self.item_ids, items)
        scores = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        known, listed = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
        for place in known:
            found = self._scores(rows[[place]])[0, columns[listed]]
            scores[place, listed] = np.where(np.isfinite(found), found, np.nan)
        return scores

    def save(self, folder: Path) -> None:
        habits = self.habits
        arrays = {
            "member_ids": habits.member_ids,
            "item_ids": habits.item_ids,
            "own_starts": habits.own.starts,
            "own_items": habits.own.items,
            "own_orders": habits.own.weights,
            "own_values": habits.own_values,
            "member_values": habits.member_values,
            "item_values": habits.item_values,
            "near_items": habits.near.items,
            "near_similarity": habits.near.similarity,
            "together_items": habits.together.items,
            "together_similarity": habits.together.similarity,
            "popularity": habits.popularity,
        }
        config = {"names": list(self.trees.names)}
        Artifact(KIND, config, arrays, {"booster": self.trees.text()}).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; check the files' hashes first where they came from elsewhere.

        Raises:
            ArtifactError: another kind of model, or parts that do not fit each other.
        """
        stored = Artifact.load(folder, KIND)
        parts: dict[str, Any] = dict(stored.arrays)
        try:
            own = Histories(*(parts.pop(f"own_{name}") for name in ("starts", "items", "orders")))
            near, together = (
                Near(parts.pop(f"{name}_items"), parts.pop(f"{name}_similarity"))
                for name in ("near", "together")
            )
            habits = Habits(own=own, near=near, together=together, **parts)
            trees = Trees.read(stored.texts["booster"], tuple(stored.config["names"]))
        except (KeyError, TypeError, IndexError, ValueError, ModelError) as error:
            raise ArtifactError(f"{folder} is not a readable {KIND} model: {error}") from error
        return cls(habits, trees)

    def _scores(self, rows: NDArray[np.int64]) -> Scores:
        """(len(rows), items): −inf where an item is no candidate; popularity in rows of −1."""
        scores = np.tile(self.popularity.astype(np.float64), (len(rows), 1))
        known = np.flatnonzero(rows >= 0)
        if not len(known):
            return scores
        scores[known] = -np.inf
        found = [self.habits.candidates(int(row)) for row in rows[known]]
        judged = self.trees.score(np.concatenate([table for _, table in found]), NAMES)
        start = 0
        for place, (items, _) in zip(known, found, strict=True):
            scores[place, items] = judged[start : start + len(items)]
            start += len(items)
        return scores


def _match(near: Near, own: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """(items,) similarity to what the member bought, the weights made shares."""
    wide = weights.astype(np.float64)
    return near.spread(own, wide / max(float(wide.sum()), 1e-12))


def _best(scores: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Rows of the ``most`` greatest scores above 0; equal ones by row."""
    left = np.flatnonzero(scores > 0)
    if len(left) > most:
        worst = np.partition(scores[left], len(left) - most)[len(left) - most]
        left = left[scores[left] >= worst]
    return left[np.argsort(-scores[left], kind="stable")][:most]
