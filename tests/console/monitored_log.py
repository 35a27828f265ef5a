"""A scorer's log of six weeks, written at once: what a push decided, sent and was told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from features.workspace import Workspace
from serving import tables
from serving.log import Log
from serving.moments import iso

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
DAYS = 42


@dataclass(frozen=True)
class Stream:
    """An hourly stream of decisions of the push ``spring`` until ``now``, two thirds of them sends.

    stopped: hours before ``now`` since which nothing is decided; silent: nothing is reported.
    leaves: share of the sends of the last week that make a member leave; before it is .003.
    scores: factor of the estimates of the last week. lesser: share of lesser decisions.
    """

    an_hour: int = 5
    stopped: int = 0
    silent: int = 0
    leaves: float = 0.003
    scores: float = 1.0
    lesser: float = 0.0
    now: datetime = NOW
    seed: int = 1
    rows: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    def write(self, workspace: Workspace) -> None:
        """Into the log of a workspace."""
        self.make()
        with Log.of(workspace) as log:
            log.write(self.insert)

    def make(self) -> None:
        """Draw the rows."""
        rng = np.random.default_rng(self.seed)
        for hour in range(DAYS * 24, self.stopped, -1):
            at = self.now - timedelta(hours=hour)
            for number in range(int(rng.poisson(self.an_hour))):
                self.decide(rng, at, number, lately=hour <= 7 * 24)
                if hour > self.silent and self.rows[-1]["offer_id"]:
                    self._outcomes(rng, at, lately=hour <= 7 * 24)

    def insert(self, connection: Any) -> None:
        """In few statements: the log's own writing makes one durable commit a call."""
        connection.execute(tables.decisions.insert(), self.rows)
        if self.told:
            connection.execute(tables.outcomes.insert(), self.told)
        seen = {"release": "r1", "versions": "{}", "seen_at": iso(self.now - timedelta(days=DAYS))}
        connection.execute(tables.releases_seen.insert(), [seen])

    def decide(self, rng: np.random.Generator, at: datetime, number: int, *, lately: bool) -> None:
        """One decision more."""
        sent = rng.random() < 2 / 3
        low = float(rng.beta(2, 40)) * (self.scores if lately else 1.0)
        member = f"m{len(self.rows)}"
        told = {"p_if_sent": min(1.5 * low, 1.0), "p_if_not": low, "evidence": "randomised"}
        reason = None if sent else "no_positive_gain"
        lesser = ["features_late"] if rng.random() < self.lesser else []
        self.rows.append(
            {
                "decision_id": f"d{member}", "push_id": "spring", "channel": "push",
                "member_id": member, "offer_id": "ten" if sent else None, "probability": 0.9,
                "decided_at": iso(at + timedelta(seconds=number)), "candidates": '["ten"]',
                "arm": "policy", "policy": "p", "release": "r1",
                "answer": json.dumps({"send": sent, "reason": reason, "estimates": told}),
                "inputs": json.dumps({"at": "", "degraded": lesser}, separators=(",", ":")),
            }
        )  # fmt: skip

    def _outcomes(self, rng: np.random.Generator, at: datetime, *, lately: bool) -> None:
        decision = self.rows[-1]["decision_id"]
        self._told(decision, "sent", at + timedelta(minutes=5))
        if rng.random() < (self.leaves if lately else 0.003):
            self._told(decision, "unsubscribed", at + timedelta(minutes=9))

    def _told(self, decision: str, kind: str, at: datetime) -> None:
        row = {"event_id": f"{kind}{decision}", "decision_id": decision, "type": kind,
               "occurred_at": iso(at)}  # fmt: skip
        self.told.append(
            {
                "event_id": row["event_id"], "digest": "0", "row": json.dumps(row),
                "received_at": iso(at), "member_id": decision.removeprefix("d"),
            }
        )  # fmt: skip
