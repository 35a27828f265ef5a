"""Was it decided so, and would it be again?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from serving.auth import Requires
from serving.errors import NotReplayable, ReleaseGone, UnknownDecision
from serving.explain_schemas import Explained, Replayed
from serving.explanation import explained
from serving.parts import FromApp
from serving.problems import documented
from serving.replay import remade, replay
from serving.schemas import Id

router = APIRouter(prefix="/v1", tags=["explain"], dependencies=[Depends(Requires("decide"))])


@router.get(
    "/decisions/{decision_id}/replay",
    responses=documented(UnknownDecision, NotReplayable, ReleaseGone),
)
def replayed(decision_id: Annotated[Id, Path()], parts: FromApp) -> Replayed:
    """The decision made again by the release that made it, compared with what was written.

    Nothing is shown as sent to a member who must not be contacted by now.
    """
    made = remade(parts.log, parts.archive, parts.decider, decision_id)
    found = replay(parts.log, parts.decider, made)
    return Replayed(
        decision_id=found.decision_id,
        equal=found.equal,
        differs=list(found.differs),
        stored=found.stored,
        recomputed=found.recomputed,
        release=found.release,
        withheld=found.withheld,
    )


@router.get(
    "/decisions/{decision_id}/explanation",
    responses=documented(UnknownDecision, NotReplayable, ReleaseGone),
)
def explanation(decision_id: Annotated[Id, Path()], parts: FromApp) -> Explained:
    """Why: what became of each offer, what it was worth, and what would have come next.

    Nothing is shown as sent to a member who must not be contacted by now.
    """
    made = remade(parts.log, parts.archive, parts.decider, decision_id)
    return explained(made, replay(parts.log, parts.decider, made))
