"""Whether a model's choices earn less than the champion's: what past decisions say of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.offpolicy import PolicyValue, difference, evaluate
from experiments.panel import CannotSay
from experiments.scores import Drawn, Scores
from training.comparison import Comparison
from training.gates import Check

NAME = "choices not worth less than the champion's"
METRIC = "policy_value"
_TIMES = 1000  # figures are per thousand decisions


@dataclass(frozen=True, slots=True)
class PolicyGate:
    """comparison: None where the decisions cannot tell. checks: the gate, where there is a
    champion. told: the value in words."""

    comparison: Comparison | None
    checks: tuple[Check, ...]
    told: str


def greedy(gain: NDArray[np.float64], candidates: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, 1 + m) the candidate of the highest expected ``gain``, (n, m), if that is above 0; else
    no send."""
    rows = np.arange(len(gain))
    best = np.where(candidates, gain, -np.inf).argmax(axis=1)
    sent = candidates[rows, best] & (gain[rows, best] > 0)
    policy = np.zeros((len(gain), 1 + gain.shape[1]))
    policy[rows, np.where(sent, 1 + best, 0)] = 1.0
    return policy


def policy_gate(
    drawn: Drawn,
    scores: Scores,
    ours: NDArray[np.float64],
    champion: NDArray[np.float64] | None,
) -> PolicyGate:
    """Evaluate the choices ``ours`` and the champion's, (n, 1 + m) each, on the same decisions.

    A challenger does not pass when it is credibly worse: the whole interval of the difference lies
    below 0.
    """
    found = evaluate(drawn, scores, ours)
    said = found.answer
    nothing = np.zeros_like(ours)
    nothing[:, 0] = 1.0
    comparison = None
    if isinstance(said, PolicyValue):
        baselines = {"logged": _TIMES * float(drawn.outcome.mean())}
        idle = evaluate(drawn, scores, nothing).answer
        if isinstance(idle, PolicyValue):
            baselines["nothing"] = _TIMES * idle.dr.mean
        comparison = Comparison(METRIC, _TIMES * said.dr.mean, baselines)
    if champion is None:
        return PolicyGate(comparison, (), found.verdict)
    apart = difference(drawn, scores, ours, champion)
    if isinstance(apart, CannotSay):
        check = Check(NAME, True, f"cannot say: {'; '.join(apart.reasons)}")
        return PolicyGate(comparison, (check,), found.verdict)
    check = Check(NAME, not apart.high < 0, f"{apart.told(_TIMES)} per thousand decisions")
    if comparison is not None:
        theirs = comparison.ours - _TIMES * apart.mean
        comparison = Comparison(
            METRIC, comparison.ours, comparison.baselines,
            champion=theirs, error=_TIMES * apart.error,
        )  # fmt: skip
    return PolicyGate(comparison, (check,), found.verdict)
