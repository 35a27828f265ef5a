"""Evidence about rules, left beside every response model: past decisions, scored once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.scores import Drawn, Scores, doubly_robust
from features.encoding import Encoding
from features.feature_moments import feature_moments, moment_of
from features.workspace import Workspace
from models.evidence import Evidence, PastOffer
from models.response import KIND
from training.errors import TrainingError
from training.out_of_fold import OutOfFold
from training.push_log import NO_SEND, PushLog
from training.response_measure import earned
from training.tracking import CHAMPION, versions

FOLDER = "court"
MOST = 100_000  # decisions: what a scorer has to carry


@dataclass(frozen=True, eq=False)
class Court:
    """Evidence with the encoding of its features, as they lie together in a run and a release."""

    evidence: Evidence
    encoding: Encoding

    def save(self, folder: Path) -> None:
        self.evidence.save(folder)
        self.encoding.save(folder / "encoding.json")


def court_folder(workspace: Workspace) -> Path:
    """Where the evidence of the response model lies: of the champion, else of the newest version.

    Raises:
        TrainingError: no response model left evidence.
    """
    found = versions(workspace, KIND)
    best = sorted(found, key=lambda one: CHAMPION not in one.aliases)  # stable: newest stay first
    for version in best:
        if (version.artifacts / FOLDER).is_dir():
            return version.artifacts / FOLDER
    raise TrainingError(
        f"{workspace.root} holds no past decisions to judge a rule by; "
        "run `pushwise train response` first"
    )


def rule_evidence(
    log: PushLog,
    values: NDArray[np.float32],
    out: OutOfFold,
    conversions: Scores,
    *,
    drawn: bool = True,
    most: int = MOST,
) -> Evidence:
    """Of the n decisions of ``log`` and their members' (n, features) ``values``.

    The score of money is the doubly robust score of what each decision earned, contact and
    redemption paid, around what the model expects out of fold. It takes in all that a send
    changes: orders that grow or shrink, coupons of those who buy anyway. The score of conversions
    times the value of one would vary less, and lean on a model of that value. Nothing is
    winsorised.

    Args:
        out: what is expected of these decisions.
        conversions: their scores, out of fold too.
        drawn: False where the probabilities were estimated.
        most: decisions to keep; of more, whole members are drawn, the same every time.
    """
    gain = out.gain(log.offers)
    member = out.near_scores.member
    money = _scored(log, earned(log), out.p_if_not * out.margin, gain, member)
    near_money = earned(log) - np.where(out.near, 0.0, log.margin)
    near = _scored(log, near_money, out.near_if_not * out.margin, gain, member)
    kept = _some(member, most)
    slots = _slots(log.candidates)

    def of_slots(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
        """(kept, k) of an (n, offers) ``matrix``; NaN where a push had fewer candidates."""
        offers = slots[log.push[kept]]
        found = np.take_along_axis(matrix[kept], np.maximum(offers, 0), axis=1)
        return np.where(offers == NO_SEND, np.nan, found).astype(np.float32)

    moments = feature_moments(log.rows["as_of"])
    moment = moment_of(log.rows["as_of"], moments)
    return Evidence(
        offers=tuple(PastOffer(one.offer_id, one.categories, one.item_ids) for one in log.offers),
        moments=tuple(moments),
        drawn=drawn,
        moment=moment[kept].astype(np.int32),
        push=log.push[kept].astype(np.int32),
        candidates=slots,
        sent=log.offer[kept].astype(np.int32),
        probability=log.probability[kept].astype(np.float32),
        member=np.unique(member[kept], return_inverse=True)[1].astype(np.int32),
        gain=of_slots(money),
        conversions=of_slots(conversions.uplift()),
        gain_in_scope=of_slots(near),
        conversions_in_scope=of_slots(out.near_scores.uplift()),
        predicted=of_slots(gain),
        predicted_conversions=of_slots(out.uplift),
        converted=log.converted[kept],
        converted_in_scope=out.near[kept],
        values=values[kept],
    )


def _scored(
    log: PushLog,
    outcome: NDArray[np.float64],
    unsent: NDArray[np.float64],
    gain: NDArray[np.float64],
    member: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(n, m) scores of each offer against no send, around what is expected."""
    drawn = Drawn(outcome, log.offer, log.probability, log.candidates[log.push], member)
    expected = np.column_stack([unsent, unsent[:, None] + gain])
    return doubly_robust(drawn, expected).uplift()


def _some(member: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Rows of as many whole members as have at most ``most`` rows, or all."""
    if len(member) <= most:
        return np.arange(len(member))
    place = np.random.default_rng(0).permutation(int(member.max()) + 1)
    rows = np.cumsum(np.bincount(place[member]))
    return np.flatnonzero(place[member] < np.searchsorted(rows, most, side="right"))


def _slots(candidates: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(pushes, k) the offers of each push in order; -1 where there are fewer."""
    slots = np.full((len(candidates), max(int(candidates.sum(axis=1).max()), 1)), -1)
    for push, row in enumerate(candidates):
        offers = np.flatnonzero(row)
        slots[push, : len(offers)] = offers
    return slots.astype(np.int32)
