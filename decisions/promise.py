"""What a plan promises before anything is sent: orders, cost and gain, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Candidates, Decisions
from decisions.exploration import NO_SEND
from decisions.gain import Reliability


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


def promise(
    candidates: Candidates,
    decisions: Decisions,
    reliability: Reliability | None,
    confidence: float = 0.9,
) -> Promise:
    """Add up what is expected of ``decisions``."""
    worth, sent = candidates.worth, Sent.of(decisions.option)
    uplift, gain = sent.pairs(worth.uplift), float(sent.pairs(worth.gain).sum())
    money = sent.members(worth.worth)
    gross = float((uplift * money).sum())
    calibrated, interval = None, None
    if reliability is not None:
        calibrated = gain + (reliability.slope - 1) * gross
        chance = outcome_variance(
            sent.members(worth.p_if_not) + uplift, money, sent.members(worth.spread)
        ).sum()
        error = np.sqrt((reliability.error * gross) ** 2 + chance)
        width = NormalDist().inv_cdf(0.5 + confidence / 2) * float(error)
        interval = (calibrated - width, calibrated + width)
    grades = np.bincount(sent.column, minlength=len(worth.evidence))
    evidence: dict[str, int] = {}
    for grade, count in zip(worth.evidence, grades.tolist(), strict=True):
        if count:
            evidence[grade] = evidence.get(grade, 0) + count
    return Promise(
        members=int(decisions.sent.sum()),
        contacts=len(sent.row),
        orders=float(uplift.sum()),
        cost=float(sent.pairs(worth.cost).sum()),
        gain=gain,
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
