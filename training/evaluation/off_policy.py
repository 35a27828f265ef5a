"""Several policies on the same past decisions: what each would have earned, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.offpolicy import Evaluation, PolicyValue, difference, evaluate, logged_policy
from experiments.panel import CannotSay
from experiments.rule_court import Estimate
from experiments.scores import Scores
from features.progress import Progress, silent
from training.charts import Chart, Series
from training.evaluation.past_decisions import Objective, PastDecisions

STAGE = "policies"
LOGGED = "logged"  # what happened

Target = Callable[[PastDecisions, Scores], NDArray[np.float64]]
_SHOWN = {
    "margin": "margin less contacts and redemptions, per decision",
    "revenue": "revenue per decision",
    "conversions": "conversions per decision",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One policy: its evaluation, and how much more it earns per decision than the reference."""

    evaluation: Evaluation
    above: Estimate | CannotSay


@dataclass(frozen=True, slots=True)
class OffPolicyReport:
    """Policies by name, ``logged`` among them, on the same decisions.

    against: the reference that all are compared with. notes: what to bear in mind about a policy.
    first, last: when the first and the last of the decisions were made.
    """

    objective: Objective
    against: str
    policies: Mapping[str, Compared]
    notes: Mapping[str, str]
    decisions: int
    members: int
    pushes: int
    first: datetime
    last: datetime

    def to_json(self) -> dict[str, Any]:
        """For machines; what cannot be said is null, with its reasons."""
        head = {
            name: getattr(self, name)
            for name in ("objective", "against", "decisions", "members", "pushes")
        }
        told = [_document(name, one, self.notes) for name, one in self.policies.items()]
        return {
            **head,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "policies": told,
        }

    def chart(self) -> Chart:
        """Values with their intervals, those that can be said."""
        said = {
            name: one.evaluation.answer.dr
            for name, one in self.policies.items()
            if isinstance(one.evaluation.answer, PolicyValue)
        }
        means = [one.mean for one in said.values()]
        widths = [one.high - one.mean for one in said.values()]
        series = [Series("value", list(said), means, "points", widths)]
        if LOGGED in said:
            level = [said[LOGGED].mean] * len(said)
            series.append(Series("what happened", list(said), level, "guide"))
        shown = f"{_SHOWN[self.objective]}, 95 % interval"
        return Chart("What policies would have earned", "policy", shown, tuple(series))


def off_policy_report(
    past: PastDecisions,
    targets: Mapping[str, Target],
    objective: Objective = "margin",
    *,
    against: str = LOGGED,
    notes: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> OffPolicyReport:
    """Evaluate each of ``targets`` on ``past``, beside what happened.

    Raises:
        KeyError: no policy of the name ``against``.
        DecisionError: a release cannot decide one of the pushes.
        TrainingError, RuleError: of a target.
    """
    drawn = past.drawn(objective)
    scores = past.scores(drawn)
    chances = {LOGGED: logged_policy(drawn)}
    for number, (name, target) in enumerate(targets.items()):
        progress(STAGE, number, len(targets))
        chances[name] = target(past, scores)
    progress(STAGE, len(targets), len(targets))
    reference = chances[against]
    compared = {
        name: Compared(
            evaluate(drawn, scores, policy), difference(drawn, scores, policy, reference)
        )
        for name, policy in chances.items()
    }
    decided = past.log.rows["as_of"]
    return OffPolicyReport(
        objective=objective,
        against=against,
        policies=compared,
        notes=dict(notes or {}),
        decisions=len(past),
        members=len(np.unique(past.member)),
        pushes=len(np.unique(past.log.push)),
        first=decided.min().to_pydatetime(),
        last=decided.max().to_pydatetime(),
    )


def _document(name: str, one: Compared, notes: Mapping[str, str]) -> dict[str, Any]:
    answer, above = one.evaluation.answer, one.above
    unsaid = isinstance(answer, CannotSay)
    return {
        "name": name,
        "answer": "cannot_say" if unsaid else "value",
        "verdict": one.evaluation.verdict,
        "value": None if unsaid else asdict(answer),
        "above_reference": None if isinstance(above, CannotSay) else asdict(above),
        "reasons": list(answer.reasons) if isinstance(answer, CannotSay) else [],
        "warnings": list(one.evaluation.warnings),
        "support": asdict(one.evaluation.support),
        "note": notes.get(name, ""),
    }
