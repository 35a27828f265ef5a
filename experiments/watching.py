"""Streams that are watched: is the newest part like what came before, by more than chance?

A monitor asks again and again, and of many subjects. So every p-value here is meant to be held
against a small level, corrected over subjects (``experiments.multiple``), beside a size that
matters: with enough members, everything differs from everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from experiments.errors import ExperimentError
from experiments.panel import CannotSay

LEAST_EXPECTED = 20.0  # conversions, before observed over expected is told
LEAST_WEEKS = 3  # of the same hours, before a volume has a usual one
_NORMAL = 1.4826  # standard deviation over median absolute deviation, of a normal


class WatchingError(ExperimentError):
    """Counts that no stream can have."""


@dataclass(frozen=True, slots=True)
class Counted:
    """``events`` of ``chances``, such as unsubscriptions of sends."""

    events: int
    chances: int

    def __post_init__(self) -> None:
        if self.events < 0 or self.chances < 0:
            raise WatchingError(f"{self.events} of {self.chances}, wanted 0 or more")


@dataclass(frozen=True, slots=True)
class Ratio:
    """low, high: its two-sided interval; high may be infinite. p: of there being none (1)."""

    ratio: float
    low: float
    high: float
    p: float


def stability_p(index: float, now: float, before: float, bins: int) -> float:
    """Chance of a population stability index as large as ``index`` without any drift.

    Of two samples from one distribution over B bins, the index over (1/n + 1/m) follows chi-square
    with B − 1 degrees of freedom: with few members it is large by chance alone.

    Args:
        now, before: members in the two samples; a weighted sample counts with its effective size.

    Source: Yurdakul and Naranjo, Statistical properties of the population stability index,
        Journal of Risk Model Validation 14, 2020.
    """
    from scipy.special import chdtrc

    if bins < 2 or now <= 0 or before <= 0:
        return 1.0
    return float(chdtrc(bins - 1, index / (1 / now + 1 / before)))


def rate_rise(
    recent: Counted, past: Counted, dispersion: float = 1.0, confidence: float = 0.95
) -> Ratio | CannotSay:
    """Whether the rate of ``recent`` is above that of ``past``; p is one-sided.

    Given all events together, those of ``recent`` are binomial with its share of the chances
    (Przyborowski and Wilenski, Biometrika 31, 1940); the interval is Clopper and Pearson's
    (Biometrika 26, 1934). Where days differ by more than chance, counts are divided by their
    ``dispersion`` first, as quasi-likelihood does.
    """
    from scipy.special import betainc, betaincinv

    if not recent.chances or not past.chances:
        return CannotSay(("nothing to compare: one of the periods is empty",))
    total = (recent.events + past.events) / dispersion
    if not total:
        return CannotSay(("none in either period",))
    mine, rest = recent.events / dispersion, past.events / dispersion
    share = recent.chances / (recent.chances + past.chances)
    tail = (1 - confidence) / 2
    low = float(betaincinv(mine, rest + 1, tail)) if mine else 0.0
    high = float(betaincinv(mine + 1, rest, 1 - tail)) if rest else 1.0
    p = float(betainc(mine, rest + 1, share)) if mine else 1.0
    scale = past.chances / recent.chances
    ratio = inf if not rest else mine / rest * scale
    return Ratio(ratio, _odds(low) * scale, _odds(high) * scale, p)


def dispersion(days: Sequence[Counted]) -> float:
    """Pearson's chi-square of the days' events around one common rate, per degree of freedom.

    1 where days differ by chance alone, and never below; 1 where fewer than 5 days tell.
    """
    told = [day for day in days if day.chances]
    events, chances = sum(day.events for day in told), sum(day.chances for day in told)
    if len(told) < 5 or not events:
        return 1.0
    rate = events / chances
    apart = sum((day.events - rate * day.chances) ** 2 / (rate * day.chances) for day in told)
    return max(1.0, apart / (len(told) - 1))


def observed_over_expected(
    happened: NDArray[np.bool_],
    expected: NDArray[np.float64],
    member: NDArray[np.int64],
    confidence: float = 0.95,
) -> Ratio | CannotSay:
    """What happened over what was predicted: 1 for a calibrated prediction; p is two-sided.

    Args:
        happened, expected: (n,) outcomes and their predicted probabilities.
        member: (n,) whose they are. Outcomes of one member in several windows are not independent:
            their errors are added up before they are squared.

    Returns:
        CannotSay where fewer than ``LEAST_EXPECTED`` were expected.
    """
    from scipy.special import ndtr, ndtri

    wanted = float(expected.sum())
    if wanted < LEAST_EXPECTED:
        return CannotSay(
            (f"{wanted:.0f} conversions expected, wanted at least {LEAST_EXPECTED:.0f}",)
        )
    error = happened - expected
    _, place = np.unique(member, return_inverse=True)
    by_member = float((np.bincount(place, weights=error) ** 2).sum())
    # Where nothing happened at all, the errors seen are far smaller than those to be expected.
    deviation = sqrt(max(by_member, float((expected * (1 - expected)).sum())))
    more = float(error.sum())
    wide = float(ndtri((1 + confidence) / 2)) * deviation / wanted
    ratio = 1 + more / wanted
    return Ratio(
        ratio, max(ratio - wide, 0.0), ratio + wide, 2 * float(ndtr(-abs(more) / deviation))
    )


@dataclass(frozen=True, slots=True)
class Usual:
    """A volume beside the usual one.

    factor: now over usual. deviations: of its logarithm, in standard deviations of what is usual.
    """

    now: int
    usual: float
    factor: float
    deviations: float


def beside_usual(hours: Sequence[int], length: int) -> Usual | CannotSay:
    """The newest ``length`` hours beside the same hours of the weeks before, robustly.

    The usual volume is the median of the same hours in earlier weeks; the spread is that of the
    log ratios of every window of the two weeks before to their own medians, by the median absolute
    deviation, and at least Poisson's: one odd week, or a batch in the past, moves neither much.

    Args:
        hours: counts by hour, oldest first, without gaps.

    Source: Hampel, JASA 69, 1974 (median absolute deviation).
    """
    week, counts = 7 * 24, np.asarray(hours, dtype=np.float64)
    ends = np.arange(len(counts), length - 1, -week)
    windows = [float(counts[end - length : end].sum()) for end in ends]
    if len(windows) <= LEAST_WEEKS:
        return CannotSay((f"fewer than {LEAST_WEEKS} weeks of the same hours are known",))
    usual = float(np.median(windows[1:]))
    spread = max(_spread(counts, length), sqrt(1 / (usual + 1)))
    away = log((windows[0] + 0.5) / (usual + 0.5))
    return Usual(int(windows[0]), usual, exp(away), away / spread)


def _spread(counts: NDArray[np.float64], length: int) -> float:
    """Of the log ratios of past windows to the medians of the same hours in other weeks."""
    week = 7 * 24
    sums = np.convolve(counts, np.ones(length), mode="valid")  # [i]: the window from hour i on
    last = len(sums) - 1 - length  # the newest one that shares no hour with what is judged
    windows = np.arange(last, max(last - 2 * week, -1), -max(1, length // 4))
    weeks = len(sums) // week
    others = windows[:, None] + week * np.array([w for w in range(-weeks, weeks + 1) if w])
    inside = (others >= 0) & (others <= last)
    enough = inside.sum(axis=1) >= LEAST_WEEKS - 1
    if not enough.any():
        return 0.0
    same = np.where(inside, sums[np.clip(others, 0, len(sums) - 1)], np.nan)[enough]
    found = np.log((sums[windows[enough]] + 0.5) / (np.nanmedian(same, axis=1) + 0.5))
    return _NORMAL * float(np.median(np.abs(found - np.median(found))))


def _odds(share: float) -> float:
    return inf if share >= 1 else share / (1 - share)
