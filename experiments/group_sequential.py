"""Looking at an experiment a planned number of times without more false alarms.

Each look spends a part of alpha, as much as the share of the planned information that is in by
then allows (Lan and DeMets, Biometrika 70, 1983). The part depends on the information that there
really was, so looks may come early, late, or be left out; only what decides *when* to look may
not know the results.

Two-sided and symmetric: each side spends alpha / 2 by the same function of the share t,

- ``obrien_fleming``: 2 (1 − Φ(z / √t)) with z the (1 − a / 2) quantile for a side's a = alpha / 2:
  very little early, so that the last look is nearly that of a fixed test;
- ``pocock``: a ln(1 + (e − 1) t): about the same bound at every look.

Bounds are those of the exact joint distribution (``experiments.crossing``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, log
from typing import Literal, get_args

from experiments.crossing import (
    START,
    WIDEST,
    LooksError,
    carried,
    checked_looks,
    leaving,
    leaving_at,
    smallest_step,
)

Spending = Literal["obrien_fleming", "pocock"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """What the standardised effect has to reach at each look; (looks,) each.

    fractions: information in by each look, as a share of what was planned for the last.
    bounds: of |Z|, at most ``WIDEST``: there, nothing is stopped.
    spent: alpha spent up to and with each look.
    """

    fractions: tuple[float, ...]
    bounds: tuple[float, ...]
    spent: tuple[float, ...]
    alpha: float
    spending: Spending


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an effect.

    number: from 1. z: the effect in standard errors. crossed: whether it is decided.
    low, high: repeated confidence interval: all of them together cover the effect with
    probability 1 − alpha, whatever is stopped when (Jennison and Turnbull, JRSS B 51, 1989).
    """

    number: int
    fraction: float
    bound: float
    z: float
    crossed: bool
    low: float
    high: float


def spent_by(fraction: float, alpha: float, spending: Spending = "obrien_fleming") -> float:
    """Alpha that may be spent on both sides by ``fraction`` of the planned information.

    Raises:
        LooksError: alpha is not between 0 and 1, or no such spending.
    """
    from scipy.special import ndtr, ndtri

    if not 0 < alpha < 1:
        raise LooksError(f"alpha is {alpha:g}, wanted between 0 and 1")
    if spending not in get_args(Spending):
        raise LooksError(f"spending is {spending!r}, wanted one of {', '.join(get_args(Spending))}")
    if fraction >= 1:
        return alpha
    if fraction <= 0:
        return 0.0
    if spending == "pocock":
        return alpha * log(1 + (e - 1) * fraction)
    return float(4 * ndtr(ndtri(alpha / 4) / fraction**0.5))


def boundary(
    fractions: Sequence[float],
    alpha: float = 0.05,
    spending: Spending = "obrien_fleming",
    *,
    last: bool = False,
) -> Boundary:
    """Bounds for looks that are planned, or that were taken.

    Args:
        fractions: information in by each look, as a share of what was planned; beyond 1 where more
            came in than planned. A look's bound depends on no later look.
        last: the last of them ends the experiment, whatever came in: it spends all that is left.

    Raises:
        LooksError: looks out of order or nearly at once, or an alpha that is none.
    """
    from scipy.optimize import brentq

    times = checked_looks(fractions)
    finest = smallest_step(times)
    inside, bounds, spent, before = START, [], [], 0.0
    for number, time in enumerate(times, 1):
        ended = last and number == len(times)
        so_far = alpha if ended else spent_by(time, alpha, spending)
        more = so_far - before

        def too_much(bound: float, time: float = time, more: float = more) -> float:
            return sum(leaving_at(inside, time, bound)) - more  # noqa: B023  # called at once

        bound = WIDEST if too_much(WIDEST) >= 0 else float(brentq(too_much, 0, WIDEST, xtol=1e-12))
        bounds.append(bound)
        spent.append(so_far)
        inside, before = carried(inside, time, bound, finest), so_far
    return Boundary(times, tuple(bounds), tuple(spent), alpha, spending)


def equal_looks(looks: int, alpha: float = 0.05, spending: Spending = "obrien_fleming") -> Boundary:
    """Bounds for ``looks`` looks after equal shares of the information.

    Raises:
        LooksError: fewer than one look, or an alpha that is none.
    """
    if looks < 1:
        raise LooksError(f"{looks} looks, wanted at least one")
    return boundary([number / looks for number in range(1, looks + 1)], alpha, spending)


def looked(bounds: Boundary, effect: float, error: float) -> Look:
    """The newest look of ``bounds``, at an ``effect`` with standard ``error``, above 0.

    Raises:
        LooksError: the error is not above 0.
    """
    if not 0 < error < float("inf"):
        raise LooksError(f"standard error is {error:g}, wanted above 0")
    bound, z = bounds.bounds[-1], effect / error
    return Look(
        number=len(bounds.fractions),
        fraction=bounds.fractions[-1],
        bound=bound,
        z=z,
        crossed=abs(z) >= bound,
        low=effect - bound * error,
        high=effect + bound * error,
    )


def power(bounds: Boundary, drift: float) -> float:
    """Chance of crossing at some look.

    drift: the true effect in standard errors of a fixed test with all planned information.
    """
    return leaving(bounds.fractions, bounds.bounds, drift).total


def drift_for(bounds: Boundary, wanted: float) -> float:
    """The drift (see ``power``) that is found with chance ``wanted``.

    Raises:
        LooksError: the chance is not between alpha and 1.
    """
    from scipy.optimize import brentq

    if not bounds.alpha < wanted < 1:
        raise LooksError(f"power is {wanted:g}, wanted between alpha {bounds.alpha:g} and 1")
    return float(brentq(lambda drift: power(bounds, drift) - wanted, 0, 2 * WIDEST, xtol=1e-10))


def inflation(bounds: Boundary, wanted: float) -> float:
    """How many times the members of a fixed test these looks need for the same power.

    Raises:
        LooksError: see ``drift_for``.
    """
    fixed = boundary([1.0], bounds.alpha)
    return (drift_for(bounds, wanted) / drift_for(fixed, wanted)) ** 2
