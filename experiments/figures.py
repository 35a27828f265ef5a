"""Figures of arms and contrasts: totals, what an arm earned beyond another, and every metric."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose

from experiments.cells import COVARIATES, Cells
from experiments.contrast import ROUNDING, Estimate, Lift, Side, Untold, lift
from experiments.cuped import adjusted_lift
from experiments.design import Analysis, Experiment
from experiments.findings import ArmTotals, Incremental, Measured
from experiments.ratio import RATIOS, ratio_lift, return_on_cost

METRICS = (
    "gain",
    "margin",
    "revenue",
    "converted",
    "conversions",
    "cost",
    "reached",
    "sends",
    "redeemed",
    "unsubscribed",
    "complained",
)
Both = tuple[Side, Side] | Untold  # arm and control


def totals(experiment: Experiment, cells: Cells, name: str) -> ArmTotals:
    """Of the arm called ``name``."""
    members = cells.total(name)

    def count(variable: str) -> int:
        return round(members.total_of(variable))

    return ArmTotals(
        arm=name,
        kind=experiment.arm(name).kind,
        share=cells.shares[-1][name],
        members=members.count,
        complete=sum(c.moments.count for c in cells.cells if c.arm == name and c.complete),
        reached=count("reached"),
        sends=count("sends"),
        redeemed=count("redeemed"),
        converted=count("converted"),
        conversions=members.total_of("conversions"),
        unsubscribed=count("unsubscribed"),
        complained=count("complained"),
        revenue=members.total_of("revenue"),
        margin=members.total_of("margin"),
        cost=members.total_of("cost"),
        coupon=members.total_of("coupon"),
        gain=members.total_of("gain"),
        gain_per_member=members.mean_of("gain") if members.count else None,
    )


def metrics(both: Both, analysis: Analysis) -> Mapping[str, Measured]:
    """Each of ``METRICS``, per member assigned."""
    found = {}
    for name in METRICS:
        if isinstance(both, Untold):
            found[name] = Measured(both, None)
            continue
        plain = lift(name, *both, analysis.alpha)
        adjusted = None
        if analysis.before_days and name in COVARIATES:
            adjusted = adjusted_lift(name, *both, analysis)
        found[name] = Measured(plain, adjusted)
    return found


def ratios(both: Both, analysis: Analysis) -> Mapping[str, Lift | Untold]:
    """Each of ``RATIOS``."""
    if isinstance(both, Untold):
        return dict.fromkeys(RATIOS, both)
    return {name: ratio_lift(name, *both, analysis.alpha) for name in RATIOS}


def incremental(both: Both, members: int, analysis: Analysis) -> Incremental:
    """Margin, cost and gain beyond the control's, of an arm of so many ``members``."""
    if isinstance(both, Untold):
        return Incremental(both, both, both, both, both, both, both)
    margin, cost, gain = (
        _difference(name, *both, analysis.alpha) for name in ("margin", "cost", "gain")
    )
    return Incremental(
        margin=margin,
        cost=cost,
        gain=gain,
        total_margin=_times(margin, members),
        total_cost=_times(cost, members),
        total_gain=_times(gain, members),
        roi=return_on_cost(*both, analysis.alpha),
    )


def _difference(name: str, arm: Side, control: Side, alpha: float) -> Estimate | Untold:
    """Also where nothing varies: a cost that is the same for everybody is known exactly."""
    found = lift(name, arm, control, alpha)
    if isinstance(found, Lift):
        return found.difference
    if name != "cost":
        return found
    costs = arm.mean({name: 1.0}), control.mean({name: 1.0})
    value = 0.0 if isclose(*costs, rel_tol=ROUNDING) else costs[0] - costs[1]
    return Estimate(value, value, value)


def _times(one: Estimate | Untold, members: int) -> Estimate | Untold:
    if isinstance(one, Untold):
        return one
    return Estimate(one.value * members, one.low * members, one.high * members)
