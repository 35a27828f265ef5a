"""Which offer, if any, for these members now?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Query

from serving.auth import Requires
from serving.errors import LogUnavailable, UnknownDecision, UnknownPush, documented
from serving.parts import FromApp
from serving.schemas import (
    Decided,
    Decision,
    DecisionsAsked,
    Estimates,
    FlatDecision,
    Id,
    StoredDecision,
)
from serving.scorer import Answers

router = APIRouter(prefix="/v1", tags=["decisions"], dependencies=[Depends(Requires("decide"))])
_log = structlog.get_logger("pushwise.decisions")
_NO_ESTIMATES = Estimates(
    p_if_sent=None, p_if_not=None, uplift=None, expected_gain=None, evidence=None
)


@router.post("/decisions", responses=documented(UnknownPush))
def decide_many(asked: DecisionsAsked, parts: FromApp) -> Decided:
    """One decision for each member, in the order asked. Asked again, the answer is the same."""
    contexts = {member.member_id: member.context for member in reversed(asked.members)}
    answers = parts.scorer.decide(asked.push_id, contexts, datetime.now(UTC))
    _report(parts, answers)
    return Decided(
        push_id=asked.push_id,
        decisions=[_shown(answers.decisions[member.member_id], asked) for member in asked.members],
        versions=answers.versions,
        degraded=list(answers.degraded),
    )


@router.get("/decide", responses=documented(UnknownPush))
def decide_one(
    push_id: Annotated[Id, Query()], member_id: Annotated[Id, Query()], parts: FromApp
) -> FlatDecision:
    """One decision, flat, for message templates: of a known push always 200 with a boolean `send`.

    When the log cannot be written, nothing is sent, and `degraded` says so.
    """
    try:
        answers = parts.scorer.decide(push_id, {member_id: None}, datetime.now(UTC))
    except LogUnavailable:
        return _nothing(push_id, member_id, parts.decider.release.versions.release)
    _report(parts, answers)
    return _flat(push_id, answers.decisions[member_id], answers.degraded)


@router.get("/decisions/{decision_id}", responses=documented(UnknownDecision))
def decision(decision_id: Annotated[Id, Path()], parts: FromApp) -> StoredDecision:
    """What was decided, as it was written."""
    return parts.scorer.look_up(decision_id)


def _report(parts: FromApp, answers: Answers) -> None:
    for answer in answers.decisions.values():
        parts.telemetry.answered(answer.reason)
    _log.info(
        "decided",
        decisions=len(answers.decisions),
        decision_ids=[answer.decision_id for answer in answers.decisions.values()][:10],
        release=answers.versions.release,
        degraded=answers.degraded,
    )


def _shown(answer: Decision, asked: DecisionsAsked) -> Decision:
    return answer.model_copy(
        update={
            "items": answer.items[: asked.k] if "items" in asked.include else [],
            "estimates": answer.estimates if "estimates" in asked.include else None,
        }
    )


def _flat(push_id: str, answer: Decision, degraded: tuple[str, ...]) -> FlatDecision:
    return FlatDecision(
        push_id=push_id,
        **answer.model_dump(exclude={"estimates", "experiment"}),
        **(answer.estimates or _NO_ESTIMATES).model_dump(),
        experiment_id=answer.experiment.id,
        arm=answer.experiment.arm,
        degraded=list(degraded),
    )


def _nothing(push_id: str, member_id: str, release: str) -> FlatDecision:
    return FlatDecision(
        push_id=push_id,
        member_id=member_id,
        send=False,
        decision_id=None,
        offer_id=None,
        channel=None,
        send_after=None,
        items=[],
        **_NO_ESTIMATES.model_dump(),
        probability=None,
        explored=False,
        experiment_id=None,
        arm=None,
        reason="deadline",
        expires_at=None,
        release=release,
        degraded=[LogUnavailable.code],
    )
