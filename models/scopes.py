"""How members stand to the scopes of offers: all scopes of a push at once, each of them once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.row_sums import row_sums
from models.tastes import Into, Tastes

COLUMNS = (
    "scope_interest", "scope_share", "scope_taste", "scope_seen_days", "scope_bought_days",
    "scope_lately", "scope_share_unseen", "scope_taste_unseen", "scope_lift",
)  # fmt: skip
# Who has looked at something within this many days is likely to be about to buy it anyway.
_LATELY = 30.0


@dataclass(frozen=True, eq=False)
class Turned:
    """What n members turned to, by category; (n, categories) each.

    interest: 0 for none. seen, bought: days since, NaN for never. shares: of the member's interest.
    kinds: (n, kinds) what kind of member each is.
    """

    interest: NDArray[np.float32]
    seen: NDArray[np.float32]
    bought: NDArray[np.float32]
    shares: NDArray[np.float32]
    kinds: NDArray[np.float64]

    @classmethod
    def of(cls, told: NDArray[np.float32], tastes: Tastes) -> Self:
        """Of (n, 3, categories) interest, days since seen, days since bought; NaN for missing."""
        interest, seen, bought = (np.ascontiguousarray(told[:, kind]) for kind in range(3))
        touched = (interest > 0) | ~np.isnan(seen) | ~np.isnan(bought)
        interest = np.nan_to_num(interest)
        return cls(interest, seen, bought, shares_of(interest), tastes.kinds(touched))


def shares_of(interest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each member's interest split over the categories; zeros for a member without any."""
    total = row_sums(interest)[:, None]
    shares = interest / np.maximum(total, np.float32(1e-9))
    return shares.astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class Scopes:
    """The s distinct scopes of some offers: sets of categories, as masks.

    inside: (s, categories). place: (offers,) which of the scopes is each offer's.
    single: scopes of one category, and category: which it is. wide: the others.
    alike: (s, categories) how alike what is outside is to what is inside.
    """

    inside: NDArray[np.bool_]
    place: NDArray[np.int64]
    single: NDArray[np.int64]
    category: NDArray[np.int64]
    wide: NDArray[np.int64]
    alike: NDArray[np.float32]
    into: Into

    @classmethod
    def of(
        cls, insides: Sequence[tuple[bool, ...]], similarity: NDArray[np.float32], tastes: Tastes
    ) -> Self:
        """Of each offer's mask over the categories."""
        distinct = list(dict.fromkeys(insides))
        at = {one: position for position, one in enumerate(distinct)}
        inside = np.array(distinct, dtype=bool)
        size = inside.sum(axis=1)
        single = np.flatnonzero(size == 1)
        alike = [
            similarity[:, mask].mean(axis=1) * ~mask if mask.any() else np.zeros(len(mask))
            for mask in inside
        ]
        return cls(
            inside,
            np.array([at[one] for one in insides], dtype=np.int64),
            single,
            inside[single].argmax(axis=1),
            np.flatnonzero(size != 1),
            np.array(alike, dtype=np.float32),
            tastes.into(inside),
        )

    def features(self, members: Turned) -> NDArray[np.float32]:
        """(n, s, ``COLUMNS``); NaN for a scope that holds no category we know.

        A member stands the same alone as among others, to the last bit.
        """
        n, s = len(members.shares), len(self.inside)
        table = np.empty((n, s, len(COLUMNS)), dtype=np.float32)
        table[:, self.single, 0] = members.interest[:, self.category]
        table[:, self.single, 1] = members.shares[:, self.category]
        table[:, self.single, 3] = _finite(members.seen[:, self.category])
        table[:, self.single, 4] = _finite(members.bought[:, self.category])
        for scope in self.wide.tolist():
            mask = self.inside[scope]
            table[:, scope, 0] = row_sums(members.interest[:, mask])
            table[:, scope, 1] = row_sums(members.shares[:, mask])
            table[:, scope, 3] = _least(members.seen, mask)
            table[:, scope, 4] = _least(members.bought, mask)
        # Not ``@``: BLAS adds in another order for one member than for many.
        table[:, :, 2] = np.sum(members.shares[:, None, :] * self.alike, axis=2)
        lately = table[:, :, 3] <= _LATELY
        table[:, :, 5] = lately
        table[:, :, 6] = np.where(lately, 0.0, table[:, :, 1])
        table[:, :, 7] = np.where(lately, 0.0, table[:, :, 2])
        table[:, :, 8] = self.into.lift(members.kinds)
        table[:, ~self.inside.any(axis=1)] = np.nan
        return table


def _least(days: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n,) least within ``mask``, NaN where all are missing."""
    found = days[:, mask]
    return _finite(np.where(np.isnan(found), np.float32(np.inf), found).min(axis=1, initial=np.inf))


def _finite(days: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isinf(days), np.float32(np.nan), days)
