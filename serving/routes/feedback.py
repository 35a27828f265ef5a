"""What happened: events of members, outcomes of pushes."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Depends

from serving.auth import Requires
from serving.errors import documented
from serving.log import Taken
from serving.parts import FromApp
from serving.schemas import EventsGiven, OutcomesGiven, Receipt, Rejected

router = APIRouter(prefix="/v1", tags=["feedback"])


@router.post("/events", dependencies=[Depends(Requires("events:write"))], responses=documented())
def take_events(given: EventsGiven, parts: FromApp) -> Receipt:
    """Rows of the table `events`. Sent again they are duplicates; changed, a `conflict`."""
    return _receipt("events", parts.log.keep_events(given.events, datetime.now(UTC)), parts)


@router.post(
    "/outcomes", dependencies=[Depends(Requires("outcomes:write"))], responses=documented()
)
def take_outcomes(given: OutcomesGiven, parts: FromApp) -> Receipt:
    """Rows of the table `outcomes`. Who unsubscribes gets nothing from this moment on."""
    return _receipt("outcomes", parts.log.keep_outcomes(given.outcomes, datetime.now(UTC)), parts)


def _receipt(table: str, taken: Taken, parts: FromApp) -> Receipt:
    parts.telemetry.rows(table, taken.accepted, taken.duplicates, len(taken.refused))
    return Receipt(
        accepted=taken.accepted,
        duplicates=taken.duplicates,
        rejected=[
            Rejected(index=one.index, code=one.code, field=one.field or None)
            for one in taken.refused
        ],
    )
