"""Past decisions in which an offer could have been sent, and sums over them by member."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experiments.scores import MeanEffect
from experiments.weighing import mean_weight

Objective = Literal["margin", "conversions"]
COUNT, GAIN, CONVERSIONS = range(3)  # the columns of sums
_EQUAL = 9  # decimals up to which predictions are the same


@dataclass(frozen=True, eq=False)
class Trial:
    """n past decisions in which the offers asked about could have been sent.

    The treatment is one of the offers asked about that were candidates, each as likely.

    gain: (n,) doubly robust score of what it earns against no send, money.
    conversions: (n,) the same in conversions.
    predicted: (n,) what a model, which did not see the member's outcome, promised of ``objective``.
    sent_weight: (n,) how likely the treatment is to send what was sent, over the probability with
        which it was sent; 0 where none of the offers was.
    unsent_weight: (n,) one over the probability of no send where that was drawn; else 0.
    converted: (n,). member, push: (n,) numbers of whose decision, and in which push.
    drawn: whether chance had a part, with probabilities that are known.
    objective: what decides, ``margin`` (money) or ``conversions``.

    What does not depend on a rule is worked out once, when it is first asked for.
    """

    gain: NDArray[np.float64]
    conversions: NDArray[np.float64]
    predicted: NDArray[np.float64]
    sent_weight: NDArray[np.float64]
    unsent_weight: NDArray[np.float64]
    converted: NDArray[np.bool_]
    member: NDArray[np.int64]
    push: NDArray[np.int64]
    drawn: bool = True
    objective: Objective = "margin"

    def __len__(self) -> int:
        return len(self.gain)

    @cached_property
    def members(self) -> int:
        """How many."""
        return len(self._by_member[1])

    @cached_property
    def pushes(self) -> int:
        """How many."""
        return int(np.count_nonzero(np.bincount(self.push)))

    @cached_property
    def whole(self) -> NDArray[np.float64]:
        """(members, 3) ``sums`` of everybody."""
        return self.sums(np.ones(len(self)))

    def sums(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """(members, 3) over each member's rows: of (n,) ``share``, and of it times both scores."""
        order, start = self._by_member
        return np.add.reduceat(share[order, np.newaxis] * self._columns, start, axis=0)

    @cached_property
    def mean_weights(self) -> tuple[MeanEffect, MeanEffect]:
        """Of what was sent, and of what was not: each 1 but for chance where the logged
        probabilities are right."""
        sent, unsent = self.sent_weight, self.unsent_weight
        return mean_weight(sent, self.member), mean_weight(unsent, self.member)

    @cached_property
    def ranking(self) -> Ranking:
        return Ranking.of(np.round(self.predicted, _EQUAL), self.push)

    @cached_property
    def _columns(self) -> NDArray[np.float64]:
        """(n, 3) what is added up, member by member."""
        order, _ = self._by_member
        return np.column_stack([np.ones(len(order)), self.gain[order], self.conversions[order]])

    @cached_property
    def _by_member(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) rows member by member, and (members,) where each member's begin there."""
        count = np.bincount(self.member)
        start = np.cumsum(count) - count
        return np.argsort(self.member, kind="stable"), start[count > 0]


@dataclass(frozen=True, eq=False)
class Ranking:
    """n rows, push by push, the highest prediction first. Equal predictions make one level.

    rows: (n,) in that order. start: (levels,) where in ``rows`` each begins. push: (levels,) whose.
    """

    rows: NDArray[np.int64]
    start: NDArray[np.int64]
    push: NDArray[np.int64]

    @classmethod
    def of(cls, predicted: NDArray[np.float64], push: NDArray[np.int64]) -> Ranking:
        rows = np.argsort(-predicted)
        small = push.astype(np.min_scalar_type(int(push.max(initial=0))))  # sorted by counting
        rows = rows[np.argsort(small[rows], kind="stable")]
        highest, of = predicted[rows], push[rows]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (highest[1:] != highest[:-1]) | (of[1:] != of[:-1])
        start = np.flatnonzero(new)
        return cls(rows, start, of[start])

    def best(self, wanted: NDArray[np.int64], among: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n,) shares: of each push the ``wanted`` best of ``among``, or all where they are fewer.

        The rows of a level share the places that they take up together, so that order never counts.

        Args:
            wanted: (pushes,). among: (n,).
        """
        share = np.zeros(len(self.rows))
        if not len(share):
            return share
        among = among[self.rows]
        count = np.add.reduceat(among, self.start, dtype=np.int64)
        behind = np.cumsum(count) - count  # of all pushes; the first level of each tells its own
        first = np.flatnonzero(np.diff(self.push, prepend=self.push[0] - 1))
        behind -= np.repeat(behind[first], np.diff(np.append(first, len(count))))
        places = np.clip((wanted[self.push] - behind) / np.maximum(count, 1), 0.0, 1.0)
        length = np.diff(np.append(self.start, len(self.rows)))
        got = np.repeat(places, length)
        some = among & (got > 0)
        share[self.rows[some]] = got[some]
        return share
