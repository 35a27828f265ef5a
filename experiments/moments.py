"""Counts, means and co-moments that add up: all that a readout needs to know of its members."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from experiments.errors import ExperimentError


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Of ``count`` members, one value of each variable a member.

    names: of the k variables. mean: (k,). comoment: (k, k) sums over the members of
    ``(x − mean x)(y − mean y)``: centred, so that large means lose no digits.
    """

    names: tuple[str, ...]
    count: int
    mean: NDArray[np.float64]
    comoment: NDArray[np.float64]

    @classmethod
    def none(cls, names: tuple[str, ...]) -> Self:
        """Of no members: adds nothing to others."""
        return cls(names, 0, np.zeros(len(names)), np.zeros((len(names), len(names))))

    @classmethod
    def of(cls, names: tuple[str, ...], values: NDArray[np.float64]) -> Self:
        """Of (n, k) ``values``, one row a member.

        Raises:
            ExperimentError: a value is not finite.
        """
        if not np.isfinite(values).all():
            row, column = (int(one[0]) for one in np.nonzero(~np.isfinite(values)))
            raise ExperimentError(
                f"{names[column]} of row {row} is {values[row, column]}, wanted a number"
            )
        if not len(values):
            return cls.none(names)
        mean = values.mean(axis=0)
        off = values - mean
        return cls(names, len(values), mean, off.T @ off)

    def __add__(self, other: Moments) -> Moments:
        """Of the members of both, who must be different ones.

        Source: Chan, Golub and LeVeque, COMPSTAT 1982.
        """
        return self.total(self.names, (self, other))

    @classmethod
    def total(cls, names: tuple[str, ...], parts: Iterable[Moments]) -> Moments:
        """The sum of any number of them, of different members.

        Raises:
            ExperimentError: one is of other variables.
        """
        found = []
        for part in parts:
            if part.names != names:
                raise ExperimentError(f"moments of {part.names} do not add to those of {names}")
            if part.count:
                found.append(part)
        if not found:
            return cls.none(names)
        counts = np.array([part.count for part in found])
        means = np.stack([part.mean for part in found])
        mean = counts @ means / counts.sum()
        off = means - mean
        within = np.sum([part.comoment for part in found], axis=0)
        return cls(names, int(counts.sum()), mean, within + (off * counts[:, None]).T @ off)

    def mean_of(self, name: str) -> float:
        """``ExperimentError`` on a variable that it does not have."""
        return float(self.mean[self._place(name)])

    def total_of(self, name: str) -> float:
        return self.mean_of(name) * self.count

    def variance(self, name: str) -> float:
        """Of the members' values, with n − 1 below; NaN of fewer than two members."""
        return self.covariance(name, name)

    def covariance(self, name: str, other: str) -> float:
        """As ``variance``."""
        if self.count < 2:
            return float("nan")
        return float(self.comoment[self._place(name), self._place(other)] / (self.count - 1))

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise ExperimentError(f"no variable {name!r}, only {', '.join(self.names)}")
        return self.names.index(name)
