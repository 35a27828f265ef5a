"""What a plan promises before anything is sent: orders, cost and gain, and how sure that is."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Candidates, Decisions
from decisions.exploration import NO_SEND
from decisions.gain import Gain, Reliability


@dataclass(frozen=True, slots=True)
class Promise:
    """What is expected of everything sent; money in the workspace's currency.

    orders: conversions that would not happen without it. gain: by the estimates as they are;
    the allocation is the best for these. calibrated: the same with the effect scaled by how much
    of it came true out of sample, and its two-sided interval: from the error of that scale and
    the chance in members' own purchases. None where nothing was measured: the effect is assumed.
    evidence: contacts by what their estimate rests on.
    """

    members: int
    contacts: int
    orders: float
    cost: float
    gain: float
    calibrated: float | None
    interval: tuple[float, float] | None
    confidence: float
    evidence: dict[str, int]


@dataclass(frozen=True, slots=True)
class Sent:
    """The pairs that are sent: rows of members and columns of options, (s,) each."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]

    @classmethod
    def of(cls, option: NDArray[np.int64]) -> Sent:
        """Of (n, k) options, -1 for none."""
        row, slot = np.nonzero(option != NO_SEND)
        return cls(row, option[row, slot])

    def pairs(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """(s,) of (n, m)."""
        return values[self.row, self.column].astype(np.float64)

    def members(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """(s,) of (n,)."""
        return values[self.row].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Sums:
    """Over the pairs that are sent. gross: what their uplift earns before any cost. variance: of
    what the members' own purchases bring."""

    orders: float
    cost: float
    gain: float
    gross: float
    variance: float

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    def calibrated(
        self, reliability: Reliability, confidence: float
    ) -> tuple[float, tuple[float, float]]:
        """The gain with the effect scaled by how much of it came true, and its interval."""
        gain = self.gain + (reliability.slope - 1) * self.gross
        error = np.sqrt((reliability.error * self.gross) ** 2 + self.variance)
        width = NormalDist().inv_cdf(0.5 + confidence / 2) * float(error)
        return gain, (gain - width, gain + width)


def added_up(worth: Gain, sent: Sent, chance: NDArray[np.float64]) -> Sums:
    """What is expected where each pair is sent with a ``chance`` (s,)."""
    uplift, money = sent.pairs(worth.uplift), sent.members(worth.worth)
    variance = outcome_variance(
        sent.members(worth.p_if_not) + uplift, money, sent.members(worth.spread)
    )
    return Sums(
        orders=float(chance @ uplift),
        cost=float(chance @ sent.pairs(worth.cost)),
        gain=float(chance @ sent.pairs(worth.gain)),
        gross=float(chance @ (uplift * money)),
        variance=float(chance @ variance),
    )


def promise(
    candidates: Candidates,
    decisions: Decisions,
    reliability: Reliability | None,
    confidence: float = 0.9,
) -> Promise:
    """Add up what is expected of ``decisions``."""
    worth, sent = candidates.worth, Sent.of(decisions.option)
    sums = added_up(worth, sent, np.ones(len(sent.row)))
    calibrated, interval = None, None
    if reliability is not None:
        calibrated, interval = sums.calibrated(reliability, confidence)
    grades = np.bincount(sent.column, minlength=len(worth.evidence))
    evidence: dict[str, int] = {}
    for grade, count in zip(worth.evidence, grades.tolist(), strict=True):
        if count:
            evidence[grade] = evidence.get(grade, 0) + count
    return Promise(
        members=int(decisions.sent.sum()),
        contacts=len(sent.row),
        orders=sums.orders,
        cost=sums.cost,
        gain=sums.gain,
        calibrated=calibrated,
        interval=interval,
        confidence=confidence,
        evidence=evidence,
    )


def outcome_variance(
    chance: NDArray[np.float64], worth: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(s,) variance of what a member's conversion brings: whether it comes, and how large it is.

    ``p (1 − p) worth² + p spread²``.
    """
    p = np.clip(chance, 0.0, 1.0)
    return np.asarray(p * (1 - p) * worth**2 + p * spread**2)
