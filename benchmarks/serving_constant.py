"""``pushwise`` with a route beside the scorer's own that answers a constant, for comparison.

Same process, middleware, key, request and response models; nothing is decided or written.
"""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Depends, FastAPI

import serving.server
from console.main import main
from serving.app import create_app
from serving.auth import Requires
from serving.parts import Parts
from serving.schemas import Decided, Decision, DecisionsAsked, Estimates, Experiment, Versions

PATH = "/v1/constant"
_NOW = datetime(2026, 5, 18, tzinfo=UTC)
_VERSIONS = Versions(release="bench-1", as_of=_NOW, policy="0" * 12, models={"response": "1"})
_ESTIMATES = Estimates(
    p_if_sent=0.12345678, p_if_not=0.1, uplift=0.02345678, expected_gain=1.2345678,
    evidence="modelled",
)  # fmt: skip
_DECISION = Decision(
    decision_id="0" * 32, member_id="m0000000", send=True, offer_id="hualien-percent-10",
    channel="push", send_after=_NOW, items=[f"item{number}" for number in range(5)],
    estimates=_ESTIMATES, probability=0.9, explored=False,
    experiment=Experiment(id=None, arm="policy"), reason=None, expires_at=_NOW, release="bench-1",
)  # fmt: skip
router = APIRouter(dependencies=[Depends(Requires("decide"))])


@router.post(PATH)
async def constant(asked: DecisionsAsked) -> Decided:
    return Decided(
        push_id=asked.push_id,
        decisions=[_DECISION] * len(asked.members),
        versions=_VERSIONS,
        degraded=[],
    )


def _with_constant(parts: Parts) -> FastAPI:
    app = create_app(parts)
    app.include_router(router)
    return app


if __name__ == "__main__":
    vars(serving.server)["create_app"] = _with_constant
    main()
