"""What a policy would have earned, from decisions of another that chance had a part in.

The number is doubly robust: the mean of ``sum_a pi(a|x_i) mu_a(x_i) + w_i (y_i - mu_{a_i}(x_i))``
with the weight ``w_i = pi(a_i|x_i) / e_i``. The probabilities are logged, so it is unbiased
whatever the expectations ``mu``, which only make it steadier. Beside it stand the self-normalised
mean of the weighed rewards (SNIPS), a second opinion that leans on no expectation, and the plain
one (IPS). Expectations alone, the direct method, are no estimate here: their interval misses the
truth more often than not. No weight is ever clipped.

Where the log cannot tell, there is no number: see ``refusals``.

Source: Dudík, Langford and Li, ICML 2011 (doubly robust); Swaminathan and Joachims, NeurIPS 2015
(self-normalised).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.errors import ExperimentError
from experiments.panel import CannotSay
from experiments.rule_court import Estimate
from experiments.scores import Drawn, Scores, check_distributions, mean_effect
from experiments.weighing import (
    FEW_EFFECTIVE,
    LEAST_EFFECTIVE,
    effective_size,
    mean_weight,
    off_one,
)

FEW_SHARE = 0.05  # of all decisions: worth less after weighing is told
MOST_UNSUPPORTED = 0.001  # of the policy's choices, where the log could not have chosen so
_MOST_APART = 3.0  # standard errors between the two opinions
LEAST_VARYING = 10  # rewards that are not the commonest one: without, an interval is a lie
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Support:
    """What an answer rests on.

    decisions, members: of the log. effective: decisions that the weighed ones are worth,
    ``(sum w)^2 / sum w^2``. mean_weight: 1 but for chance where the logged probabilities are right;
    weight_error: that chance, a standard error. largest_weight. unsupported: share of the policy's
    choices that the log could not have made.
    """

    decisions: int
    members: int
    effective: float
    mean_weight: float
    weight_error: float
    largest_weight: float
    unsupported: float


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """Reward per decision under the policy; intervals are of 95 %, clustered by member.

    dr: the number. snips, ips: the other opinions. above_logged: ``dr`` less what the log itself
    earned; its interval is of the pair.
    """

    dr: Estimate
    snips: Estimate
    ips: Estimate
    above_logged: Estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answer about one policy, what it rests on, and what to bear in mind, in words."""

    answer: PolicyValue | CannotSay
    support: Support
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        if isinstance(self.answer, CannotSay):
            return f"Cannot be evaluated: {'; '.join(self.answer.reasons)}."
        value, above = self.answer.dr, self.answer.above_logged
        told = f"{value.mean:.4g} ({value.low:.4g} to {value.high:.4g}) per decision"
        if above.error == 0 == above.mean:
            return f"Earned {told}: it is what the log did."
        if above.low <= 0 <= above.high:
            return f"Would have earned {told}; that cannot be told from what the log earned."
        more = "more" if above.mean > 0 else "less"
        return f"Would have earned {told}, {abs(above.mean):.4g} {more} than the log."


def evaluate(log: Drawn, scores: Scores, policy: NDArray[np.float64]) -> Evaluation:
    """What ``policy`` would have earned on the decisions of ``log``.

    A policy whose probability of everything that was chosen is the logged one is the log's own: it
    earned what happened.

    Args:
        scores: ``experiments.scores.doubly_robust`` of the log, around expectations that did not
            see the member's own rewards (``experiments.nuisance.cross_fitted``).
        policy: (n, 1 + m) probabilities, no send first; each row adds up to 1. It must not have
            been learned from these rewards.

    Raises:
        ExperimentError: no decisions, or a row of ``policy`` is no distribution.
    """
    policy = _checked(log, policy)
    weight = weights(log, policy)
    support = _support(log, policy, weight)
    reasons = refusals(support) + _hardly_varying(log, weight)
    if reasons:
        return Evaluation(CannotSay(reasons), support)
    part = _parts(log, scores, policy, weight)
    value = PolicyValue(
        dr=_mean(part, log.member),
        snips=_self_normalised(log, weight),
        ips=_mean(weight * log.outcome, log.member),
        above_logged=_mean(part - log.outcome, log.member),
    )
    return Evaluation(value, support, _warnings(log, support, weight, part))


def difference(
    log: Drawn, scores: Scores, policy: NDArray[np.float64], other: NDArray[np.float64]
) -> Estimate | CannotSay:
    """How much more ``policy`` would have earned per decision than ``other``, as a pair.

    Arguments and errors as of ``evaluate``; it cannot be said where either cannot.
    """
    parts = []
    for given in (policy, other):
        one = _checked(log, given)
        weight = weights(log, one)
        reasons = refusals(_support(log, one, weight)) + _hardly_varying(log, weight)
        if reasons:
            return CannotSay(reasons)
        parts.append(_parts(log, scores, one, weight))
    return _mean(parts[0] - parts[1], log.member)


def refusals(support: Support) -> tuple[str, ...]:
    """Why nothing can be said with such a support; empty where something can."""
    reasons = []
    if support.effective < LEAST_EFFECTIVE:
        reasons.append(
            f"the {support.decisions:,} decisions are worth {support.effective:.0f} after "
            f"weighing, wanted at least {LEAST_EFFECTIVE}"
        )
    if support.unsupported > MOST_UNSUPPORTED:
        reasons.append(
            f"{support.unsupported:.2%} of what the policy does could not have happened in the "
            f"log, wanted at most {MOST_UNSUPPORTED:.1%}"
        )
    # Either would show in the mean weight too.
    if not reasons and off_one(support.mean_weight, support.weight_error):
        reasons.append(
            "the logged probabilities do not fit what happened: the mean weight is "
            f"{support.mean_weight:.3f} (SE {support.weight_error:.3f}), wanted 1"
        )
    return tuple(reasons)


def weights(log: Drawn, policy: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) how much likelier ``policy`` makes what was chosen than the log did."""
    weight = policy[np.arange(len(log.chosen)), 1 + log.chosen] / log.probability
    return np.ones_like(weight) if np.abs(weight - 1).max() <= _SAME else weight


def logged_policy(log: Drawn) -> NDArray[np.float64]:
    """(n, 1 + m) a policy that chooses as the log did, as far as the log tells.

    What was not chosen shares the rest evenly: the log knows no more, and no estimate asks.
    """
    rows, open_ = np.arange(len(log.chosen)), _possible(log).copy()
    open_[rows, 1 + log.chosen] = False
    count = np.maximum(open_.sum(axis=1, keepdims=True), 1)
    policy: NDArray[np.float64] = open_ * ((1 - log.probability[:, None]) / count)
    policy[rows, 1 + log.chosen] = log.probability
    return policy


def _own(weight: NDArray[np.float64]) -> bool:
    """Whether the policy is the log's own."""
    return bool((weight == 1).all())


def _possible(log: Drawn) -> NDArray[np.bool_]:
    return np.column_stack([np.ones(len(log.candidates), dtype=bool), log.candidates])


def _supported(log: Drawn) -> NDArray[np.bool_]:
    """(n, 1 + m) candidates that the log chose at least once somewhere."""
    ever = np.bincount(1 + log.chosen, minlength=1 + log.candidates.shape[1]) > 0
    return np.asarray(_possible(log) & ever)


def _checked(log: Drawn, policy: NDArray[np.float64]) -> NDArray[np.float64]:
    wanted = (len(log.outcome), 1 + log.candidates.shape[1])
    if not wanted[0]:
        raise ExperimentError("the log holds no decisions")
    if policy.shape != wanted:
        raise ExperimentError(f"the policy has the shape {policy.shape}, wanted {wanted}")
    check_distributions(policy)
    return policy


def _support(log: Drawn, policy: NDArray[np.float64], weight: NDArray[np.float64]) -> Support:
    mean = mean_weight(weight, log.member)
    outside = np.where(_supported(log), 0.0, policy).sum(axis=1).mean()
    return Support(
        decisions=len(weight),
        members=len(np.unique(log.member)),
        effective=effective_size(weight),
        mean_weight=mean.mean,
        weight_error=mean.error,
        largest_weight=float(weight.max()),
        # A policy that does all that happened as likely as the log has no room for more.
        unsupported=0.0 if _own(weight) else float(outside),
    )


def _hardly_varying(log: Drawn, weight: NDArray[np.float64]) -> tuple[str, ...]:
    reward = log.outcome[weight > 0]
    count = np.unique(reward, return_counts=True)[1]
    others = len(reward) - int(count.max(initial=0))
    # The log's own mean is what happened, whatever that was.
    if others >= LEAST_VARYING or _own(weight):
        return ()
    reason = f"of the decisions that the policy could have made, {others} have another reward than "
    return (f"{reason}most, wanted at least {LEAST_VARYING}",)


def _parts(
    log: Drawn, scores: Scores, policy: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) what each decision adds to the doubly robust value."""
    if _own(weight):
        return log.outcome
    # An offer that was no candidate would not have gone out; there is next to none of it here.
    possible = np.where(_possible(log), policy, 0.0)
    possible[:, 0] += 1 - possible.sum(axis=1)
    return scores.mixed(possible)


def _mean(part: NDArray[np.float64], member: NDArray[np.int64]) -> Estimate:
    found = mean_effect(part, member)
    return Estimate.of(found.mean, found.error)


def _self_normalised(log: Drawn, weight: NDArray[np.float64]) -> Estimate:
    value = float(weight @ log.outcome) / float(weight.sum())
    influence = weight * (log.outcome - value) / weight.mean()
    return Estimate.of(value, mean_effect(influence, log.member).error)


def _warnings(
    log: Drawn, support: Support, weight: NDArray[np.float64], part: NDArray[np.float64]
) -> tuple[str, ...]:
    told = []
    share = support.effective / support.decisions
    if support.effective < FEW_EFFECTIVE or share < FEW_SHARE:
        told.append(
            f"the {support.decisions:,} decisions are worth {support.effective:,.0f} "
            f"({share:.1%}) after weighing: few"
        )
    if support.unsupported > 0:
        told.append(
            f"{support.unsupported:.3%} of what the policy does could not have happened in the log"
        )
    snips = float(weight @ log.outcome) / float(weight.sum())
    apart = part - weight * (log.outcome - snips) / weight.mean() - snips
    found = mean_effect(apart, log.member)
    if not _own(weight) and abs(found.mean) > _MOST_APART * found.error > 0:
        told.append(
            f"the two estimates are {abs(found.mean):.4g} apart, more than chance explains: "
            "look at the logged probabilities"
        )
    return tuple(told)
