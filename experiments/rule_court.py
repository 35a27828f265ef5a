"""What a hand-written rule earns, by past sends that chance had a part in.

A rule picks members. Whether it picks the right ones shows only beside others: the members that it
leaves out, nobody at all, and as many members whom a model would pick. Who bought after a send says
nothing of it: members picked for being about to buy buy anyway.

Everything is an average of doubly robust scores of a send against no send, so it leans on no model
of what members do. The model picks by predictions that never saw the member's own outcome, push by
push as many members as the rule. Errors are clustered by member. Nothing is winsorised.

Source: doubly robust scores: Robins, Rotnitzky and Zhao, JASA 89, 1994; effective sample size:
Kish, Survey Sampling, 1965.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.panel import CannotSay
from experiments.saying import Says, english
from experiments.trial import CONVERSIONS, COUNT, GAIN, Objective, Trial
from experiments.weighing import (
    FEW_EFFECTIVE,
    LEAST_EFFECTIVE,
    effective_size,
    off_one,
)

LEAST_CONVERSIONS = 10  # on either side: without any, scores hardly vary and an interval is a lie
_WIDE = 1.959964  # half a 95 % interval in standard errors


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, its standard error clustered by member, and its 95 % interval."""

    mean: float
    error: float
    low: float
    high: float

    @classmethod
    def of(cls, mean: float, error: float) -> Estimate:
        return cls(mean, error, mean - _WIDE * error, mean + _WIDE * error)

    def told(self, times: float = 1.0, says: Says = english) -> str:
        """The mean with its interval, ``times`` as much, in words."""
        mean, low, high = (f"{times * one:.2f}" for one in (self.mean, self.low, self.high))
        return says("%(mean)s (%(low)s to %(high)s)", mean=mean, low=low, high=high)


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the decisions; a member met in two pushes counts twice.

    gain: money per contact against no send. conversions: per contact, the same.
    """

    decisions: int
    gain: Estimate
    conversions: Estimate


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured. Differences are of what decides, per contact.

    objective: ``margin``, money, or ``conversions``.
    picked, left_out: by the rule. best_left_out: of the latter as many as the rule picks, best by
    the model. model: as many of all, best by the model.
    """

    objective: Objective
    picked: Group
    left_out: Group
    best_left_out: Group
    model: Group
    picked_less_left_out: Estimate
    picked_less_best_left_out: Estimate
    picked_less_model: Estimate

    def judged(self, group: Group) -> Estimate:
        """Of ``group`` what decides, per contact."""
        return group.gain if self.objective == "margin" else group.conversions

    def told(self, group: Group, says: Says = english) -> str:
        """The same in words."""
        if self.objective == "margin":
            return says("earned %(estimate)s per contact", estimate=group.gain.told(1.0, says))
        return says(
            "brought %(estimate)s more conversions in 1,000 contacts",
            estimate=group.conversions.told(1000, says),
        )

    @property
    def better(self) -> Group | None:
        """Members whom the rule leaves out, who earn something and more than those it picks.

        All of them, else as many as it picks; None where that is not shown.
        """
        if self.picked_less_left_out.high < 0 < self.judged(self.left_out).low:
            return self.left_out
        if self.picked_less_best_left_out.high < 0 < self.judged(self.best_left_out).low:
            return self.best_left_out
        return None

    @property
    def reversed(self) -> bool:
        """Whether the rule leaves out members who earn more than those it picks."""
        return self.better is not None


@dataclass(frozen=True, slots=True)
class Effective:
    """Decisions that the weighed ones are worth, by what happened and side of the rule."""

    picked_sent: float
    picked_unsent: float
    left_out_sent: float
    left_out_unsent: float


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer about a rule and what it rests on.

    decisions, members, pushes: over how many. picked: decisions that the rule picks.
    verdict: the answer in one sentence. warnings: what to bear in mind, in words.
    by_model: (n,) shares of the decisions that the model would pick instead, as many in each push;
        None where the court cannot say.
    """

    verdict: str
    answer: Findings | CannotSay
    decisions: int
    members: int
    pushes: int
    picked: int
    effective: Effective
    warnings: tuple[str, ...]
    by_model: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)


def rule_court(trial: Trial, picked: NDArray[np.bool_], says: Says = english) -> Ruling:
    """Judge the rule that picks (n,) ``picked`` of the decisions.

    Args:
        says: the language of the verdict, the reasons and the warnings.
    """
    effective = Effective(
        effective_size(trial.sent_weight[picked]),
        effective_size(trial.unsent_weight[picked]),
        effective_size(trial.sent_weight[~picked]),
        effective_size(trial.unsent_weight[~picked]),
    )
    reasons = _too_little(trial, picked, effective, says) or _weights_off(trial, says)
    everyone = np.ones(len(trial), dtype=bool)
    by_model = None if reasons else best_by_model(trial, picked, everyone)
    answer = CannotSay(reasons) if by_model is None else _findings(trial, picked, by_model)
    return Ruling(
        verdict=_verdict(answer, says),
        answer=answer,
        decisions=len(trial),
        members=trial.members,
        pushes=trial.pushes,
        picked=int(picked.sum()),
        effective=effective,
        warnings=() if reasons else _warnings(effective, says),
        by_model=by_model,
    )


def best_by_model(
    trial: Trial, picked: NDArray[np.bool_], among: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) shares: in each push as many of ``among`` as the rule picks, highest prediction first.

    Equal predictions share the places that they take up together, so that order never counts.
    """
    wanted = np.bincount(trial.push[picked], minlength=int(trial.push.max(initial=0)) + 1)
    return trial.ranking.best(wanted, among)


def _findings(trial: Trial, picked: NDArray[np.bool_], by_model: NDArray[np.float64]) -> Findings:
    inside = _Side(trial.sums(picked.astype(np.float64)))
    outside = _Side(trial.whole - inside.sums)
    best_out = _Side(trial.sums(best_by_model(trial, picked, ~picked)))
    model = _Side(trial.sums(by_model))
    judged = GAIN if trial.objective == "margin" else CONVERSIONS
    return Findings(
        objective=trial.objective,
        picked=inside.group(),
        left_out=outside.group(),
        best_left_out=best_out.group(),
        model=model.group(),
        picked_less_left_out=inside.less(outside, judged),
        picked_less_best_left_out=inside.less(best_out, judged),
        picked_less_model=inside.less(model, judged),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """Some of the decisions by member: sums, (members, 3), as ``Trial.sums`` gives."""

    sums: NDArray[np.float64]

    def group(self) -> Group:
        return Group(
            decisions=round(float(self.sums[:, COUNT].sum())),
            gain=_estimate(*self._parts(GAIN)),
            conversions=_estimate(*self._parts(CONVERSIONS)),
        )

    def less(self, other: _Side, column: int) -> Estimate:
        """Of two sides that may overlap: the error is that of the pair."""
        (mean, part), (mean_other, part_other) = self._parts(column), other._parts(column)
        return _estimate(mean - mean_other, part - part_other)

    def _parts(self, column: int) -> tuple[float, NDArray[np.float64]]:
        """The mean of a score, and what each member adds to it beyond it."""
        count, score = self.sums[:, COUNT], self.sums[:, column]
        size = max(float(count.sum()), 1.0)
        mean = float(score.sum()) / size
        return mean, (score - mean * count) / size


def _estimate(mean: float, by_member: NDArray[np.float64]) -> Estimate:
    return Estimate.of(mean, float(np.sqrt(np.square(by_member).sum())))


def _too_little(
    trial: Trial, picked: NDArray[np.bool_], effective: Effective, says: Says
) -> tuple[str, ...]:
    if not len(trial):
        return (says("no past decision had one of these offers among its candidates"),)
    if not trial.drawn:
        return (
            says("who was sent what was not drawn at random, so the log cannot tell the effect"),
        )
    if picked.all():
        told = "the rule picks everybody in the %(count)s past decisions about these offers"
        return (says(told, count=len(trial)),)
    if not picked.any():
        told = "the rule picks nobody in the %(count)s past decisions about these offers"
        return (says(told, count=len(trial)),)
    reasons = [
        says(_FEW_DECISIONS[name], count=f"{count:.0f}", least=LEAST_EFFECTIVE)
        for name, count in asdict(effective).items()
        if count < LEAST_EFFECTIVE
    ]
    told_of = (trial.sent_weight > 0) | (trial.unsent_weight > 0)
    for words, side in zip(_FEW_CONVERSIONS, (picked, ~picked), strict=True):
        count = int((trial.converted & side & told_of).sum())
        if not reasons and count < LEAST_CONVERSIONS:
            reasons.append(says(words, count=count, least=LEAST_CONVERSIONS))
    return tuple(reasons)


def _weights_off(trial: Trial, says: Says) -> tuple[str, ...]:
    """Where the logged probabilities are right, weights are 1 on average."""
    for words, found in zip(_OFF, trial.mean_weights, strict=True):
        if off_one(found.mean, found.error):
            return (says(words, mean=f"{found.mean:.3f}"),)
    return ()


def _warnings(effective: Effective, says: Says) -> tuple[str, ...]:
    least = min(asdict(effective).values())
    if least >= FEW_EFFECTIVE:
        return ()
    told = "the smallest group is worth %(count)s decisions after weighing: few"
    return (says(told, count=f"{least:.0f}"),)


def _verdict(answer: Findings | CannotSay, says: Says) -> str:
    """The answer in one sentence."""
    if isinstance(answer, CannotSay):
        return says("Cannot say: %(reasons)s.", reasons="; ".join(answer.reasons))
    picked, better = answer.judged(answer.picked), answer.better
    told = {"picked": answer.told(answer.picked, says)}
    if better is not None:
        words = (
            _WRONG if better is answer.left_out else _NOT_BEST if picked.low > 0 else _WRONG_PICKED
        )
        return says(words, better=answer.told(better, says), **told)
    if picked.high < 0:
        return says("The rule does harm: a push to those it picks %(picked)s.", **told)
    if picked.low <= 0:
        return says(_NOTHING, **told)
    if answer.picked_less_model.high < 0:
        return says(_MODEL_BETTER, model=answer.told(answer.model, says), **told)
    words = _WORKS if answer.picked_less_left_out.low > 0 else _NO_BETTER
    return says(words, others=answer.told(answer.left_out, says), **told)


_FEW_DECISIONS = {
    "picked_sent": "members whom the rule picks and were sent an offer are worth %(count)s "
    "decisions after weighing, wanted at least %(least)s",
    "picked_unsent": "members whom the rule picks and were sent nothing are worth %(count)s "
    "decisions after weighing, wanted at least %(least)s",
    "left_out_sent": "members whom the rule leaves out and were sent an offer are worth %(count)s "
    "decisions after weighing, wanted at least %(least)s",
    "left_out_unsent": "members whom the rule leaves out and were sent nothing are worth "
    "%(count)s decisions after weighing, wanted at least %(least)s",
}
_FEW_CONVERSIONS = (
    "%(count)s conversions of members whom the rule picks, wanted at least %(least)s",
    "%(count)s conversions of members whom the rule leaves out, wanted at least %(least)s",
)
_OFF = (
    "the logged probabilities of sends do not fit: mean weight %(mean)s",
    "the logged probabilities of no send do not fit: mean weight %(mean)s",
)
_WRONG = (
    "The rule sends to the wrong members: a push to those it leaves out %(better)s; to those it "
    "picks it %(picked)s."
)
_NOT_BEST = (
    "The rule works, but not on the best members: a push to as many of those it leaves out, best "
    "by the model, %(better)s; to those it picks it %(picked)s."
)
_WRONG_PICKED = (
    "The rule picks the wrong members: a push to as many of those it leaves out, best by the "
    "model, %(better)s; to those it picks it %(picked)s."
)
_NOTHING = "Nothing shows that the rule gains anything: a push to those it picks %(picked)s."
_MODEL_BETTER = (
    "The rule works: a push to those it picks %(picked)s; but to as many that the model picks it "
    "%(model)s."
)
_WORKS = (
    "The rule works: a push to those it picks %(picked)s, to those it leaves out it %(others)s."
)
_NO_BETTER = (
    "The rule works no better than sending to anybody: a push to those it picks %(picked)s, to "
    "those it leaves out it %(others)s."
)
