"""Chance that a test statistic, looked at several times, leaves its bounds: by exact integration.

With information growing to t, a standardised statistic Z has the score S = Z √t, whose increments
are independent: S(t) − S(s) ~ N(drift (t − s), t − s). Between looks the density of the paths that
are still inside is carried forward by one convolution. Where it is integrated, panels of
Gauss-Legendre nodes are narrow beside the smallest step, so that the answer is exact to about ten
digits.

Source: Armitage, McPherson and Rowe, JRSS A 132, 1969; Jennison and Turnbull, Group Sequential
Methods with Applications to Clinical Trials, 2000, chapter 19.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from experiments.errors import ExperimentError

Numbers = NDArray[np.float64]

LEAST_STEP = 1e-4  # of the planned information between two looks
WIDEST = 8.0  # a bound beyond this is as good as none: two in 10^15 paths leave it
_NODES = 16  # in a panel
_PANEL = 3.0  # widest panel, in standard deviations of the smallest step
_TAILS = 9.0  # standard deviations around the drift that paths can be in


class LooksError(ExperimentError):
    """Looks that cannot have been taken: out of order, or nearly at once."""


@dataclass(frozen=True, eq=False)
class Inside:
    """Paths that left no bound so far.

    at: (n,) scores. mass: (n,) share of all paths around each of them. time: information so far.
    """

    time: float
    at: Numbers
    mass: Numbers


START = Inside(0.0, np.zeros(1), np.ones(1))


@dataclass(frozen=True, slots=True)
class Leaving:
    """Chance of leaving for the first time at each look, (looks,) each: above or below."""

    above: tuple[float, ...]
    below: tuple[float, ...]

    @property
    def total(self) -> float:
        """Chance of leaving at all."""
        return sum(self.above) + sum(self.below)


def checked_looks(fractions: Sequence[float]) -> tuple[float, ...]:
    """``fractions`` of the planned information, at least one, each beyond the one before.

    Raises:
        LooksError: none, or two that are less than ``LEAST_STEP`` apart.
    """
    if not fractions:
        raise LooksError("no looks, wanted at least one")
    before = 0.0
    for number, fraction in enumerate(fractions, 1):
        if not before + LEAST_STEP <= fraction < float("inf"):
            raise LooksError(
                f"look {number} is at {fraction:g} of the planned information, wanted at least "
                f"{LEAST_STEP:g} more than the {before:g} before it"
            )
        before = float(fraction)
    return tuple(float(fraction) for fraction in fractions)


def smallest_step(fractions: Sequence[float]) -> float:
    """Standard deviation of the smallest step between looks."""
    return float(np.sqrt(np.diff([0.0, *fractions]).min()))


def leaving_at(
    inside: Inside, time: float, bound: float, drift: float = 0.0
) -> tuple[float, float]:
    """Share of all paths that are first outside ± ``bound`` (of Z) at ``time``: above, below."""
    from scipy.special import ndtr

    step = time - inside.time
    edge, spread = bound * np.sqrt(time), np.sqrt(step)
    ahead = inside.at + drift * step
    above = float(inside.mass @ ndtr((ahead - edge) / spread))
    below = float(inside.mass @ ndtr((-edge - ahead) / spread))
    return above, below


def carried(inside: Inside, time: float, bound: float, finest: float, drift: float = 0.0) -> Inside:
    """The paths that are still within ± ``bound`` (of Z) at ``time``.

    finest: standard deviation of the smallest step that is ever taken from or to here.
    """
    step = time - inside.time
    edge, reach = bound * np.sqrt(time), _TAILS * np.sqrt(time)
    low, high = max(-edge, drift * time - reach), min(edge, drift * time + reach)
    if low >= high:  # the drift has carried all but nothing of the paths out
        return Inside(time, np.zeros(1), np.zeros(1))
    at, weight = _nodes(low, high, finest)
    distance = (at[:, None] - inside.at[None, :] - drift * step) / np.sqrt(step)
    density = np.exp(-0.5 * distance**2) @ inside.mass / np.sqrt(2 * np.pi * step)
    return Inside(time, at, density * weight)


def leaving(fractions: Sequence[float], bounds: Sequence[float], drift: float = 0.0) -> Leaving:
    """When paths first leave ± ``bounds`` (of Z), looked at after ``fractions`` of information.

    drift: mean of Z at information 1.

    Raises:
        LooksError: see ``checked_looks``; or not a bound for each look.
    """
    times = checked_looks(fractions)
    if len(bounds) != len(times):
        raise LooksError(f"{len(bounds)} bounds for {len(times)} looks, wanted one for each")
    finest = smallest_step(times)
    inside, above, below = START, [], []
    for time, bound in zip(times, bounds, strict=True):
        left = leaving_at(inside, time, bound, drift)
        above.append(left[0])
        below.append(left[1])
        inside = carried(inside, time, bound, finest, drift)
    return Leaving(tuple(above), tuple(below))


def _nodes(low: float, high: float, finest: float) -> tuple[Numbers, Numbers]:
    """Places and weights to integrate over ``low`` to ``high``."""
    at, weight = _panel()
    panels = int(np.ceil((high - low) / (_PANEL * finest)))
    half = (high - low) / panels / 2
    middles = low + half * (2 * np.arange(panels) + 1)
    return (middles[:, None] + half * at[None, :]).ravel(), np.tile(half * weight, panels)


@cache
def _panel() -> tuple[Numbers, Numbers]:
    return np.polynomial.legendre.leggauss(_NODES)
