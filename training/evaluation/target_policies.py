"""How likely a policy would have made each choice on past decisions: what it is evaluated by.

Only what was known when a member was decided is read: features as of that moment, never those of a
release's later snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from decisions.catalogue import Push, PushLimits
from decisions.chances import offer_chances
from decisions.decide import Ask, candidates_of
from decisions.gain import Estimator
from decisions.members import Members
from decisions.plan import plan
from decisions.policy import Policy, Prices
from decisions.rules import matches, parse
from experiments.nuisance import FOLDS
from experiments.scores import Scores
from features.encode import encode
from features.encoding import Encoding
from training.errors import TrainingError
from training.evaluation.past_decisions import PastDecisions


@dataclass(frozen=True, eq=False)
class Deciding:
    """What a release decides with.

    prices: of the pushes that it was planned for; other pushes are planned anew.
    """

    estimator: Estimator
    policy: Policy
    encoding: Encoding
    prices: Mapping[str, Prices] = field(default_factory=dict)


def nothing(past: PastDecisions) -> NDArray[np.float64]:
    """(n, 1 + m) no send to anybody."""
    return _always(past, np.full(len(past), -1))


def any_offer(past: PastDecisions) -> NDArray[np.float64]:
    """(n, 1 + m) one of the candidates to everybody, each as likely."""
    candidates = past.log.candidates[past.log.push]
    even = candidates / np.maximum(candidates.sum(axis=1, keepdims=True), 1)
    return np.column_stack([np.zeros(len(past)), even])


def best_offer(past: PastDecisions, scores: Scores) -> NDArray[np.float64]:
    """(n, 1 + m) the best single candidate to everybody, by the scores of other members."""
    candidates = past.log.candidates[past.log.push]
    fold = past.member % FOLDS
    chosen = np.full(len(past), -1)
    for one in range(FOLDS):
        mine = fold == one
        effects = [effect.mean for effect in scores.part(~mine).effects()]
        best = np.where(candidates[mine], effects, -np.inf).argmax(axis=1)
        chosen[mine] = np.where(candidates[mine].any(axis=1), best, -1)
    return _always(past, chosen)


def by_rule(past: PastDecisions, rule: str, offer_id: str) -> NDArray[np.float64]:
    """(n, 1 + m) the offer to whom the rule picks, nothing to the others.

    Dates in the rule are compared from each decision's own moment.

    Raises:
        RuleError: the rule does not parse, or names what does not exist.
        TrainingError: no past push had the offer among its candidates.
    """
    ids = [offer.offer_id for offer in past.log.offers]
    if offer_id not in ids:
        raise TrainingError(
            f"offer {offer_id!r} was a candidate of no past push; candidates were: {', '.join(ids)}"
        )
    parsed = parse(rule)
    picked = np.zeros(len(past), dtype=bool)
    for number, at in enumerate(past.moments):
        mine = past.moment == number
        picked[mine] = matches(parsed, past.values[mine], past.encoding, at)
    return _always(past, np.where(picked, ids.index(offer_id), -1))


def by_release(
    past: PastDecisions, deciding: Deciding, *, exploration: bool = True, limits: bool = True
) -> NDArray[np.float64]:
    """(n, 1 + m) what a release would have chosen in each past push.

    Reproduced are its model, its standing policy, the rules, holdout and exploration of each push,
    and prices: the release's where it was planned for the push, else those of a plan of the push
    for the members in the log, inside the push's limits. Not reproduced are how prices followed
    the spending while a push went out, frequency caps (who was above one is in no decision that
    chance had a part in), stock, and features that were fresher than the last build.

    Args:
        exploration: False leaves holdout and exploration out: what it holds best, and nothing else.
        limits: False asks for the best offer whatever it costs.

    Raises:
        DecisionError: a push cannot be planned inside its limits, or a rule not be evaluated.
        EncodingError: the release knows a feature that the workspace no longer has.
    """
    values = encode(past.frame, deciding.encoding)
    found = np.zeros((len(past), 1 + len(past.log.offers)))
    for number, push in enumerate(past.pushes):
        rows = np.flatnonzero(past.log.push == number)
        if not len(rows):
            continue
        asked = push if exploration else replace(push, holdout=0.0, exploration=0.0)
        policy = deciding.policy if exploration else replace(deciding.policy, global_holdout=0.0)
        given = replace(deciding, policy=policy)
        prices = Prices()
        if limits:
            planned = _scaled(asked, float(past.shares[number]))
            whole = _ask(past, given, planned, values, rows)
            own = deciding.prices.get(push.push_id)
            prices = plan(whole, deciding.estimator).prices if own is None else own
        columns = [0, *(1 + _column(past, offer_id) for offer_id in push.offer_ids)]
        for some in _by_moment(past, rows):
            ask = replace(_ask(past, given, asked, values, some), prices=prices)
            chances = offer_chances(ask, candidates_of(ask, deciding.estimator))
            found[some[:, None], columns] = chances
    return found


def _always(past: PastDecisions, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """``chosen``, (n,) positions of offers and -1 for no send, for sure."""
    policy = np.zeros((len(past), 1 + len(past.log.offers)))
    policy[np.arange(len(past)), 1 + chosen] = 1.0
    return policy


def _column(past: PastDecisions, offer_id: str) -> int:
    return [offer.offer_id for offer in past.log.offers].index(offer_id)


def _by_moment(past: PastDecisions, rows: NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
    """``rows`` in parts whose features are of one moment."""
    return [rows[past.moment[rows] == one] for one in np.unique(past.moment[rows])]


def _ask(
    past: PastDecisions,
    deciding: Deciding,
    push: Push,
    values: NDArray[np.float32],
    rows: NDArray[np.int64],
) -> Ask:
    known = values[rows]
    at: datetime = past.moments[int(past.moment[rows].max())]
    ids = tuple(past.log.rows["member_id"].to_numpy(dtype=str)[rows].tolist())
    met = np.asarray(~np.isnan(known).all(axis=1))
    members = Members(ids, known, met, deciding.encoding, at)
    # How much of an offer was left then is not known.
    offers = tuple(
        replace(past.log.offers[_column(past, offer_id)], stock=None) for offer_id in push.offer_ids
    )
    return Ask(push, offers, members, deciding.policy, Prices(), frozenset())


def _scaled(push: Push, share: float) -> Push:
    """The push with its limits for a ``share`` of its members."""
    if share == 1.0:
        return push

    def part(limit: float | None) -> float | None:
        return None if limit is None else limit * share

    def count(limit: int | None) -> int | None:
        return None if limit is None else round(limit * share)

    def parts(limits: Mapping[str, float]) -> dict[str, float]:
        return {name: limit * share for name, limit in limits.items()}

    bounds = push.limits
    return replace(
        push,
        budget=part(push.budget),
        exploration_budget=part(push.exploration_budget),
        max_audience=count(push.max_audience),
        min_audience=count(push.min_audience),
        limits=PushLimits(
            bounds.per_member,
            parts(bounds.offer_caps),
            parts(bounds.offer_floors),
            parts(bounds.channel_caps),
            parts(bounds.channel_floors),
            parts(bounds.segment_caps),
            parts(bounds.segment_floors),
        ),
    )
