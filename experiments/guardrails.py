"""Guardrails: the arm must not do more harm than was allowed (non-inferiority)."""

from __future__ import annotations

from math import sqrt

from experiments.contrast import Estimate, Side
from experiments.design import Guardrail
from experiments.findings import Guarded, GuardrailState


def guarded(rule: Guardrail, arm: Side, control: Side, bound: float) -> Guarded:
    """Whether the harm is shown to be below, or above, what ``rule`` allows.

    Harm is rare, and often nobody complained so far: the standard error is at least that of shares
    with one more event and one more member without (Agresti and Caffo, American Statistician 54,
    2000), so that nobody of few members proves nothing.

    Args:
        bound: half width of the interval in standard errors, the same as the deciding metric's.
    """
    along = {rule.metric: 1.0}
    shares = arm.mean(along), control.mean(along)
    variance = sum(
        max(side.variance(along), _least_variance(share, side.count))
        for side, share in zip((arm, control), shares, strict=True)
    )
    harm, wide = shares[0] - shares[1], bound * sqrt(variance)
    state: GuardrailState = "open"
    if harm + wide < rule.most:
        state = "held"
    elif harm - wide > rule.most:
        state = "broken"
    interval = Estimate(harm, harm - wide, harm + wide)
    return Guarded(rule.metric, rule.most, *shares, interval, state)


def _least_variance(share: float, count: int) -> float:
    smoothed = (share * count + 1) / (count + 2)
    return smoothed * (1 - smoothed) / (count + 2)
