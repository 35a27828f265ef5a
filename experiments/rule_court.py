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

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experiments.panel import CannotSay
from experiments.saying import Says, english
from experiments.weighing import (
    FEW_EFFECTIVE,
    LEAST_EFFECTIVE,
    effective_size,
    mean_weight,
    off_one,
)

LEAST_CONVERSIONS = 10  # on either side: without any, scores hardly vary and an interval is a lie
Objective = Literal["margin", "conversions"]
_WIDE = 1.959964  # half a 95 % interval in standard errors


@dataclass(frozen=True, eq=False)
class Trial:
    """n past decisions in which the offers asked about could have been sent.

    The treatment is one of the offers asked about that were candidates, each as likely.

    gain: (n,) doubly robust score of what it earns against no send, money.
    conversions: (n,) the same in conversions.
    predicted: (n,) what a model, which did not see the member's outcome, promised of ``objective``.
    sent_weight: (n,) how likely the treatment is to send what was sent, over the probability with
        which it was sent; 0 where none of the offers was.
    unsent_weight: (n,) one over the probability of no send where that was drawn; else 0.
    converted: (n,). member, push: (n,) numbers of whose decision, and in which push.
    drawn: whether chance had a part, with probabilities that are known.
    objective: what decides, ``margin`` (money) or ``conversions``.
    """

    gain: NDArray[np.float64]
    conversions: NDArray[np.float64]
    predicted: NDArray[np.float64]
    sent_weight: NDArray[np.float64]
    unsent_weight: NDArray[np.float64]
    converted: NDArray[np.bool_]
    member: NDArray[np.int64]
    push: NDArray[np.int64]
    drawn: bool = True
    objective: Objective = "margin"

    def __len__(self) -> int:
        return len(self.gain)

    @property
    def judged(self) -> NDArray[np.float64]:
        """(n,) the score that decides."""
        return self.gain if self.objective == "margin" else self.conversions


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
    """

    verdict: str
    answer: Findings | CannotSay
    decisions: int
    members: int
    pushes: int
    picked: int
    effective: Effective
    warnings: tuple[str, ...]


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
    answer = CannotSay(reasons) if reasons else _findings(trial, picked)
    return Ruling(
        verdict=_verdict(answer, says),
        answer=answer,
        decisions=len(trial),
        members=len(np.unique(trial.member)),
        pushes=len(np.unique(trial.push)),
        picked=int(picked.sum()),
        effective=effective,
        warnings=() if reasons else _warnings(effective, says),
    )


def best_by_model(
    trial: Trial, picked: NDArray[np.bool_], among: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(n,) shares: in each push as many of ``among`` as the rule picks, highest prediction first.

    Equal predictions share the places that they take up together, so that order never counts.
    """
    share = np.zeros(len(trial))
    predicted = np.round(trial.predicted, 9)
    for push in np.unique(trial.push[picked]):
        rows = np.flatnonzero((trial.push == push) & among)
        wanted = min(int((picked & (trial.push == push)).sum()), len(rows))
        _, level, count = np.unique(-predicted[rows], return_inverse=True, return_counts=True)
        before = np.cumsum(count) - count
        share[rows] = np.clip((wanted - before) / count, 0.0, 1.0)[level]
    return share


def _findings(trial: Trial, picked: NDArray[np.bool_]) -> Findings:
    inside, outside = picked.astype(np.float64), (~picked).astype(np.float64)
    best_out = best_by_model(trial, picked, ~picked)
    model = best_by_model(trial, picked, np.ones(len(trial), dtype=bool))
    return Findings(
        objective=trial.objective,
        picked=_group(trial, inside),
        left_out=_group(trial, outside),
        best_left_out=_group(trial, best_out),
        model=_group(trial, model),
        picked_less_left_out=_difference(trial, inside, outside),
        picked_less_best_left_out=_difference(trial, inside, best_out),
        picked_less_model=_difference(trial, inside, model),
    )


def _group(trial: Trial, share: NDArray[np.float64]) -> Group:
    return Group(
        decisions=round(float(share.sum())),
        gain=_estimate(trial, *_parts(trial.gain, share)),
        conversions=_estimate(trial, *_parts(trial.conversions, share)),
    )


def _difference(trial: Trial, share: NDArray[np.float64], other: NDArray[np.float64]) -> Estimate:
    """Of two groups that may overlap: the error is that of the pair."""
    mean, part = _parts(trial.judged, share)
    mean_other, part_other = _parts(trial.judged, other)
    return _estimate(trial, mean - mean_other, part - part_other)


def _parts(
    score: NDArray[np.float64], share: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The mean of the scores by ``share``, and what each row adds to it beyond itself."""
    size = max(float(share.sum()), 1.0)
    mean = float(share @ score) / size
    return mean, share * (score - mean) / size


def _estimate(trial: Trial, mean: float, part: NDArray[np.float64]) -> Estimate:
    by_member = np.bincount(trial.member, weights=part)
    return Estimate.of(mean, float(np.sqrt((by_member**2).sum())))


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
    for words, weight in zip(_OFF, (trial.sent_weight, trial.unsent_weight), strict=True):
        found = mean_weight(weight, trial.member)
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
