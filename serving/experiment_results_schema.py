"""What the API gives of an experiment's results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class ResultsVerdict(BaseModel):
    """kind and reason for programs, sentence for people. arm: on which; empty where on all."""

    kind: str
    reason: str
    arm: str
    sentence: str


class ExperimentResults(BaseModel):
    """An experiment as of a moment (docs/experiments.md): a function of the log and that moment.

    look: where it stands among the planned looks. exposure: when members came in. srm: whether they
    are split as the shares say. arms: sums over the members of each. contrasts: arms compared, with
    intervals. at_look: moment, look and verdict of the newest planned look that has come. funnel:
    of each arm, members by stage.
    """

    experiment_id: str
    as_of: datetime
    control: str
    metric: str
    cap: float | None
    level: float
    lift: float
    sequential: str
    correction: str
    look: dict[str, Any]
    exposure: dict[str, Any]
    srm: dict[str, Any]
    arms: list[dict[str, Any]]
    contrasts: list[dict[str, Any]]
    verdict: ResultsVerdict
    warnings: list[str]
    state: str
    version: int
    started_at: datetime
    stopped_at: datetime | None
    at_look: dict[str, Any] | None
    funnel: dict[str, dict[str, int]]


class ShadowResults(BaseModel):
    """What the arms of a shadow experiment would have decided (docs/assignment.md). arms: all but
    the control, each with shares of decisions, intervals and a sentence, or why nothing is told."""

    experiment_id: str
    as_of: datetime
    control: str
    level: float
    arms: dict[str, dict[str, Any]]
