"""A choice written down: the row of the log, what it reserves, and what is kept of its vector."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np

from decisions.catalogue import Push
from decisions.contacts import Contact
from decisions.pacing import Part
from decisions.reasons import HOLDOUT
from serving.choice import Choice
from serving.inputs import BranchInputs, Inputs, degraded_of
from serving.ledger import Claim
from serving.log import LoggedDecision
from serving.moments import iso
from serving.schemas import Decision, Estimates, Experiment, Versions
from serving.situation import NOTHING_FRESH, Situation
from serving.vectors import LoggedVector, in_sample

DEADLINE = "deadline"  # the reason where nothing could be decided in time


@dataclass(frozen=True, slots=True)
class Subject:
    """A member who is asked about.

    context: as the caller gave it; kept in the log. fresh: encoded features that are newer than the
    release's. degraded: what could not be had before the decision.
    """

    context: Mapping[str, Any] | None = None
    fresh: Mapping[str, float] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """One push decided by one release at one moment, for some members.

    contacts: what they were sent since the release was made, oldest first.
    """

    push: Push
    versions: Versions
    at: datetime
    subjects: Mapping[str, Subject]
    contacts: Sequence[Contact]

    def fresh(self, members: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        found = {m: self.subjects[m].fresh for m in members if self.subjects[m].fresh}
        return found or NOTHING_FRESH


@dataclass(frozen=True, slots=True)
class Written:
    """A decision as the log holds it and as its caller gets it. degraded: what could not be had."""

    row: LoggedDecision
    answer: Decision
    degraded: tuple[str, ...]

    @classmethod
    def read(cls, row: LoggedDecision) -> Written:
        """One that was written earlier."""
        degraded = () if row.inputs is None else degraded_of(row.inputs)
        return cls(row, Decision.model_validate_json(row.answer), degraded)


def logged(
    made: Made,
    members: Sequence[str],
    choices: Sequence[Choice],
    situation: Situation,
    degraded: tuple[str, ...],
    branches: Mapping[str, BranchInputs],
) -> list[Written]:
    """What the log is to hold and the callers are to get, one a member.

    Args:
        situation: what the choices were made in.
        degraded: what could not be had while they were made.
        branches: where members of an experiment were decided, by member.
    """
    terms = json.dumps(situation.terms.to_json())[:-1] + ","  # the same for everybody
    candidates = json.dumps(made.push.offer_ids)
    at = iso(made.at)
    since: dict[str, list[Contact]] = {}
    for contact in made.contacts:
        since.setdefault(contact.member_id, []).append(contact)
    rows = []
    for member, choice in zip(members, choices, strict=True):
        subject = made.subjects[member]
        inputs = Inputs(
            at=at,
            suppressed=member in situation.suppressed,
            since=tuple(since.get(member, ())),
            fresh=subject.fresh,
            degraded=(*subject.degraded, *degraded),
            estimator=situation.basis,
            branch=branches.get(member),
        )
        answer = answer_of(made, member, choice, inputs.branch)
        row = LoggedDecision(
            decision_id=str(answer.decision_id),
            push_id=made.push.push_id,
            channel=choice.channel or made.push.channel,
            member_id=member,
            offer_id=choice.offer_id,
            probability=answer.probability or 0.0,
            decided_at=at,
            candidates=candidates,
            arm=answer.experiment.arm,
            policy=made.versions.policy,
            release=made.versions.release,
            context=None if subject.context is None else json.dumps(subject.context),
            answer=answer.model_dump_json(),
            terms=f'{terms}"planned":{json.dumps(dict(choice.planned))}}}',
            inputs=inputs.to_json(),
            experiment=answer.experiment.id,
        )
        rows.append(Written(row, answer, inputs.degraded))
    return rows


def answer_of(
    made: Made, member: str, choice: Choice, branch: BranchInputs | None = None
) -> Decision:
    """The choice as it is answered and written down, under a new id."""
    chance, arm = choice.probability, "holdout" if choice.reason == HOLDOUT else "policy"
    experiment = Experiment(id=None, arm=arm)
    if branch is not None:
        chance = branch.probability(chance)
        experiment = Experiment(id=branch.experiment_id, arm=branch.arm)
    return Decision(
        decision_id=uuid4().hex,
        member_id=member,
        send=choice.offer_id is not None,
        offer_id=choice.offer_id,
        channel=choice.channel,
        send_after=choice.send_after,
        items=list(choice.items),
        estimates=Estimates(
            p_if_sent=choice.p_if_sent,
            p_if_not=choice.p_if_not,
            uplift=choice.uplift,
            expected_gain=choice.expected_gain,
            evidence=choice.evidence or None,
        ),
        probability=chance,
        explored=choice.explored,
        experiment=experiment,
        reason=choice.reason or None,
        expires_at=choice.expires_at.astimezone(UTC),
        release=made.versions.release,
    )


def claimed(
    rows: Sequence[LoggedDecision], choices: Sequence[Choice], part: Part | None
) -> dict[str, Claim]:
    """What ``rows`` want to take of the push's limits, and of those of their ``part``."""

    def counts(taken: Mapping[str, int]) -> Mapping[str, int]:
        return taken if part is None else {**taken, **part.named(taken)}

    return {
        row.decision_id: Claim(
            row.decision_id, counts(choice.takes), counts(choice.planned), iso(choice.expires_at)
        )
        for row, choice in zip(rows, choices, strict=True)
    }


def sampled(
    made: Made, rows: Sequence[LoggedDecision], choices: Sequence[Choice], share: float
) -> list[LoggedVector]:
    """The vectors of those decisions that belong to the sample of ``share``."""
    return [
        LoggedVector(
            decision_id=row.decision_id,
            member_id=row.member_id,
            release=row.release,
            as_of=iso(made.versions.as_of),
            vector=choice.vector.astype(np.dtype("<f4")).tobytes(),
        )
        for row, choice in zip(rows, choices, strict=True)
        if in_sample(row.decision_id, share)
    ]


def undecided(member_id: str, reason: str, release: str, at: datetime) -> Decision:
    """No send without a decision: in no log and without an id, so that asked again, the member may
    get another answer."""
    return Decision(
        decision_id=None,
        member_id=member_id,
        send=False,
        offer_id=None,
        channel=None,
        send_after=None,
        items=[],
        estimates=None,
        probability=None,
        explored=False,
        experiment=Experiment(id=None, arm="none"),
        reason=reason,
        expires_at=at,
        release=release,
    )
