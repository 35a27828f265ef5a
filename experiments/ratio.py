"""Ratios of two totals, such as margin per send, and return on cost: by the delta method.

Members differ in how many sends they get, and the sends of a member are alike: the member is the
unit, never the send (a test per send covers the truth .80 of the time instead of .95).

Source: Deng, Knoblich and Lu, KDD 2018; return on cost: Fieller, JRSS B 16, 1954.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from experiments.contrast import ROUNDING, Estimate, Lift, Side, Untold, compared

# Metric by name: what is divided by what.
RATIOS: Mapping[str, tuple[str, str]] = {
    "margin_per_send": ("margin", "sends"),
    "conversions_per_send": ("conversions", "sends"),
    "redeemed_per_send": ("redeemed", "sends"),
    "revenue_per_conversion": ("revenue", "conversions"),
}
_AWAY = 3.0  # standard errors from 0 that a total needs before anything is divided by it


def ratio_lift(name: str, arm: Side, control: Side, alpha: float = 0.05) -> Lift | Untold:
    """By how much the ratio ``name`` of ``RATIOS`` differs; not a causal effect per send where the
    arms send to different members."""
    over, under = RATIOS[name]
    ratios, variances = [], []
    for side in (arm, control):
        below = side.mean({under: 1.0})
        if not below > _AWAY * sqrt(side.variance({under: 1.0})):
            return Untold("not_from_zero", f"an arm has no or too few {under} to divide by")
        ratio = side.mean({over: 1.0}) / below
        ratios.append(ratio)
        variances.append(side.variances({over: 1 / below, under: -ratio / below}))
    return compared(
        name, (ratios[0], ratios[1]), ratios[0] - ratios[1], (variances[0], variances[1]), alpha
    )


def return_on_cost(arm: Side, control: Side, alpha: float = 0.05) -> Estimate | Untold:
    """Incremental gain / incremental cost, with Fieller's interval.

    Untold where the arm does not clearly cost more than the control: the interval has no end.
    """
    from scipy.special import ndtri

    gain, cost = ({name: 1.0} for name in ("gain", "cost"))
    earned, paid = (arm.mean(along) - control.mean(along) for along in (gain, cost))
    of_gain, of_cost, of_both = (
        arm.variance(along) + control.variance(along) for along in (gain, cost, {**gain, **cost})
    )
    together = (of_both - of_gain - of_cost) / 2
    squared = float(ndtri(alpha / 2)) ** 2
    first = paid**2 - squared * of_cost
    # Costs that are alike differ in their last digits: nothing is divided by those.
    alike = ROUNDING * max(abs(side.mean(cost)) for side in (arm, control))
    if paid <= alike or first <= 0:
        return Untold("not_from_zero", "the arm does not clearly cost more than the control")
    middle = paid * earned - squared * together
    last = earned**2 - squared * of_gain
    wide = sqrt(max(middle**2 - first * last, 0.0))
    return Estimate(earned / paid, (middle - wide) / first, (middle + wide) / first)
