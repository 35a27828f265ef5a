"""Lists of items for members: what every recommender answers, and how scores become lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.histories import Histories

Source = Literal["als", "graph", "repeat", "frequency", "popularity"]
# (members, items) scores, higher is better; −inf is never listed.
Scores = NDArray[np.float32] | NDArray[np.float64]
_MOST_SCORES = 32_000_000  # held at a time, so that memory does not grow with members × items
_MOST_MEMBERS = 4_096  # scored at a time


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What one member is offered.

    items: best first; fewer than asked when no more are left.
    scores: one per item. They compare items for one member, have no unit, and those of different
        sources are on different scales.
    source: the model that answered; ``popularity`` when it does not know the member.
    """

    items: tuple[str, ...]
    scores: tuple[float, ...]
    source: Source


class Recommender(Protocol):
    """What evaluation, releases and the scorer ask of every recommender."""

    @property
    def item_ids(self) -> NDArray[np.bytes_]:
        """(items,) UTF-8, sorted, unique: all that can be listed."""

    @property
    def popularity(self) -> NDArray[np.float32]:
        """(items,) 0 or more: what a stranger is listed by."""

    def recommend(
        self,
        members: Sequence[str],
        k: int,
        exclude: Mapping[str, Collection[str]] | None = None,
    ) -> list[Recommendation]:
        """The ``k`` best items of each member, in the order asked, nothing of ``exclude``."""

    def item_scores(self, members: Sequence[str], items: Sequence[str]) -> NDArray[np.float32]:
        """(members, items) scores; NaN where the model knows the member or item not."""

    def save(self, folder: Path) -> None:
        """Write a ``models.artifact`` folder."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Lists that are wanted, one per member.

    known: (members,) whether the model knows the member; who it does not know gets ``popularity``
        as the source.
    barred: items a member must not get, in the order of members; unknown ones do no harm.
    source: the model that answers for the known.
    """

    k: int
    known: NDArray[np.bool_]
    barred: Sequence[Collection[str]]
    source: Source


def ranked_lists(
    item_ids: NDArray[np.bytes_], ask: Ask, scores: Callable[[slice], Scores]
) -> list[Recommendation]:
    """The best ``k`` items of each member; equal scores go by item id.

    Args:
        scores: gives the scores of a run of members, as an array that may be written to.

    Raises:
        ModelError: ``k`` is below 1.
    """
    if ask.k < 1:
        raise ModelError(f"k is {ask.k}, wanted 1 or more")
    answers: list[Recommendation] = []
    step = at_a_time(len(item_ids))
    for start in range(0, len(ask.known), step):
        chunk = scores(slice(start, start + step))
        for row, found in enumerate(chunk, start=start):
            barred = positions(item_ids, list(ask.barred[row]))
            found[barred[barred >= 0]] = -np.inf
            source: Source = ask.source if ask.known[row] else "popularity"
            answers.append(_best(item_ids, found, ask.k, source))
    return answers


def at_a_time(items: int) -> int:
    """How many members to score at a time over so many items."""
    return int(np.clip(_MOST_SCORES // max(items, 1), 1, _MOST_MEMBERS))


def barred_of(
    members: Sequence[str], exclude: Mapping[str, Collection[str]] | None
) -> list[Collection[str]]:
    """What each member must not get, in the order of ``members``."""
    return [exclude.get(member, ()) for member in members] if exclude else [()] * len(members)


def positions(known: NDArray[np.bytes_], asked: Sequence[str]) -> NDArray[np.int64]:
    """Where each id stands among the sorted ``known`` ones, −1 where it does not."""
    if not len(known) or not len(asked):
        return np.full(len(asked), -1, dtype=np.int64)
    # numpy drops trailing NULs, so "a" and "a\0" would be one id: the latter is nobody's.
    encoded: NDArray[Any] = np.array([text.encode("utf-8", "surrogatepass") for text in asked])
    found = np.searchsorted(known, encoded).clip(max=len(known) - 1)
    same = known[found] == encoded
    same &= np.array([not text.endswith("\0") for text in asked])
    return np.where(same, found, -1).astype(np.int64)


def histories_of(item_ids: NDArray[np.bytes_], firsts: Sequence[Mapping[str, float]]) -> Histories:
    """What members met, given by item id; unknown items are left out.

    Raises:
        ModelError: a weight that is not a finite number above 0.
    """
    members, items, weights = [], [], []
    for member, first in enumerate(firsts):
        for item, weight in first.items():
            if not (weight > 0 and math.isfinite(weight)):
                raise ModelError(f"weight of {item!r} is {weight}, wanted a number above 0")
        rows = positions(item_ids, list(first))
        for row, weight in zip(rows.tolist(), first.values(), strict=True):
            if row >= 0:
                members.append(member)
                items.append(row)
                weights.append(weight)
    return Histories.of(
        len(firsts),
        np.array(members, dtype=np.int64),
        np.array(items, dtype=np.int64),
        np.array(weights, dtype=np.float64),
    )


def check_sorted(name: str, ids: NDArray[np.bytes_]) -> None:
    """Raises ``ModelError`` unless ``ids`` are sorted and unique."""
    if (ids[:-1] >= ids[1:]).any():
        raise ModelError(f"{name} are not sorted and unique")


def _best(item_ids: NDArray[np.bytes_], scores: Scores, k: int, source: Source) -> Recommendation:
    left = np.flatnonzero(scores > -np.inf)
    if len(left) > k:
        worst_kept = np.partition(scores[left], len(left) - k)[len(left) - k]
        left = left[scores[left] >= worst_kept]
    best = left[np.argsort(-scores[left], kind="stable")][:k]
    items = tuple(item.decode() for item in item_ids[best].tolist())
    return Recommendation(items, tuple(scores[best].tolist()), source)
