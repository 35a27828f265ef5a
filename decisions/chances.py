"""With what probability a policy would make each choice, before anything is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decisions.decide import Ask, Candidates
from decisions.errors import DecisionError
from decisions.exploration import NO_SEND, chances, share_of
from decisions.pricing import best_options, member_prices

_BLOCK = 50_000  # members at a time


def offer_chances(ask: Ask, candidates: Candidates) -> NDArray[np.float64]:
    """(n, 1 + offers) how likely each member of ``ask`` gets nothing, and each offer.

    At the prices of ``ask``; by whatever channel. Holdout and exploration are in it:
    ``explore`` logs the entry of what was drawn. Each row adds up to 1.

    Raises:
        DecisionError: the push gives a member several offers at once, which are no single choice.
    """
    push, policy = ask.push, ask.policy
    if push.limits.per_member > 1:
        raise DecisionError(
            f"push {push.push_id!r} gives a member up to {push.limits.per_member} offers: "
            "the chance of one is not defined"
        )
    best = best_options(ask, candidates, member_prices(ask))[:, 0]
    rows, share = np.arange(len(best)), share_of(ask)
    options = np.zeros((len(best), len(ask.options) + 1))  # no send last, as NO_SEND, -1, reads
    options[rows, best] = 1 - share
    barred = candidates.eligibility.reason != 0
    if share > 0:
        open_rows = np.flatnonzero(~barred)
        for start in range(0, len(open_rows), _BLOCK):
            some = open_rows[start : start + _BLOCK]
            options[some] += share * chances(ask, candidates, some)
    reached = (1 - policy.global_holdout) * (1 - push.holdout)
    found = np.zeros((len(best), 1 + len(ask.offers)))
    for column, option in enumerate(options[:, :NO_SEND].T):
        found[:, 1 + column % len(ask.offers)] += reached * option
    found[barred, 1:] = 0.0
    found[:, 0] = 1 - found[:, 1:].sum(axis=1)
    return np.maximum(found, 0.0)
