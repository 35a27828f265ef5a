"""What a hand-written rule earns, by the evidence in the release."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from decisions.rules import RuleError
from serving.auth import Requires
from serving.court import Question
from serving.errors import InvalidRule, NoEvidence
from serving.parts import FromApp
from serving.problems import documented
from serving.schemas import RuleAsked, RuleAudited

router = APIRouter(
    prefix="/v1", tags=["rules"], dependencies=[Depends(Requires("audience:export"))]
)


@router.post("/rules:audit", responses=documented(NoEvidence, InvalidRule))
def audit(asked: RuleAsked, parts: FromApp) -> RuleAudited:
    """The rule's effect against no send, its opposite and the model, from past random sends.

    Where these cannot tell it, `answer` is `cannot_say`, with the reasons.
    """
    release = parts.decider.release
    if release.court is None:
        raise NoEvidence(release.versions.release)
    try:
        found = release.court.audit(Question(**asked.model_dump()))
    except RuleError as error:
        raise InvalidRule from error
    return RuleAudited.model_validate(found.to_json())
