"""The doubly robust score matrix: what everybody would have done with each offer, and with none."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from experiments.errors import ExperimentError

_SUMS_TO_ONE = 1e-6


@dataclass(frozen=True, slots=True)
class MeanEffect:
    """An average of scores and its standard error, clustered by member."""

    mean: float
    error: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided, by the normal distribution; in the unit of the mean."""
        width = NormalDist().inv_cdf(0.5 + confidence / 2) * self.error
        return self.mean - width, self.mean + width


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn for n decisions and what came of it.

    outcome: (n,) conversions, money, or whatever is asked about; never winsorised.
    chosen: (n,) position of the offer sent, -1 for no send.
    probability: (n,) of that choice, above 0 and at most 1.
    candidates: (n, m) what could have been chosen, besides no send.
    member: (n,) a number for whose decision it was; one member's decisions are not independent.
    """

    outcome: NDArray[np.float64]
    chosen: NDArray[np.int64]
    probability: NDArray[np.float64]
    candidates: NDArray[np.bool_]
    member: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """The matrix, and everything that is an average of it.

    matrix: (n, 1 + m) ``G[i, 0]`` for no send, ``G[i, 1 + j]`` for offer j; NaN where an offer was
        no candidate.
    member: (n,) whose row it is; every error is clustered by it.
    """

    matrix: NDArray[np.float64]
    member: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.matrix)

    def uplift(self) -> NDArray[np.float64]:
        """(n, m) ``G[i, 1 + j] − G[i, 0]``: unbiased for the effect of each offer, mostly noise."""
        return self.matrix[:, 1:] - self.matrix[:, :1]

    def effects(self) -> tuple[MeanEffect, ...]:
        """Of each offer against no send, over the decisions in which it was a candidate."""
        return tuple(mean_effect(column, self.member) for column in self.uplift().T)

    def contrast(self, offer: int, other: int) -> MeanEffect:
        """How much more ``offer`` gives than ``other``, where both were candidates; -1: no send."""
        return mean_effect(self.matrix[:, 1 + offer] - self.matrix[:, 1 + other], self.member)

    def value(self, chosen: NDArray[np.int64]) -> MeanEffect:
        """Mean outcome if each got ``chosen``, (n,) positions of offers, -1 for no send.

        Raises:
            ExperimentError: an offer is chosen where it was no candidate.
        """
        return mean_effect(self.of(chosen), self.member, complete=True)

    def gain(self, chosen: NDArray[np.int64]) -> MeanEffect:
        """As ``value``, against sending nothing to anybody."""
        return mean_effect(self.of(chosen) - self.matrix[:, 0], self.member, complete=True)

    def advantage(self, chosen: NDArray[np.int64], other: NDArray[np.int64]) -> MeanEffect:
        """How much more one policy gives than another, per decision; the error is of the pair."""
        return mean_effect(self.of(chosen) - self.of(other), self.member, complete=True)

    def drawn_value(self, policy: NDArray[np.float64]) -> MeanEffect:
        """As ``value``, of a policy that draws: (n, 1 + m) probabilities, no send first.

        Raises:
            ExperimentError: a row is no distribution, or an offer that was no candidate can be
                drawn.
        """
        check_distributions(policy)
        return mean_effect(self.mixed(policy), self.member, complete=True)

    def mixed(self, policy: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) score of each row under (n, 1 + m) ``policy``; NaN where that sends no candidate."""
        return np.asarray(np.where(policy > 0, policy * self.matrix, 0.0).sum(axis=1))

    def of(self, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) score of each row's ``chosen``."""
        return np.asarray(self.matrix[np.arange(len(self.matrix)), 1 + chosen])

    def part(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Scores:
        """The scores of some rows."""
        return Scores(self.matrix[rows], self.member[rows])


def doubly_robust(drawn: Drawn, expected: NDArray[np.float64]) -> Scores:
    """``G[i, a] = mu_a(x_i) + 1{a_i = a} (y_i − mu_a(x_i)) / e_a(x_i)``.

    Where the probabilities are known, every average of it is unbiased whatever the quality of
    ``expected``, which only makes it steadier.

    Args:
        expected: (n, 1 + m) ``mu``, no send first, fitted without the member's own rows. Entries
            of offers that were no candidates are not read.

    Raises:
        ExperimentError: a probability is not above 0, an expectation that is read is not finite, or
            something was sent that was no candidate.

    Source: Robins, Rotnitzky and Zhao, JASA 89, 1994.
    """
    rows = np.arange(len(drawn.outcome))
    if not ((drawn.probability > 0) & (drawn.probability <= 1)).all():
        raise ExperimentError(
            "a decision's probability is not above 0 and at most 1: log it as drawn"
        )
    candidates = np.column_stack([np.ones(len(rows), dtype=bool), drawn.candidates])
    column = 1 + drawn.chosen
    if not candidates[rows, column].all():
        raise ExperimentError(
            "an offer was sent in a push that does not list it among its candidates"
        )
    if not np.isfinite(np.where(candidates, expected, 0.0)).all():
        raise ExperimentError("an expectation for the doubly robust score is not finite")
    matrix = np.where(candidates, expected, np.nan)
    matrix[rows, column] += (drawn.outcome - expected[rows, column]) / drawn.probability
    return Scores(matrix, drawn.member)


def check_distributions(policy: NDArray[np.float64]) -> None:
    """Raises ``ExperimentError`` unless each row of ``policy`` holds probabilities that add up to
    1."""
    total = policy.sum(axis=1)
    off = np.flatnonzero(~(np.abs(total - 1) <= _SUMS_TO_ONE) | (policy < 0).any(axis=1))
    if len(off):
        raise ExperimentError(
            f"row {off[0]} of the policy adds up to {total[off[0]]:.6g}, wanted probabilities that "
            f"add up to 1 ({len(off)} such rows)"
        )


def mean_effect(
    score: NDArray[np.float64], member: NDArray[np.int64], *, complete: bool = False
) -> MeanEffect:
    """Mean of (n,) scores and its error; rows without a score (NaN) are left out.

    Args:
        member: (n,) numbers whose row each is, for the standard error.
        complete: refuse missing scores instead.

    Raises:
        ExperimentError: a score is missing where none may be.
    """
    there = ~np.isnan(score)
    if complete and not there.all():
        raise ExperimentError(
            f"{int((~there).sum())} decisions are given an offer that was no candidate of theirs"
        )
    score, member = score[there], member[there]
    n = len(score)
    if n == 0:
        return MeanEffect(0.0, float("inf"))
    mean = float(score.mean())
    by_member = np.bincount(member, weights=score - mean)
    return MeanEffect(mean, float(np.sqrt((by_member**2).sum()) / n))
