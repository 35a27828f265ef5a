"""The effect of an experiment that was stopped at a look: without the bias of having stopped.

What crosses a bound early is more extreme than what is true, and the plain estimate and interval
do not know of the looks before. Here outcomes are ordered by the look at which the experiment
stopped, then by Z: an early crossing is the more extreme one. The interval holds the effects under
which what was seen is not in the outer alpha / 2 of that order; it leaves 0 out exactly when a
bound was crossed.

Source: Tsiatis, Rosner and Mehta, Biometrics 40, 1984; Jennison and Turnbull, 2000, section 8.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from experiments.crossing import START, LooksError, carried, leaving_at, smallest_step
from experiments.group_sequential import Boundary, looked

_FAR = 40.0  # standard errors around the estimate in which an end of the interval is looked for


@dataclass(frozen=True, slots=True)
class Adjusted:
    """effect: as often too high as too low. low, high: its 1 − alpha interval. p: two-sided."""

    effect: float
    low: float
    high: float
    p: float


def adjusted(bounds: Boundary, effect: float, error: float) -> Adjusted:
    """The effect at the newest look of ``bounds``, at which the experiment stopped.

    effect, error: the plain estimate and its standard error there.

    Raises:
        LooksError: the look is no stop (inside the bound, with alpha still to spend), or the error
            is not above 0.
    """
    look = looked(bounds, effect, error)
    if not look.crossed and bounds.spent[-1] < bounds.alpha:
        raise LooksError(
            f"look {look.number} at {look.fraction:g} of the information crosses no bound and is "
            "not the last: the experiment has not stopped"
        )
    per_drift = error * sqrt(look.fraction)  # effect at which Z has mean 1 at information 1
    plain = effect / per_drift

    def end(share: float) -> float:
        return _drift_where(bounds, look.z, share, plain) * per_drift

    above = _beyond(bounds, look.z, 0.0)
    return Adjusted(
        effect=end(0.5),
        low=end(bounds.alpha / 2),
        high=end(1 - bounds.alpha / 2),
        p=min(1.0, 2 * min(above, 1 - above)),
    )


def _beyond(bounds: Boundary, z: float, drift: float) -> float:
    """Chance of a stop beyond ``z`` at the last of ``bounds``, in the order of stages."""
    finest, inside, above = smallest_step(bounds.fractions), START, 0.0
    for time, bound in zip(bounds.fractions[:-1], bounds.bounds[:-1], strict=True):
        above += leaving_at(inside, time, bound, drift)[0]
        inside = carried(inside, time, bound, finest, drift)
    return above + leaving_at(inside, bounds.fractions[-1], z, drift)[0]


def _drift_where(bounds: Boundary, z: float, share: float, near: float) -> float:
    """The drift at which ``_beyond`` is ``share``."""
    from scipy.optimize import brentq

    far = _FAR / sqrt(bounds.fractions[0])
    found = brentq(
        lambda drift: _beyond(bounds, z, drift) - share, near - far, near + far, xtol=1e-10
    )
    return float(found)
