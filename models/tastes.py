"""Kinds of members by which categories they turn to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.row_sums import row_sums

_KINDS = 8
_ROUNDS = 40
_SAMPLE = 20_000
# As many members without anything of their own stand behind each kind: none is ever impossible.
_PRIOR = 1.0


@dataclass(frozen=True, eq=False)
class Tastes:
    """A mixture of kinds of members: what one turns to tells what else is to their taste.

    A member of one kind turns to categories with that kind's chances. A cosine between categories
    counts every category touched alike; this weighs how telling each is, and members with little
    history stay near the average.

    chance: (kinds, categories) of each step of a member of the kind; rows add up to 1.
    share: (kinds,) of the members.

    Source: the mixture of multinomials of Nigam, McCallum, Thrun and Mitchell, Machine Learning
    39, 2000.
    """

    chance: NDArray[np.float64]
    share: NDArray[np.float64]

    @classmethod
    def fit(cls, touched: NDArray[np.bool_]) -> Self:
        """Expectation maximisation on (members, categories), always from the same start."""
        rng = np.random.default_rng(0)
        rows = rng.permutation(len(touched))[:_SAMPLE]
        seen = touched[rows].astype(np.float64)
        width = seen.shape[1]
        kinds = max(min(_KINDS, width), 1)
        common = (seen.sum(axis=0) + 1) / (seen.sum() + max(width, 1))
        chance = rng.dirichlet(np.full(width, 5.0), kinds) if width else np.zeros((kinds, 0))
        found = cls(chance, np.full(kinds, 1 / kinds))
        for _ in range(_ROUNDS if width > 1 and seen.any() else 0):
            member = found.kinds(seen)
            chance = member.T @ seen + _PRIOR * width * common
            share = (member.sum(axis=0) + 1) / (len(seen) + kinds)
            found = cls(chance / chance.sum(axis=1, keepdims=True), share)
        return found

    def kinds(self, touched: NDArray[np.bool_] | NDArray[np.float64]) -> NDArray[np.float64]:
        """(members, kinds) how likely each member is of each kind; rows add up to 1."""
        # Not ``@``: BLAS adds in another order for one member than for many.
        weight = np.tile(self._log_share, (len(touched), 1))
        for category, chance in enumerate(self._log_chance):
            weight += touched[:, category, None] * chance
        likely: NDArray[np.float64] = np.exp(weight - weight.max(axis=1, keepdims=True))
        return np.asarray(likely / row_sums(likely)[:, None])

    @cached_property
    def _log_share(self) -> NDArray[np.float64]:
        return np.log(self.share)

    @cached_property
    def _log_chance(self) -> NDArray[np.float64]:
        """(categories, kinds)"""
        return np.ascontiguousarray(np.log(np.maximum(self.chance, 1e-12)).T)

    def into(self, insides: NDArray[np.bool_]) -> Into:
        """How likely the kinds are to turn to each of some sets of categories, (sets, categories).

        Worked out once where the same sets are asked about again and again.
        """
        chance = np.array([self.chance[:, mask].sum(axis=1) for mask in insides])
        common = np.array([max(float(self.share @ one), 1e-12) for one in chance])
        return Into(chance.reshape(len(insides), len(self.share)), common)


@dataclass(frozen=True, eq=False)
class Into:
    """chance: (sets, kinds) that a step of a member of the kind is into the set. common: (sets,)
    the same of everybody."""

    chance: NDArray[np.float64]
    common: NDArray[np.float64]

    def lift(self, kinds: NDArray[np.float64]) -> NDArray[np.float64]:
        """(members, sets) log of each member's chance over that of everybody, for the members'
        ``kinds``, (members, kinds)."""
        expected = np.sum(kinds[:, None, :] * self.chance, axis=2)
        return np.asarray(np.log(np.maximum(expected, 1e-12) / self.common))
