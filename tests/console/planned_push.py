"""The push ahead of a market, sent by chance to everybody whom it knows, and what truly follows."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.ingest.load import ingest_rows
from features.workspace import Workspace, open_workspace
from tests.conftest import MarketWorkspace
from training.evaluation.market import truth_of
from training.market.truth import PushTruth

NO_SEND = 0.3  # share of those who are sent nothing; the rest is even
MARGIN = 40.0  # of every conversion


@dataclass(frozen=True, eq=False)
class Sent:
    """A workspace in which the push was sent, and the truth about it.

    rows: (n,) of the truth, for each member decided, in order of id.
    """

    workspace: Workspace
    truth: PushTruth
    rows: NDArray[np.int64]

    def conversions(self, policy: NDArray[np.float64], offer_ids: list[str]) -> float:
        """True conversions per decision under a (n, 1 + offers) ``policy``.

        ``offer_ids`` may name offers of other pushes, which the policy never sends here.
        """
        expected = np.zeros_like(policy)
        expected[:, 0] = self.truth.p_if_not[self.rows]
        for column, offer_id in enumerate(offer_ids, start=1):
            if offer_id in self.truth.offer_ids:
                at = self.truth.offer_ids.index(offer_id)
                expected[:, column] = self.truth.p_if_sent[self.rows, at]
        return float((policy * expected).sum(axis=1).mean())


def sent_by_chance(market: MarketWorkspace, folder: Path, seed: int = 0) -> Sent:
    """A copy of ``market`` with the push decided at the moment of the release, and outcomes drawn
    from the truth."""
    shutil.copytree(market.workspace.root, folder)
    workspace, truth = open_workspace(folder), truth_of(market.market, market.push_id)
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(truth.reachable)
    rows = rows[np.argsort(truth.member_ids[rows])]
    offers = len(truth.offer_ids)
    column = np.where(rng.random(len(rows)) < NO_SEND, -1, rng.integers(0, offers, len(rows)))
    likely = np.where(column < 0, truth.p_if_not[rows], truth.p_if_sent[rows, column])
    bought = rng.random(len(rows)) < likely
    members = truth.member_ids[rows].astype(object)
    at, later = market.as_of.isoformat(), (market.as_of + timedelta(days=2)).isoformat()
    decisions = [
        {
            "decision_id": f"drawn-{member}",
            "push_id": market.push_id,
            "member_id": member,
            "offer_id": None if one < 0 else truth.offer_ids[one],
            "probability": NO_SEND if one < 0 else (1 - NO_SEND) / offers,
            "decided_at": at,
        }
        for member, one in zip(members, column.tolist(), strict=True)
    ]
    outcomes = [
        {
            "event_id": f"bought-{member}",
            "decision_id": f"drawn-{member}",
            "type": "converted",
            "occurred_at": later,
            "value": 3 * MARGIN,
            "margin": MARGIN,
        }
        for member in members[bought]
    ]
    for table, given in (("decisions", decisions), ("outcomes", outcomes)):
        report = ingest_rows(workspace, table, given, "test")
        assert report.accepted == len(given), report
    return Sent(workspace, truth, rows)
