"""What evaluations of policies take and give, as strict models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from serving.schemas import Id, RuleText, Strict

MOST_POLICIES = 10
PolicyKind = Literal["nothing", "random", "best_offer", "rule", "release"]
EvaluationState = Literal["queued", "running", "done", "failed"]
EvaluationObjective = Literal["margin", "revenue", "conversions"]
# Times come as text in JSON, which strict models otherwise refuse.
Moment = Annotated[AwareDatetime, Field(strict=False)]
_LOGGED = "logged"


class PolicyAsked(Strict):
    """A policy to evaluate.

    nothing: no send to anybody. random: any candidate to everybody. best_offer: the best single
    candidate to everybody. rule: ``offer_id`` to whom ``rule`` picks, nothing to the others.
    release: what ``release_id`` (null: the published one) would decide; ``exploration`` false
    leaves its holdout and exploration out, ``limits`` false its budget and other limits.
    """

    kind: PolicyKind
    release_id: Id | None = None
    exploration: bool = True
    limits: bool = True
    rule: RuleText | None = None
    offer_id: Id | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        of_rule = self.rule is not None and self.offer_id is not None
        if (self.kind == "rule") != of_rule or (self.rule is None) != (self.offer_id is None):
            raise ValueError("a rule has rule and offer_id, other policies neither")
        if self.kind != "release" and (
            self.release_id is not None or not (self.exploration and self.limits)
        ):
            raise ValueError("release_id, exploration and limits belong to a release")
        return self

    @property
    def name(self) -> str:
        """How answers call it."""
        if self.kind == "rule":
            return f"{self.offer_id} if {self.rule}"
        if self.kind != "release":
            return self.kind
        left = [] if self.exploration else ["without exploration"]
        left += [] if self.limits else ["without limits"]
        return ", ".join([f"release {self.release_id or 'published'}", *left])


class EvaluationAsked(Strict):
    """Policies to evaluate on the same past decisions; what happened is always beside them.

    objective: what counts of the outcomes. against: position in ``policies`` of the one that all
    are compared with; null: what happened. since, until, push_ids: which decisions. in_sample:
    also those that a release may have learned from, which makes it look too good.
    """

    policies: Annotated[list[PolicyAsked], Field(min_length=1, max_length=MOST_POLICIES)]
    objective: EvaluationObjective = "margin"
    against: Annotated[int, Field(ge=0, lt=MOST_POLICIES)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    push_ids: Annotated[list[Id], Field(min_length=1, max_length=100)] | None = None
    in_sample: bool = False

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        names = [policy.name for policy in self.policies]
        if len(set(names)) < len(names):
            raise ValueError("a policy is named twice")
        if self.against is not None and self.against >= len(names):
            raise ValueError("against is the position of one of the policies")
        return self

    @property
    def reference(self) -> str:
        """The name of the policy that all are compared with."""
        return _LOGGED if self.against is None else self.policies[self.against].name


class EvaluationFailure(BaseModel):
    """Why there is no answer."""

    detail: str


class EvaluationJob(BaseModel):
    """An evaluation and how far it is. ``report`` is null until ``state`` is ``done``.

    report: values, intervals, checks and refusals by policy (docs/offpolicy.md).
    """

    evaluation_id: str
    state: EvaluationState
    created_at: datetime
    updated_at: datetime
    failure: EvaluationFailure | None
    report: dict[str, Any] | None


def asked_names() -> set[str]:
    """Every field a caller may name: what an error may point at."""
    return {*PolicyAsked.model_fields, *EvaluationAsked.model_fields}
