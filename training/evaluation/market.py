"""What policies truly earn on the synthetic market; the only reader of its truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from decisions.allocation import allocate
from decisions.limits import Limits, Pairs
from training.market import truth
from training.market.truth import PushTruth


@dataclass(frozen=True, slots=True)
class Ranking:
    """A policy: whom to contact first, and with what.

    rows: members, as rows of the truth, first contacted first; nobody twice.
    offer: (len(rows),) position of each one's offer.
    """

    rows: NDArray[np.int64]
    offer: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Earned:
    """What a policy earns within a budget: expectations over the market's own randomness."""

    gain: float  # incremental margin less contacts and redemptions, in money
    cost: float  # contacts, coupons and redemptions, in money
    contacts: int


def truth_of(market: Path, push_id: str) -> PushTruth:
    """The truth about one push of the market in ``market``.

    Raises:
        TrainingError: the folder holds no market, or nothing is known about the push.
    """
    return truth.load(market).of(push_id)


def earned(known: PushTruth, ranking: Ranking, budget: float, audience: float = np.inf) -> Earned:
    """Follow ``ranking`` until a contact would break the ``budget``, at its true cost, or the size.

    Every policy is held to what its contacts truly cost, whatever it had expected, so that all
    spend the same.
    """
    cost = known.expected_cost[ranking.rows, ranking.offer]
    within = (np.cumsum(cost) <= budget) & (np.arange(len(cost)) < audience)
    gain = known.expected_gain[ranking.rows, ranking.offer]
    return Earned(float(gain[within].sum()), float(cost[within].sum()), int(within.sum()))


def oracle(known: PushTruth, budget: float, audience: float = np.inf) -> Ranking:
    """The best there is within ``budget`` and size, knowing every effect; largest return first."""
    gain = np.where(known.reachable[:, None], known.expected_gain, -np.inf)
    pairs = Pairs(gain, known.expected_cost, gain.shape[1])
    ties = np.random.default_rng(0).random(len(pairs))
    offer = allocate(pairs, Limits(budget, audience_most=audience), ties).slot[:, 0]
    rows = np.flatnonzero(offer >= 0)
    returns = gain[rows, offer[rows]] / known.expected_cost[rows, offer[rows]]
    rows = rows[np.argsort(-returns, kind="stable")]
    return Ranking(rows, offer[rows])


def rule(known: PushTruth, offer: int, seed: int) -> Ranking:
    """The hand-written rule: those who browsed the place lately, in no order, get ``offer``."""
    return _at_random(np.flatnonzero(known.browsed_recently & known.reachable), offer, seed)


def at_random(known: PushTruth, offer: int, seed: int) -> Ranking:
    """Anybody who can be reached gets ``offer``, in no order."""
    return _at_random(np.flatnonzero(known.reachable), offer, seed)


def by_score(known: PushTruth, score: Mapping[str, float], offer: int) -> Ranking:
    """Reachable members by a score, highest first, get ``offer``; unscored ones come last."""
    rows = np.flatnonzero(known.reachable)
    scores = np.array([score.get(known.member_ids[row], -np.inf) for row in rows])
    rows = rows[np.argsort(-scores, kind="stable")]
    return Ranking(rows, np.full(len(rows), offer))


def planned(known: PushTruth, members: list[str], offers: list[str]) -> Ranking:
    """A plan's members and offers, in its order."""
    row_of = {member: row for row, member in enumerate(known.member_ids)}
    rows = np.array([row_of[member] for member in members], dtype=np.int64)
    offer = np.array([known.offer_ids.index(one) for one in offers], dtype=np.int64)
    return Ranking(rows, offer)


def _at_random(rows: NDArray[np.int64], offer: int, seed: int) -> Ranking:
    shuffled = np.random.default_rng(seed).permutation(rows)
    return Ranking(shuffled, np.full(len(shuffled), offer))
