"""What earlier experiments say about a new winner: it won by luck too, and is drawn back."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from experiments.contrast import Estimate, Lift


@dataclass(frozen=True, slots=True)
class Past:
    """True lifts of earlier experiments with the same metric and unit: their mean and standard
    deviation (above 0), the noise of each taken off."""

    mean: float
    spread: float


def shrunk(lift: Lift, past: Past, alpha: float = 0.05) -> Estimate:
    """The lift to be expected, if it is one like those of the ``past``, normal around their mean.

    Source: Efron and Morris, JASA 70, 1975; for winners of experiments: Lee and Shen, KDD 2018.
    """
    from scipy.special import ndtri

    trust = past.spread**2 / (past.spread**2 + lift.error**2)
    value = past.mean + trust * (lift.difference.value - past.mean)
    wide = -float(ndtri(alpha / 2)) * sqrt(trust) * lift.error
    return Estimate(value, value - wide, value + wide)
