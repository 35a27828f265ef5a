"""Which offer, if any, for these members now?"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from pydantic import Field, TypeAdapter
from sqlalchemy import Connection
from starlette.requests import Request

from serving.auth import Requires
from serving.catalogue import missing_push
from serving.deadline import LONGEST_SECONDS
from serving.deciding import Call
from serving.direct import body_of, header_of
from serving.errors import KeyReused, LogUnavailable, Overloaded, UnknownDecision, UnknownPush
from serving.idempotency import Once, claim
from serving.making import DEADLINE, undecided
from serving.parts import FromApp, Parts
from serving.problems import documented
from serving.repeating import IfOnce, read_once
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

_MAY_DECIDE = Requires("decide")
router = APIRouter(prefix="/v1", tags=["decisions"], dependencies=[Depends(_MAY_DECIDE)])
_log = structlog.get_logger("pushwise.decisions")
_NO_ESTIMATES = Estimates(
    p_if_sent=None, p_if_not=None, uplift=None, expected_gain=None, evidence=None
)
_Milliseconds = Annotated[int, Field(ge=1, le=int(LONGEST_SECONDS * 1000))]
_MILLISECONDS: TypeAdapter[int] = TypeAdapter(_Milliseconds)
_DEADLINE = "Pushwise-Deadline-Ms"
Deadline = Annotated[
    _Milliseconds | None,
    Header(alias=_DEADLINE, description="Milliseconds within which the answer must be there."),
]


class _ReadDirectly(APIRoute):
    """The busiest route; see ``serving.direct``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return _decide_directly


async def _decide_directly(request: Request) -> Response:
    await _MAY_DECIDE(request)
    asked = await body_of(request, DecisionsAsked)
    once = await read_once(request)
    deadline_ms = header_of(request, _DEADLINE, _MILLISECONDS)
    return await decide_many(asked, request.app.state.parts, once, deadline_ms)


async def decide_many(
    asked: DecisionsAsked, parts: FromApp, once: IfOnce, deadline_ms: Deadline = None
) -> Response:
    """One decision for each member, in the order asked. Asked again, the answer is the same."""
    first = None if once is None else partial(_claim, parts, once)
    contexts = {member.member_id: member.context for member in reversed(asked.members)}
    try:
        call = Call(asked.push_id, contexts, seconds(deadline_ms), first)
        answers = await parts.deciding.answer(call)
    except UnknownPush as error:
        told = await run_in_threadpool(missing_push, parts.catalogue, asked.push_id, error)
        raise told from error
    _report(parts, answers)
    decided = Decided.model_construct(
        push_id=asked.push_id,
        decisions=[_shown(answers.decisions[member.member_id], asked) for member in asked.members],
        versions=answers.versions,
        degraded=list(answers.degraded),
    )
    return Response(decided.model_dump_json(), media_type="application/json")


router.add_api_route(
    "/decisions",
    decide_many,
    methods=["POST"],
    response_model=Decided,
    responses=documented(UnknownPush, Overloaded, KeyReused),
    route_class_override=_ReadDirectly,
)


@router.get("/decide", responses=documented(UnknownPush, Overloaded))
async def decide_one(
    push_id: Annotated[Id, Query()],
    member_id: Annotated[Id, Query()],
    parts: FromApp,
    deadline_ms: Deadline = None,
) -> FlatDecision:
    """One decision, flat, for message templates: always 200 with a boolean `send`.

    A push that is not there, or a log that cannot be written, is no send; `degraded` says so.
    """
    return await decide_flat(parts, Call(push_id, {member_id: None}, seconds(deadline_ms)))


async def decide_flat(parts: FromApp, call: Call) -> FlatDecision:
    """The answer about the one member of ``call``; there always is one."""
    (member_id,) = call.contexts
    try:
        answers = await parts.deciding.answer(call)
    except (LogUnavailable, UnknownPush) as error:
        versions = parts.decider.release.versions
        nothing = undecided(member_id, DEADLINE, versions.release, datetime.now(UTC))
        answers = Answers({member_id: nothing}, versions, (error.code,))
    _report(parts, answers)
    return _flat(call.push_id, answers.decisions[member_id], answers.degraded)


@router.get("/decisions/{decision_id}", responses=documented(UnknownDecision))
def decision(decision_id: Annotated[Id, Path()], parts: FromApp) -> StoredDecision:
    """What was decided, as it was written; nothing is sent to who must not be contacted since."""
    return parts.scorer.look_up(decision_id)


def _claim(parts: Parts, once: Once) -> None:
    """Raises ``KeyReused``, ``LogUnavailable``."""

    def work(connection: Connection) -> bool:
        return claim(connection, once, datetime.now(UTC))

    if not parts.log.write(work):
        parts.telemetry.replayed()


def seconds(deadline_ms: int | None) -> float | None:
    return None if deadline_ms is None else deadline_ms / 1000


def _report(parts: FromApp, answers: Answers) -> None:
    for answer in answers.decisions.values():
        parts.telemetry.answered(answer.reason)
    for why in answers.degraded:
        parts.telemetry.degraded(why)
    if DEADLINE in answers.degraded:
        parts.telemetry.missed_deadline()
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
