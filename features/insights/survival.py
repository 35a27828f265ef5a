"""Shares that have done something by a day, where not everybody could be watched to the end."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Z = NormalDist().inv_cdf(0.975)
ALPHA = 0.05
FEWEST = 30  # members watched for so long, below whom a share is not told


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval. members: whom it rests on."""

    value: float
    low: float
    high: float
    members: int


@dataclass(frozen=True, slots=True)
class Untold:
    """What cannot be told. reason for programs, told for people."""

    reason: Literal["too_early", "too_few_members", "no_joining_dates", "cannot_say"]
    told: str


@dataclass(frozen=True, eq=False)
class Incidence:
    """The share of members that has had the event, by day, with a pointwise 95 % interval.

    share, low, high, at_risk: (days,) by whole days from 0 on. at_risk: members watched on that
    day who had not had the event before.
    """

    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    at_risk: NDArray[np.int64]


def incidence(happened: NDArray[np.int64], ended: NDArray[np.int64]) -> Incidence:
    """One less the product-limit estimate of the share still without the event.

    Args:
        happened: (days,) members with the event on each day since their beginning.
        ended: (days,) members without it whose watching ends with that day; they count as at risk
            on it. That watching ends must tell nothing about the event, as it does where it ends
            for all on one calendar day.

    The interval is that of log(−log S) with Greenwood's variance, which stays within 0 and 1.
    While nobody has had the event, that has no width; the one-sided exact binomial bound of the
    members at risk stands in. So it does once everybody has, on the day when the last of them had
    it, unless the bound of the day before says more: shares do not fall.

    Source: Kaplan and Meier, JASA 53, 1958; Greenwood, 1926; Kalbfleisch and Prentice, The
    Statistical Analysis of Failure Time Data, 2002, section 1.4.
    """
    leaving = happened + ended
    at_risk = leaving.sum() - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    risk = np.maximum(at_risk, 1).astype(np.float64)
    kept = np.cumprod(1.0 - happened / risk)
    spare = np.maximum(risk - happened, 1e-300)
    spread = np.sqrt(np.cumsum(np.where(risk > happened, happened / (risk * spare), 0.0)))
    inner = (kept > 0.0) & (kept < 1.0)
    logs = np.log(np.where(inner, kept, 0.5))
    wide = np.exp(Z * spread / np.abs(logs))
    # Nobody is at risk after the last one: that day tells nothing.
    least = _exact(np.minimum.accumulate(np.where(at_risk > 0, risk, np.inf)))
    low_kept = np.where(inner, np.exp(logs * wide), np.where(kept >= 1.0, 1.0 - least, 0.0))
    high_kept = np.where(inner, np.exp(logs / wide), np.where(kept >= 1.0, 1.0, least))
    over = np.flatnonzero(kept <= 0.0)
    if len(over):
        high_kept[over] = min(high_kept[max(over[0] - 1, 0) : over[0] + 1])
    return Incidence(1.0 - kept, 1.0 - high_kept, 1.0 - low_kept, at_risk.astype(np.int64))


def _exact(members: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest share of which none of ``members`` in a row is no surprise (Clopper-Pearson)."""
    bound: NDArray[np.float64] = 1.0 - (ALPHA / 2) ** (1.0 / members)
    return bound


def by_day(curve: Incidence, day: int, followed: NDArray[np.int64], what: str) -> Estimate | Untold:
    """The share by ``day``, unless too few members can have been watched for so long.

    Args:
        followed: (days,) members by the last day on which they were, or would have been, watched.
        what: of the members, in words, such as ``joined``.
    """
    members = int(followed.sum())
    long_enough = int(followed[day:].sum())
    if members < FEWEST:
        return Untold("too_few_members", f"{members} members {what}, wanted {FEWEST}")
    if long_enough < FEWEST:
        return Untold(
            "too_early",
            f"{long_enough} of {members} members {what} {day} days ago or more, wanted {FEWEST}",
        )
    at = min(day, len(curve.share) - 1)
    return Estimate(
        float(curve.share[at]), float(curve.low[at]), float(curve.high[at]), long_enough
    )


def mean(members: int, total: float, squares: float) -> Estimate | Untold:
    """Mean of ``members`` values from their sum and sum of squares; normal interval."""
    if members < FEWEST:
        return Untold("too_few_members", f"{members} members, wanted {FEWEST}")
    middle = total / members
    spread = max(squares - total * middle, 0.0) / (members - 1)
    wide = Z * (spread / members) ** 0.5
    return Estimate(middle, middle - wide, middle + wide, members)


def share(part: int, whole: int) -> Estimate | Untold:
    """``part`` of ``whole`` members with Wilson's interval (JASA 22, 1927)."""
    if whole < FEWEST:
        return Untold("too_few_members", f"{whole} members, wanted {FEWEST}")
    found = part / whole
    middle = (found + Z * Z / (2 * whole)) / (1 + Z * Z / whole)
    wide = Z / (1 + Z * Z / whole) * (found * (1 - found) / whole + (Z / (2 * whole)) ** 2) ** 0.5
    return Estimate(found, max(middle - wide, 0.0), min(middle + wide, 1.0), whole)
