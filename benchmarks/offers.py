"""The best of ten offers of a rewards programme: who should get which, on its last wave.

The Starbucks rewards offers (simulated by their publisher): 17,000 members, six waves, in each of
which a member got one of ten offers or none, by chance with known probabilities. The response model
learns from the earlier waves. On the last one each member is given the offer that it names, and the
policy is valued by doubly robust scores, beside the single offer that did best in the earlier
waves, and an offer drawn at random. Two outcomes, per member: redemptions; and what they bring, the
least spend that completes an offer less its reward.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import Figure, data_folder
from experiments.scores import Drawn, MeanEffect, Scores, doubly_robust
from features.importers.starbucks_offers import ATTRIBUTION_DAYS, ORIGIN, import_starbucks_offers
from features.workspace import Workspace, open_workspace
from models.response import ResponseModel
from training.push_log import NO_SEND, push_log
from training.response import Known, with_features
from training.response_fit import fit_response

_LOGGED = timedelta(days=30 + ATTRIBUTION_DAYS)
_QUICK = 4  # every so many-th member
_SEED = 0


def figures(quick: bool) -> Iterator[Figure]:
    """Redemptions, and redemptions in money less rewards; ``quick`` takes a quarter of members."""
    with tempfile.TemporaryDirectory() as scratch:
        known = _known(Path(scratch), quick)
    last = known.log.push == _last(known)
    earlier, later = known.part(~last), known.part(last)
    log = earlier.log
    model = fit_response(log, earlier.values, known.names, _SEED, known.called).model
    offers = known.log.offers
    once = np.ones(len(offers))
    # Content cannot be redeemed; its terms bring nothing.
    net = np.array([offer.min_spend - offer.redemption_cost for offer in offers])
    yield from _figures("redemptions", "per member", _valued(model, earlier, later, once))
    yield from _figures("redemptions_less_rewards", "money", _valued(model, earlier, later, net))


def _known(scratch: Path, quick: bool) -> Known:
    workspace: Workspace = open_workspace(scratch / "workspace")
    import_starbucks_offers(workspace, data_folder() / "starbucks_offers")
    log = push_log(open_workspace(workspace.root), ORIGIN + _LOGGED)
    if quick:
        members = np.unique(log.rows["member_id"].to_numpy(dtype=str), return_inverse=True)[1]
        log = log.part(np.asarray(members % _QUICK == 0))
    return with_features(open_workspace(workspace.root), log)


def _last(known: Known) -> int:
    """The number of the wave that was decided last."""
    return int(known.log.push[known.log.rows["as_of"].to_numpy().argmax()])


@dataclass(frozen=True, slots=True)
class _Valued:
    """Mean outcome per member of the last wave; ``ahead``: ours above the best single offer."""

    ours: MeanEffect
    single: MeanEffect
    random: MeanEffect
    ahead: MeanEffect


def _valued(
    model: ResponseModel, earlier: Known, later: Known, worth: NDArray[np.float64]
) -> _Valued:
    """``worth``: (offers,) what one redemption of each counts."""
    single = int(np.argmax([effect.mean for effect in _scores(model, earlier, worth).effects()]))
    scores = _scores(model, later, worth)
    told = model.estimate(later.values, later.names, later.log.offers)
    # To the last bits of a difference, members whom the model does not tell apart are alike.
    uplift = np.round(told.p_if_sent - told.p_if_not[:, None], 9)
    ours = (uplift * worth).argmax(axis=1)
    alone = np.full(len(ours), single)
    offers = len(worth)
    drawn = np.full((len(ours), 1 + offers), 1 / offers)
    drawn[:, 0] = 0.0
    return _Valued(
        scores.value(ours),
        scores.value(alone),
        scores.drawn_value(drawn),
        scores.advantage(ours, alone),
    )


def _scores(model: ResponseModel, known: Known, worth: NDArray[np.float64]) -> Scores:
    log = known.log
    told = model.estimate(known.values, known.names, log.offers)
    sent = log.offer != NO_SEND
    outcome = np.where(sent, worth[log.offer], 0.0) * log.redeemed
    member = np.unique(log.rows["member_id"].to_numpy(dtype=str), return_inverse=True)[1]
    drawn = Drawn(
        outcome, log.offer, log.probability, log.candidates[log.push], member.astype(np.int64)
    )
    nobody = np.zeros(len(log))  # without an offer there is nothing to redeem
    return doubly_robust(drawn, np.column_stack([nobody, told.p_if_sent * worth]))


def _figures(name: str, unit: str, found: _Valued) -> Iterator[Figure]:
    ours, single = found.ours.mean, found.single.mean
    low, high = found.ours.interval()
    goal = "not below the best single offer of the earlier waves"
    yield Figure(f"offers_{name}", ours, single, unit, ours / single, goal, ours >= single - 1e-9)
    random = found.random.mean
    goal = "above an offer at random"
    yield Figure(f"offers_{name}_random", ours, random, unit, ours / random, goal, ours > random)
    goal = f"95 % interval of ours: {low:.4f} to {high:.4f}; reference: best single offer"
    yield Figure(f"offers_{name}_low", low, single, unit, low / single, goal, True)
    low, high = found.ahead.interval()
    goal = f"95 % interval of ours less best single: {low:.4f} to {high:.4f}; not below 0"
    yield Figure(f"offers_{name}_ahead", found.ahead.mean, 0.0, unit, 1.0, goal, high >= 0)
