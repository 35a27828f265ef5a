"""In which features some members differ most from others, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.saying import Says, english

_LEAST = 0.2  # standardised difference below which nobody would see one
_SEED = 0  # the same question has the same answer
_LOOKED_AT = 5_000  # of each side at most: a difference is then a fiftieth off by chance


@dataclass(frozen=True, slots=True)
class Trait:
    """One feature in which a group stands out.

    apart: standardised difference of the group from the rest. group, rest: their means, of the
    values there are; shares where the trait is a category's value or a missing value.
    told: the same in words.
    """

    feature: str
    apart: float
    group: float
    rest: float
    told: str


def traits(
    values: NDArray[np.float32],
    columns: tuple[Sequence[str], Mapping[str, Sequence[str]]],
    group: NDArray[np.bool_],
    rest: NDArray[np.bool_],
    most: int = 3,
    says: Says = english,
) -> tuple[Trait, ...]:
    """The ``most`` features in which ``group`` and ``rest``, (n,) each, differ most; largest first.

    A number is compared by its mean where it is known and by how often it is missing; a category
    value by value. Of each feature the largest difference counts. Of a side of many, as many as
    tell a difference that anybody would see are looked at, drawn by chance.

    Args:
        values: (n, features), read by column. columns: their names, and by name the values of those
            that are categories, in the order of their codes.
    """
    if not group.any() or not rest.any():
        return ()
    names, categories = columns
    values = np.asarray(values)  # a slice of a memory map costs more than a look at it
    inside, outside = _looked_at(group), _looked_at(rest)
    best = []
    for place, name in enumerate(names):
        mine = values[inside, place].astype(np.float64)
        others = values[outside, place].astype(np.float64)
        found = _Feature(name, categories.get(name), says).differences(mine, others)
        if found:
            # Of equals the one that says what they are, not what they are not.
            best.append(max(found, key=lambda one: (round(abs(one.apart), 9), one.apart)))
    best = [trait for trait in best if abs(trait.apart) >= _LEAST]
    return tuple(sorted(best, key=lambda trait: -abs(trait.apart))[:most])


def _looked_at(side: NDArray[np.bool_]) -> NDArray[np.int64]:
    rows = np.flatnonzero(side)
    if len(rows) <= _LOOKED_AT:
        return rows
    drawn = np.random.default_rng(_SEED).choice(len(rows), _LOOKED_AT, replace=False)
    return rows[np.sort(drawn)]  # in their order, in which a memory map is read faster


@dataclass(frozen=True, slots=True)
class _Feature:
    """codes: the values of a category; None of a number."""

    name: str
    codes: Sequence[str] | None
    says: Says

    def differences(self, mine: NDArray[np.float64], others: NDArray[np.float64]) -> list[Trait]:
        gone = self.says("%(feature)s is missing", feature=self.name)
        missing = self._share(gone, np.isnan(mine), np.isnan(others))
        if self.codes is not None:
            return [missing, *self._by_value(self.codes, mine, others)]
        known, known_others = mine[~np.isnan(mine)], others[~np.isnan(others)]
        if not len(known) or not len(known_others):
            return [missing]
        mean, mean_others = float(known.mean()), float(known_others.mean())
        apart = _apart((mean, float(known.var())), (mean_others, float(known_others.var())))
        words = (
            "%(feature)s is higher (%(mean)s against %(other)s)"
            if apart > 0
            else "%(feature)s is lower (%(mean)s against %(other)s)"
        )
        told = self.says(words, feature=self.name, mean=f"{mean:.3g}", other=f"{mean_others:.3g}")
        return [missing, Trait(self.name, apart, mean, mean_others, told)]

    def _by_value(
        self, codes: Sequence[str], mine: NDArray[np.float64], others: NDArray[np.float64]
    ) -> list[Trait]:
        said = (self.says("%(name)s is %(value)s", name=self.name, value=value) for value in codes)
        return [self._share(what, mine == code, others == code) for code, what in enumerate(said)]

    def _share(self, what: str, mine: NDArray[np.bool_], others: NDArray[np.bool_]) -> Trait:
        share, share_others = (np.count_nonzero(one) / len(one) for one in (mine, others))
        apart = _apart(
            (share, share * (1 - share)), (share_others, share_others * (1 - share_others))
        )
        told = self.says(
            "%(what)s for %(share)s, against %(other)s",
            what=what, share=f"{share:.0%}", other=f"{share_others:.0%}",
        )  # fmt: skip
        return Trait(self.name, apart, share, share_others, told)


def _apart(mine: tuple[float, float], others: tuple[float, float]) -> float:
    """Standardised difference of two sides, each by mean and variance; where neither varies, as if
    each did by a hundredth."""
    gap = mine[0] - others[0]
    spread = float(np.sqrt((mine[1] + others[1]) / 2))
    return gap / max(spread, 0.01 * abs(gap), 1e-12)
