"""What happened between us and a member?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from serving.auth import Requires
from serving.explain_schemas import TimelineEntry, TimelinePage
from serving.explanation_words import of_entry
from serving.parts import FromApp
from serving.problems import documented
from serving.schemas import Id
from serving.timeline import Entry, timeline

# Not ``decide``: those keys lie in templates, and what somebody did is more than what to send them.
# Of the others this one reads what is personal and changes nothing.
router = APIRouter(
    prefix="/v1", tags=["members"], dependencies=[Depends(Requires("audience:export"))]
)
_SEPARATOR = "|"  # in no moment and no kind; an id may hold it, and stands last
Place = Annotated[str, Query(max_length=700, pattern=r"^[^|\x00]+\|[a-z_]+\|[^\x00]+$")]


@router.get("/members/{member_id}/timeline", responses=documented())
def member_timeline(
    member_id: Annotated[Id, Path()],
    parts: FromApp,
    after: Place | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TimelinePage:
    """Evaluated, sent, skipped and why, and what came of it; newest first.

    Of a stranger, and of one who was erased, it is empty.
    """
    found = timeline(parts.log, member_id, None if after is None else _place(after), limit)
    return TimelinePage(
        member_id=member_id,
        suppressed_since=found.suppressed_since,
        events=found.events,
        entries=[_shown(one) for one in found.entries],
        next=None if found.following is None else _SEPARATOR.join(found.following),
    )


def _place(after: str) -> tuple[str, str, str]:
    at, kind, entry_id = after.split(_SEPARATOR, 2)
    return at, kind, entry_id


def _shown(one: Entry) -> TimelineEntry:
    return TimelineEntry(
        at=one.at,
        kind=one.kind,
        text=of_entry(one),
        push_id=one.push_id,
        decision_id=one.decision_id,
        offer_id=one.offer_id,
        channel=one.channel,
        reason=one.reason,
        explored=one.explored,
        held_out=one.held_out,
        probability=one.probability,
        release=one.release,
        value=one.value,
    )
