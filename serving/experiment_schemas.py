"""What the calls about experiments take and give; the same fields as ``experiments.design``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from experiments.assignment import BUCKETS
from experiments.declaration import MAX_ID, MAX_LISTED, MAX_TEXT, from_json, to_json
from experiments.design import NAME, ArmKind, Correction, Experiment, Mode, Sequential
from serving.experiment_audit import Audited
from serving.experiment_entry import Entry, State
from serving.schemas import Strict

Name = Annotated[str, Field(max_length=64, pattern=f"^{NAME.pattern}$")]
Text = Annotated[str, Field(max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]
PushId = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00]+$")]
Share = Annotated[float, Field(ge=0, le=1)]
Between = Annotated[float, Field(gt=0, lt=1)]
Bucket = Annotated[int, Field(ge=0, le=BUCKETS)]
Days = Annotated[float, Field(gt=0, le=3650)]
Segment = Literal["lifecycle", "value_tier"]
_SEGMENTS: tuple[Segment, ...] = ("lifecycle", "value_tier")
Why = Annotated[Text, Field(description="Kept in the audit trail.")]


class ArmGiven(Strict):
    """``kind``: who decides: the published release (``champion``), the ``release`` named, the
    ``rule`` whose members get ``offer``, chance among what is eligible, or nobody gets anything.

    share: of the experiment's members, in steps of 1/10,000.
    """

    name: Name
    share: Share
    kind: ArmKind
    release: Text = ""
    rule: Text = ""
    offer: Text = ""


class GuardrailGiven(Strict):
    """``most``: by how much the share of members may be above the control's."""

    metric: Literal["unsubscribed", "complained"]
    most: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AnalysisGiven(Strict):
    """How it will be read; fixed once it runs. metric: what decides, per member assigned.

    window_days: how long after a member's first decision outcomes count. before_days: of the period
    before it whose purchases serve as covariates. cap: most money one member counts with. looks:
    planned, equally far apart over ``days``; none with ``sequential`` ``always``. lift: smallest
    difference that matters, in the metric's unit. guardrails: where none are named, unsubscriptions
    may be up by 0.005; ``[]`` for none.
    """

    metric: Literal["gain", "margin", "revenue", "converted"] = "gain"
    window_days: Days = 14.0
    before_days: Annotated[float, Field(ge=0, le=3650)] = 28.0
    cap: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    alpha: Between = 0.05
    power: Between = 0.8
    lift: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    sequential: Sequential = "group"
    looks: Annotated[int, Field(ge=1, le=100)] = 1
    days: Days = 28.0
    correction: Correction = "holm"
    guardrails: list[GuardrailGiven] = Field(
        max_length=10,
        default_factory=lambda: [GuardrailGiven(metric="unsubscribed", most=0.005)],
    )
    segments: list[Segment] = Field(max_length=10, default_factory=lambda: list(_SEGMENTS))


class ExperimentGiven(Strict):
    """``control``: the arm that the others are compared with. ``layer``: its experiments share its
    members; ``traffic``: the share that this one takes. ``push_ids``: where it decides; empty for
    all pushes. In ``shadow`` the control answers everybody, and what the other arms would have
    decided is written down."""

    experiment_id: Name
    arms: Annotated[list[ArmGiven], Field(min_length=2, max_length=20)]
    control: Name
    layer: Name = "default"
    traffic: Annotated[float, Field(gt=0, le=1)] = 1.0
    push_ids: list[PushId] = Field(max_length=MAX_LISTED, default_factory=list)
    mode: Mode = "live"
    analysis: AnalysisGiven = AnalysisGiven()
    owner: Text = ""
    hypothesis: Text = ""


class WhyGiven(Strict):
    why: Why = ""


class SharesGiven(Strict):
    """``shares``: of every arm, by name; together 1."""

    shares: Annotated[dict[Name, Share], Field(min_length=2, max_length=20)]
    why: Why = ""


class PromotionGiven(Strict):
    """``arm``: that goes on. ``anyway``: also where the readout's verdict does not allow it; then
    ``why`` is wanted."""

    arm: Name
    why: Why = ""
    anyway: bool = False


class SharesSince(BaseModel):
    """The shares of the arms from a moment on, as asked for."""

    since: datetime
    shares: dict[str, float]


class DecisionOnExperiment(BaseModel):
    """verdict: what the readout said then, null where nobody read it. anyway: decided against it.
    by: id of the API key, or who was at the command line. published: the release that was published
    for it."""

    arm: str
    verdict: dict[str, Any] | None
    anyway: bool
    why: str
    by: str | None
    published: str | None


class ExperimentShown(BaseModel):
    """experiment: as declared, with the shares of now. version: counts its changes. slots: first
    bucket and the one after the last, of its layer's 10,000. looks: when it is planned to be read.
    shares: since it started, oldest first."""

    experiment: ExperimentGiven
    state: State
    version: int
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    decided_at: datetime | None
    slots: list[tuple[Bucket, Bucket]]
    looks: list[datetime]
    shares: list[SharesSince]
    decision: DecisionOnExperiment | None


class ExperimentPage(BaseModel):
    """By id. ``next``: what to give as ``after``; null after the last page."""

    experiments: list[ExperimentShown]
    next: str | None


class ExperimentChange(BaseModel):
    """One line of the audit trail. version: that it made. by: id of the API key, or who was at the
    command line; null where the scorer asks for no key. changed: before and after, by field."""

    seq: int
    version: int
    at: datetime
    by: str | None
    action: str
    why: str
    changed: dict[str, Any]


class ExperimentAudit(BaseModel):
    """In the order of the changes. ``next``: what to give as ``after``; null after the last."""

    experiment_id: str
    changes: list[ExperimentChange]
    next: int | None


def shown(entry: Entry) -> ExperimentShown:
    """What is told of an experiment."""
    return ExperimentShown(
        experiment=ExperimentGiven.model_validate(to_json(entry.experiment)),
        state=entry.state,
        version=entry.version,
        created_at=entry.created_at,
        started_at=entry.started_at,
        stopped_at=entry.stopped_at,
        decided_at=entry.decided_at,
        slots=list(entry.slots),
        looks=list(entry.looks),
        shares=[SharesSince(since=one.since, shares=dict(one.shares)) for one in entry.allocations],
        decision=None
        if entry.decision is None
        else DecisionOnExperiment.model_validate(entry.decision.to_json()),
    )


def shown_change(one: Audited) -> ExperimentChange:
    return ExperimentChange(
        seq=one.seq,
        version=one.version,
        at=one.at,
        by=one.by,
        action=one.action,
        why=one.why,
        changed=dict(one.changed),
    )


def experiment_of(given: ExperimentGiven) -> Experiment:
    """Raises ``ExperimentError``."""
    return from_json(given.model_dump())


def experiment_fields() -> set[str]:
    """Every field a caller may name: what an error may point at."""
    return {
        name
        for model in (
            ArmGiven, AnalysisGiven, ExperimentGiven, GuardrailGiven, PromotionGiven, SharesGiven,
        )
        for name in model.model_fields
    }  # fmt: skip
