"""The rights of a member: to be forgotten, and to see what is held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from serving.auth import Requires
from serving.erasure_schemas import ErasureAsked, ErasureShown, MemberExport
from serving.erasures import Erasure
from serving.errors import NoErasureKey, UnknownErasure
from serving.parts import FromApp, Parts
from serving.problems import documented
from serving.rights import exported, forgotten
from serving.schemas import Id

router = APIRouter(prefix="/v1", tags=["members"], dependencies=[Depends(Requires("erase"))])
MemberId = Annotated[Id, Path()]
_LEFT = "left"


@router.delete("/members/{member_id}", status_code=202, responses=documented(NoErasureKey))
def erase_member(member_id: MemberId, parts: FromApp, response: Response) -> ErasureShown:
    """Forget a member for good. From this answer on nothing is sent to them, nothing is taken in
    about them, and the scorer's log holds nothing of them; `GET` the erasure until it is `done`."""
    return _asked(parts, [member_id], response)


@router.post("/erasures", status_code=202, responses=documented(NoErasureKey))
def erase_members(asked: ErasureAsked, parts: FromApp, response: Response) -> ErasureShown:
    """The same for up to 1,000 members at once; an id may hold what a path cannot."""
    return _asked(parts, asked.member_ids, response)


@router.get("/erasures/{erasure_id}", responses=documented(UnknownErasure))
def erasure(erasure_id: Annotated[Id, Path()], parts: FromApp) -> ErasureShown:
    """How far it is. It never names whom it is about."""
    return _shown(parts.erasures.find(erasure_id))


@router.get("/members/{member_id}/export", responses=documented())
def export_member(member_id: MemberId, parts: FromApp) -> MemberExport:
    """Everything that the scorer holds of a member: decisions, events, outcomes, suppression,
    features. Of a stranger, and of one who was erased, that is nothing."""
    return exported(parts, member_id)


def _asked(parts: Parts, members: Sequence[str], response: Response) -> ErasureShown:
    found = forgotten(parts, members, datetime.now(UTC))
    response.headers["Location"] = f"/v1/erasures/{found.erasure_id}"
    return _shown(found)


def _shown(found: Erasure) -> ErasureShown:
    removed = dict(found.removed)
    left = removed.pop(_LEFT, [])
    return ErasureShown(
        erasure_id=found.erasure_id,
        state=found.state,
        members=found.members,
        asked_at=found.asked_at,
        updated_at=found.updated_at,
        left=left,
        removed=removed,
    )
