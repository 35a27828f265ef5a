"""Intervals that hold whenever they are looked at, as often as anybody likes.

A confidence sequence covers the truth at *all* times at once with probability 1 − alpha, so an
always-on experiment may be looked at daily, stopped for whatever was seen, and gone on with. The
price is width: about half as wide again as a fixed interval where it is narrowest beside it, at the
planned size, and slowly wider on both sides of that.

It is asymptotic, as a fixed interval of a mean is: the members of the first look have to be enough
for the central limit theorem. Members count once what they do is settled (their window has
closed), in the order of their coming.

With n members, an estimate of standard error s, and n rho² = (n / planned) c, the half width is
s √(2 (n rho² + 1) / (n rho²) ln(√(n rho² + 1) / alpha)); c = −W₋₁(−alpha² / e) − 1 (Lambert's W)
makes it narrowest, beside a fixed interval, at the planned size.

Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 52, 2024 (time-uniform
central limit theory), equation (9); the choice of rho: Howard, Ramdas, McAuliffe and Sekhon,
Annals of Statistics 49, 2021, proposition 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import e, exp, log, sqrt

from experiments.errors import ExperimentError
from experiments.moments import Moments
from experiments.panel import CannotSay

LEAST_MEMBERS = 100  # in each arm, before anything is told


class SequenceError(ExperimentError):
    """A confidence sequence asked for with numbers that it cannot have."""


@dataclass(frozen=True, slots=True)
class Band:
    """A confidence sequence at one moment.

    p: valid at any time: the chance of it ever falling to alpha, without an effect, is alpha.
    wide: half width in standard errors of the estimate; a fixed 95 % interval has 1.96.
    """

    estimate: float
    low: float
    high: float
    p: float
    wide: float


def standard_errors(members: float, planned: float, alpha: float = 0.05) -> float:
    """Half width of the sequence in standard errors, with ``members`` of ``planned`` in.

    Raises:
        SequenceError: members or planned are not above 0, or alpha is not between 0 and 1.
    """
    grown = _grown(members, planned, alpha)
    return sqrt(2 * (grown + 1) / grown * log(sqrt(grown + 1) / alpha))


def band(estimate: float, error: float, members: int, planned: float, alpha: float = 0.05) -> Band:
    """The sequence around any estimate that is normal in large samples.

    Args:
        estimate, error: of the members so far; ``error`` is above 0.
        members: how many they are, of all arms compared.
        planned: how many were planned, declared before the start: where it is tightest.

    Raises:
        SequenceError: see ``standard_errors``; or the error is not above 0.
    """
    if not 0 < error < float("inf"):
        raise SequenceError(f"standard error is {error:g}, wanted above 0")
    wide = standard_errors(members, planned, alpha)
    grown = _grown(members, planned, alpha)
    against = 0.5 * log(grown + 1) - (estimate / error) ** 2 * grown / (2 * (grown + 1))
    return Band(
        estimate,
        estimate - wide * error,
        estimate + wide * error,
        exp(min(0.0, against)),
        wide,
    )


def mean_band(
    members: int, mean: float, variance: float, planned: float, alpha: float = 0.05
) -> Band | CannotSay:
    """The sequence of a mean; ``variance`` is that of the members' values.

    Raises:
        SequenceError: see ``standard_errors``.
    """
    reasons = _too_little({"the sample": (members, variance)})
    if reasons:
        return CannotSay(reasons)
    return band(mean, sqrt(variance / members), members, planned, alpha)


def difference_band(
    treated: Moments, control: Moments, name: str, planned: float, alpha: float = 0.05
) -> Band | CannotSay:
    """The sequence of the difference of the means of variable ``name``, treated less control.

    planned: members of both arms together.

    Raises:
        SequenceError: see ``standard_errors``.
        ExperimentError: no such variable.
    """
    arms = {"treated": treated, "control": control}
    seen = {arm: (found.count, found.variance(name)) for arm, found in arms.items()}
    reasons = _too_little(seen)
    if reasons:
        return CannotSay(reasons)
    error = sqrt(sum(variance / count for count, variance in seen.values()))
    return band(
        treated.mean_of(name) - control.mean_of(name),
        error,
        treated.count + control.count,
        planned,
        alpha,
    )


def _too_little(seen: dict[str, tuple[int, float]]) -> tuple[str, ...]:
    few = tuple(
        f"{count} members in {arm}, wanted at least {LEAST_MEMBERS}"
        for arm, (count, _) in seen.items()
        if count < LEAST_MEMBERS
    )
    if few or any(variance > 0 for _, variance in seen.values()):
        return few
    return ("all members did the same: nothing varies",)


def _grown(members: float, planned: float, alpha: float) -> float:
    """n rho²: how far the mixture over effects has been filled with information."""
    from scipy.special import lambertw

    if not 0 < alpha < 1:
        raise SequenceError(f"alpha is {alpha:g}, wanted between 0 and 1")
    for name, number in (("members", members), ("planned members", planned)):
        if not 0 < number < float("inf"):
            raise SequenceError(f"{name} are {number:g}, wanted above 0")
    best = -float(lambertw(-(alpha**2) / e, -1).real) - 1
    return members / planned * best
