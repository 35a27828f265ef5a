"""In which features some members differ most from others, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST = 0.2  # standardised difference below which nobody would see one


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
) -> tuple[Trait, ...]:
    """The ``most`` features in which ``group`` and ``rest``, (n,) each, differ most; largest first.

    A number is compared by its mean where it is known and by how often it is missing; a category
    value by value. Of each feature the largest difference counts.

    Args:
        values: (n, features). columns: their names, and by name the values of those that are
            categories, in the order of their codes.
    """
    if not group.any() or not rest.any():
        return ()
    names, categories = columns
    best = []
    for place, name in enumerate(names):
        mine = values[group, place].astype(np.float64)
        others = values[rest, place].astype(np.float64)
        found = _differences(name, mine, others, categories.get(name))
        if found:
            best.append(max(found, key=lambda trait: abs(trait.apart)))
    best = [trait for trait in best if abs(trait.apart) >= _LEAST]
    return tuple(sorted(best, key=lambda trait: -abs(trait.apart))[:most])


def _differences(
    name: str, mine: NDArray[np.float64], others: NDArray[np.float64], codes: Sequence[str] | None
) -> list[Trait]:
    missing = _share(f"{name} is missing", name, np.isnan(mine), np.isnan(others))
    if codes is not None:
        by_value = [
            _share(f"{name} is {value}", name, mine == code, others == code)
            for code, value in enumerate(codes)
        ]
        return [missing, *by_value]
    known, known_others = mine[~np.isnan(mine)], others[~np.isnan(others)]
    if not len(known) or not len(known_others):
        return [missing]
    apart = _apart(known, known_others)
    mean, mean_others = float(known.mean()), float(known_others.mean())
    way = "higher" if apart > 0 else "lower"
    told = f"{name} is {way} ({mean:.3g} against {mean_others:.3g})"
    return [missing, Trait(name, apart, mean, mean_others, told)]


def _share(what: str, name: str, mine: NDArray[np.bool_], others: NDArray[np.bool_]) -> Trait:
    apart = _apart(mine.astype(np.float64), others.astype(np.float64))
    share, share_others = float(mine.mean()), float(others.mean())
    told = f"{what} for {share:.0%}, against {share_others:.0%}"
    return Trait(name, apart, share, share_others, told)


def _apart(mine: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Standardised difference; where neither side varies, as if each did by a hundredth."""
    gap = float(mine.mean() - others.mean())
    spread = float(np.sqrt((mine.var() + others.var()) / 2))
    return gap / max(spread, 0.01 * abs(gap), 1e-12)
