"""What the API takes and gives, as strict models: unknown fields and wrong types are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from decisions.rule_text import MAX_LENGTH
from experiments.rule_court import Effective, Findings
from experiments.trial import Objective
from serving.court import Mistake, Pool

MAX_MEMBERS = 1000
MAX_ROWS = 1000
MAX_ITEMS = 10
MAX_CONTEXT = 32

# NUL cannot be stored by every engine behind the log; lone surrogates pydantic refuses itself.
Id = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
ContextKey = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]+$")]
ContextText = Annotated[str, Field(max_length=256, pattern=r"^[^\x00]*$")]
ContextNumber = Annotated[float, Field(allow_inf_nan=False)]
ContextWhole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Context = Annotated[
    dict[ContextKey, ContextText | bool | ContextWhole | ContextNumber | None],
    Field(max_length=MAX_CONTEXT),
]
RuleText = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH, pattern=r"^[^\x00]+$")]
Part = Literal["items", "estimates"]
AudienceState = Literal["queued", "running", "done", "failed", "cancelled"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AskedMember(Strict):
    """``context`` is kept with the decision, for whoever reads the log."""

    member_id: Id
    context: Context | None = None


class DecisionsAsked(Strict):
    """``k``: most items an answer names. ``include``: the parts wanted beside the decision."""

    push_id: Id
    members: Annotated[list[AskedMember], Field(min_length=1, max_length=MAX_MEMBERS)]
    k: Annotated[int, Field(ge=0, le=MAX_ITEMS)] = 5
    include: Annotated[list[Part], Field(max_length=2)] = ["items", "estimates"]


class EventsGiven(Strict):
    """Rows of the contract's table ``events``, each checked alone: one bad row costs no other."""

    events: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS)]


class OutcomesGiven(Strict):
    """Rows of the contract's table ``outcomes``, each checked alone."""

    outcomes: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS)]


class RuleAsked(Strict):
    """``pool``: what is sent: the offer, any past offer whose scope meets its, or any at all.

    ``in_scope``: count only purchases that the past push was about. ``objective``: what decides.
    """

    rule: RuleText
    offer_id: Id
    pool: Pool = "offer"
    in_scope: bool = False
    objective: Objective = "margin"


class AudienceAsked(Strict):
    """``rule``: compare with the members whom it picks. Limits go before those of the push."""

    push_id: Id
    rule: RuleText | None = None
    budget: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    max_audience: Annotated[int, Field(ge=0, le=2**53)] | None = None
    min_audience: Annotated[int, Field(ge=0, le=2**53)] | None = None


class Estimates(BaseModel):
    """Of the offer sent, else of the best allowed one; null where none was allowed.

    p_if_sent, p_if_not: probability of a conversion. uplift: their difference. expected_gain: in
    money, or in conversions where the push counts those. evidence: what the uplift rests on.
    """

    p_if_sent: float | None
    p_if_not: float | None
    uplift: float | None
    expected_gain: float | None
    evidence: str | None


class Experiment(BaseModel):
    """The arm of an experiment. Outside experiments ``id`` is null and ``arm`` is ``policy`` or
    ``holdout``, and ``none`` where nothing was decided."""

    id: str | None
    arm: str


class Decision(BaseModel):
    """One member's answer.

    items: what to show, best first, within the offer's scope. probability: with which this choice
    was made, given the candidates. reason: why nothing is sent; null when something is. channel,
    send_after: by which channel to send, and from when on; null when nothing is sent. expires_at:
    do not act on the answer after this moment. release: which release decided. decision_id,
    probability: null where nothing could be decided in time; then nothing is sent, it is not in the
    log, and asked again the member may get another answer.
    """

    decision_id: str | None
    member_id: str
    send: bool
    offer_id: str | None
    channel: str | None
    send_after: datetime | None
    items: list[str]
    estimates: Estimates | None
    probability: float | None
    explored: bool
    experiment: Experiment
    reason: str | None
    expires_at: datetime
    release: str


class Versions(BaseModel):
    """The release that made the newest decision of the call. policy: hash of its standing rules."""

    release: str
    as_of: datetime
    policy: str
    models: dict[str, str]


class Decided(BaseModel):
    """``decisions`` in the order asked. ``degraded``: what could not be had when they were made, or
    now; empty as a rule (docs/api.md)."""

    push_id: str
    decisions: list[Decision]
    versions: Versions
    degraded: list[str]


class FlatDecision(BaseModel):
    """One decision without nesting, for message templates. Always has a boolean ``send``."""

    push_id: str
    member_id: str
    send: bool
    decision_id: str | None
    offer_id: str | None
    channel: str | None
    send_after: datetime | None
    items: list[str]
    p_if_sent: float | None
    p_if_not: float | None
    uplift: float | None
    expected_gain: float | None
    evidence: str | None
    probability: float | None
    explored: bool
    experiment_id: str | None
    arm: str | None
    reason: str | None
    expires_at: datetime | None
    release: str
    degraded: list[str]


class StoredDecision(BaseModel):
    """A decision as logged, with what it was chosen from.

    terms: ``prices`` of the push's limits at that moment, what they had ``left`` (money in
    millionths), and what the plan's own prices would have taken (``planned``).
    """

    push_id: str
    decided_at: datetime
    candidates: list[str]
    policy: str
    context: dict[str, Any] | None
    terms: dict[str, Any] | None
    decision: Decision


class Rejected(BaseModel):
    """``index`` counts from 0 in the batch; ``field``: the column at fault, if one is."""

    index: int
    code: str
    field: str | None


class Receipt(BaseModel):
    """accepted + duplicates + rejected = rows sent. What is accepted is on disk."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class RuleAudited(BaseModel):
    """``findings`` is null where ``answer`` is ``cannot_say``; then ``reasons`` say why.

    ``reversed``: members whom the rule leaves out, all or as many as it picks, earn more than those
    it picks. Gains are money per contact against no send, with 95 % intervals; ``decisions`` are
    past decisions. ``picked_in_vain``, ``left_out_in_vain``: whom the rule gets wrong.
    """

    verdict: str
    answer: Literal["effect", "cannot_say"]
    reversed: bool | None
    reasons: list[str]
    warnings: list[str]
    rule: str
    offer_id: str | None
    pool: Pool
    in_scope: bool
    objective: Objective
    offers: list[str]
    decisions: int
    members: int
    pushes: int
    picked: int
    effective: Effective
    findings: Findings | None
    picked_in_vain: Mistake | None
    left_out_in_vain: Mistake | None


class AudienceProgress(BaseModel):
    """How much of its ``stage`` a job has done; ``total`` is 0 where nothing is counted."""

    stage: str
    done: int
    total: int


class AudienceConflict(BaseModel):
    """A limit that cannot hold with the others; ``short``: by how much it alone gives way."""

    name: str
    side: Literal["floor", "cap"]
    limit: float
    short: float | None


class AudienceFailure(BaseModel):
    """Why there is no audience; ``conflicts`` where no choice keeps all limits."""

    detail: str
    conflicts: list[AudienceConflict]


class AudienceJob(BaseModel):
    """An audience and how far it is. ``summary`` is null until ``state`` is ``done``.

    summary: what the push promises (docs/audiences.md).
    """

    audience_id: str
    push_id: str
    release: str
    state: AudienceState
    progress: AudienceProgress
    created_at: datetime
    updated_at: datetime
    failure: AudienceFailure | None
    summary: dict[str, Any] | None


class FrontierPoint(BaseModel):
    """The best with so much: ``limit`` of money (of members, where nothing costs anything).

    calibrated, interval: the gain as such estimates come true; null where nothing was measured.
    price: what one more unit of the limit would gain here. gain_per_cost: null where nothing is
    spent.
    """

    limit: float
    members: float
    cost: float
    gain: float
    calibrated: float | None
    interval: tuple[float, float] | None
    price: float
    gain_per_cost: Annotated[float | None, Field(alias="return")]

    model_config = ConfigDict(populate_by_name=True)


class AudienceFrontier(BaseModel):
    """``points`` rise along cost or members. The marks are positions in them: the point with the
    most gain, and that with the most gain per unit of cost."""

    audience_id: str
    along: Literal["cost", "members"]
    confidence: float
    points: list[FrontierPoint]
    largest_profit: int
    largest_return: int | None


class AudiencePage(BaseModel):
    """``members``: one row a contact, best first. ``left_out``: members of this page who must not
    be contacted since. ``next``: give it as ``after`` for the next page; null after the last."""

    audience_id: str
    members: list[dict[str, Any]]
    left_out: int
    next: int | None


class Alive(BaseModel):
    alive: bool


class Readiness(BaseModel):
    """``failing``: what keeps the scorer from being ready, empty when it is."""

    ready: bool
    release: str
    failing: list[str]


def field_names() -> set[str]:
    """Every field a caller may name: what an error may point at."""
    return {
        name
        for model in (
            AskedMember, AudienceAsked, DecisionsAsked, EventsGiven, OutcomesGiven, RuleAsked,
        )
        for name in model.model_fields
    }  # fmt: skip
