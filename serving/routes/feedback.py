"""What happened: events of members, outcomes of pushes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from serving.auth import Requires
from serving.batches import Taken
from serving.errors import KeyReused
from serving.idempotency import Once, batch_once
from serving.parts import FromApp, Parts
from serving.problems import documented
from serving.repeating import IfOnce
from serving.schemas import EventsGiven, OutcomesGiven, Receipt, Rejected

router = APIRouter(prefix="/v1", tags=["feedback"])


@router.post(
    "/events", dependencies=[Depends(Requires("events:write"))], responses=documented(KeyReused)
)
def take_events(given: EventsGiven, parts: FromApp, once: IfOnce) -> Receipt:
    """Rows of the table `events`. Sent again they are duplicates; changed, a `conflict`."""
    now = datetime.now(UTC)
    return _once("events", once, parts.log.events_taken(given.events, now), parts, now)


@router.post(
    "/outcomes",
    dependencies=[Depends(Requires("outcomes:write"))],
    responses=documented(KeyReused),
)
def take_outcomes(given: OutcomesGiven, parts: FromApp, once: IfOnce) -> Receipt:
    """Rows of the table `outcomes`. Who unsubscribes gets nothing from this moment on."""
    now = datetime.now(UTC)
    return _once("outcomes", once, parts.log.outcomes_taken(given.outcomes, now), parts, now)


def _once(
    table: str,
    once: Once | None,
    work: Callable[[Connection], Taken],
    parts: Parts,
    now: datetime,
) -> Receipt:
    taken, repeated = parts.log.write(batch_once(once, work, now))
    if repeated:
        parts.telemetry.replayed()
    return _receipt(table, taken, parts)


def _receipt(table: str, taken: Taken, parts: Parts) -> Receipt:
    parts.telemetry.rows(table, taken.accepted, taken.duplicates, len(taken.refused))
    return Receipt(
        accepted=taken.accepted,
        duplicates=taken.duplicates,
        rejected=[
            Rejected(index=one.index, code=one.code, field=one.field or None)
            for one in taken.refused
        ],
    )
