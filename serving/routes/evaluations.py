"""What policies would have earned on past decisions: asked for, and worked on beside the scorer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from serving.auth import Requires
from serving.evaluation_errors import NoEvaluations, TooManyEvaluations, UnknownEvaluation
from serving.evaluation_schemas import EvaluationAsked, EvaluationFailure, EvaluationJob
from serving.evaluations import Evaluation
from serving.parts import FromApp
from serving.problems import documented
from serving.schemas import Id

router = APIRouter(
    prefix="/v1/evaluations",
    tags=["evaluations"],
    dependencies=[Depends(Requires("audience:export"))],
)


@router.post("", status_code=202, responses=documented(NoEvaluations, TooManyEvaluations))
def ask_for_evaluation(asked: EvaluationAsked, parts: FromApp, response: Response) -> EvaluationJob:
    """Evaluate releases, rules and plain policies on past decisions that chance had a part in.

    The job waits its turn; `GET` it until its state is `done` or `failed`. The same body is the
    same job for as long as that waits.
    """
    found = parts.evaluations.ask(asked, datetime.now(UTC))
    response.headers["Location"] = f"/v1/evaluations/{found.evaluation_id}"
    return _shown(found)


@router.get("/{evaluation_id}", responses=documented(UnknownEvaluation))
def evaluation(evaluation_id: Annotated[Id, Path()], parts: FromApp) -> EvaluationJob:
    """How far it is, and once it is done, the value of every policy or why it cannot be said."""
    return _shown(parts.evaluations.find(evaluation_id))


def _shown(found: Evaluation) -> EvaluationJob:
    failure = None if found.failure is None else EvaluationFailure(detail=found.failure)
    return EvaluationJob(
        evaluation_id=found.evaluation_id,
        state=found.state,
        created_at=found.created_at,
        updated_at=found.updated_at,
        failure=failure,
        report=None if found.report is None else dict(found.report),
    )
