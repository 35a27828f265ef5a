"""Whether the scorer lives, is ready, and how it does: open to whoever reaches the port."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.errors import LogUnavailable
from serving.parts import FromApp
from serving.schemas import Alive, Readiness

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Alive:
    return Alive(alive=True)


@router.get("/readyz", responses={503: {"model": Readiness}})
def readyz(response: Response, parts: FromApp) -> Readiness:
    """Ready with a verified release, a log that can be written and suppressions to be read."""
    failing = []
    try:
        parts.log.check_writable()
    except LogUnavailable:
        failing.append("log_unwritable")
    try:
        parts.log.suppressed(())
    except LogUnavailable:
        failing.append("suppression_unreadable")
    response.status_code = 503 if failing else 200
    return Readiness(
        ready=not failing, release=parts.decider.release.versions.release, failing=failing
    )


@router.get("/metrics")
def metrics(parts: FromApp) -> Response:
    """Prometheus metrics."""
    return Response(parts.telemetry.exposition(), media_type=CONTENT_TYPE_LATEST)
