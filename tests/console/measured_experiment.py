"""A workspace in which an experiment ran: who was decided, what they bought and what was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from experiments.assignment import Allocation
from experiments.design import Analysis, Arm, Experiment
from features.ingest.load import ingest_rows
from features.workspace import Workspace
from serving.experiment_audit import Change
from serving.experiments import Book
from serving.log import Log

START = datetime(2026, 3, 1, tzinfo=UTC)
MEMBERS = tuple(f"m{number}" for number in range(900))
EXPERIMENT = Experiment(
    "spring-test",
    (
        Arm("champion", 0.4, "champion"),
        Arm("challenger", 0.4, "release", release="r2"),
        Arm("nobody", 0.2, "holdout"),
    ),
    control="champion",
    analysis=Analysis(window_days=14, days=20, looks=2, before_days=7, guardrails=()),
)


def arm_of(member: str) -> str:
    allocation = Allocation.of({arm.name: arm.share for arm in EXPERIMENT.arms})
    return allocation.names[int(allocation.arms_of(EXPERIMENT.experiment_id, [member])[0])]


def measured(workspace: Workspace, experiment: Experiment = EXPERIMENT) -> None:
    """Everybody is decided on the second day; the challenger sells more. Of two thirds it is known
    by the first look, a day late of the rest."""
    with Log.of(workspace) as log:
        book = Book(log)
        book.create(experiment, Change(START - timedelta(days=1), "key"))
        book.start(experiment.experiment_id, Change(START, "key"))
        taken = log.keep_outcomes(
            [
                {
                    "event_id": f"o{member}", "decision_id": f"d{member}", "type": "delivered",
                    "occurred_at": _text(2),
                }
                for member in MEMBERS if arm_of(member) != "nobody"
            ],
            START + timedelta(days=3),
        )  # fmt: skip
        assert not taken.refused
    rows = [_decision(member) for member in MEMBERS]
    ingest_rows(workspace, "decisions", rows, "decisions")
    ingest_rows(workspace, "events", [_sale(member) for member in MEMBERS], "sales")
    offer = {"offer_id": "ten", "kind": "amount_off", "contact_cost": "0.1"}
    ingest_rows(workspace, "offers", [offer], "offers")


def _decision(member: str) -> dict[str, Any]:
    return {
        "decision_id": f"d{member}", "push_id": "spring", "member_id": member,
        "offer_id": None if arm_of(member) == "nobody" else "ten", "probability": 0.4,
        "decided_at": _text(1), "experiment": EXPERIMENT.experiment_id, "arm": arm_of(member),
    }  # fmt: skip


def _sale(member: str) -> dict[str, Any]:
    number = int(member[1:])
    price = 10 + number % 7 + (10 if arm_of(member) == "challenger" else 0)
    return {
        "event_id": f"e{member}", "member_id": member, "type": "purchase", "unit_price": price,
        "margin": price, "occurred_at": _text(3), "received_at": _text(11 if number % 3 else 4),
    }  # fmt: skip


def _text(days: float) -> str:
    return (START + timedelta(days=days)).isoformat()
