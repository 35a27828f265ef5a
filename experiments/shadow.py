"""The readout of a shadow experiment: what an arm would have decided beside the control's answers.

Nobody got what the arm decided, so nothing says what it would have earned: gains are what each
side's own models expected. Off-policy evaluation (``experiments.offpolicy``) asks outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from experiments.contrast import LEAST_MEMBERS, Estimate, Side, Untold, around
from experiments.design import Experiment
from experiments.errors import ExperimentError
from experiments.moments import Moments

# One value of each a member, summed over the decisions that both sides made on that member.
SHADOW_VARIABLES: Mapping[str, str] = {
    "decisions": "number of decisions of the control that the arm would have made too",
    "same": "number of those with the same offer, or none, on both sides",
    "control_sends": "number of those in which the control sent",
    "arm_sends": "number of those in which the arm would have sent",
    "control_gain": "money: gain that the control's models expected; 0 where it did not send",
    "arm_gain": "money: gain that the arm's models expected; 0 where it would not have sent",
}
SHADOW_NAMES = tuple(SHADOW_VARIABLES)


@dataclass(frozen=True, slots=True)
class Shadowed:
    """One arm beside the control, per decision; intervals count members, not decisions.

    agree: share of decisions that are the same. sends, control_sends: share that send.
    gain: expected gain of the arm less that of the control, each by its own models.
    """

    members: int
    decisions: int
    agree: Estimate
    sends: Estimate
    control_sends: Estimate
    gain: Estimate
    sentence: str


@dataclass(frozen=True, slots=True)
class ShadowReadout:
    """Of an experiment as of a moment; ``arms`` by name, all but the control."""

    experiment_id: str
    as_of: datetime
    control: str
    level: float
    arms: Mapping[str, Shadowed | Untold]

    def to_json(self) -> dict[str, Any]:
        """Plain values: times in ISO 8601, names as the fields'."""
        return {**asdict(self), "as_of": self.as_of.isoformat()}


def shadow_readout(
    experiment: Experiment, members: Mapping[str, Moments], as_of: datetime
) -> ShadowReadout:
    """What each arm but the control would have decided.

    Args:
        members: by arm, moments over ``SHADOW_NAMES`` of the members with a decision.

    Raises:
        ExperimentError: the experiment is no shadow, or moments are of other variables.
    """
    if experiment.mode != "shadow":
        raise ExperimentError(f"experiment {experiment.experiment_id!r} is no shadow")
    for arm, moments in members.items():
        if moments.names != SHADOW_NAMES:
            raise ExperimentError(f"moments of arm {arm!r} are of {moments.names}")
    alpha = experiment.analysis.alpha
    return ShadowReadout(
        experiment.experiment_id,
        as_of,
        experiment.control,
        1 - alpha,
        {
            arm.name: _shadowed(experiment, arm.name, members.get(arm.name))
            for arm in experiment.arms
            if arm.name != experiment.control
        },
    )


def _shadowed(experiment: Experiment, arm: str, moments: Moments | None) -> Shadowed | Untold:
    if moments is None or moments.count < LEAST_MEMBERS:
        few = f"{moments.count if moments else 0} members, wanted {LEAST_MEMBERS}"
        return Untold("too_few_members", few)
    alpha = experiment.analysis.alpha
    agree, sends, control_sends = (
        _share(_per_decision(moments, {name: 1.0}, alpha))
        for name in ("same", "arm_sends", "control_sends")
    )
    gain = _per_decision(moments, {"arm_gain": 1.0, "control_gain": -1.0}, alpha)
    more = f"{abs(gain.value):.4g} {'more' if gain.value >= 0 else 'less'}"
    sentence = (
        f"{arm} decides as {experiment.control} in {agree.value:.1%} of decisions, would send in "
        f"{sends.value:.1%} against {control_sends.value:.1%}, and expects {more} gain per "
        "decision, each by its own models."
    )
    decisions = round(moments.total_of("decisions"))
    return Shadowed(moments.count, decisions, agree, sends, control_sends, gain, sentence)


def _share(estimate: Estimate) -> Estimate:
    """Within 0 and 1, where every share lies."""
    return replace(estimate, low=max(estimate.low, 0.0), high=min(estimate.high, 1.0))


def _per_decision(moments: Moments, total: Mapping[str, float], alpha: float) -> Estimate:
    """A ratio of totals, by the delta method over members."""
    side = Side(((1.0, moments),))
    decisions = side.mean({"decisions": 1.0})
    ratio = side.mean(total) / decisions
    along = {name: number / decisions for name, number in total.items()}
    along["decisions"] = -ratio / decisions
    return around(ratio, side.variance(along) ** 0.5, moments.count - 1, alpha)
