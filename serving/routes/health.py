"""Whether the scorer lives, is ready, and how it does: open to whoever reaches the port."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from serving.parts import FromApp
from serving.probes import Probes
from serving.schemas import Alive, Readiness

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Alive:
    return Alive(alive=True)


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response, parts: FromApp) -> Readiness:
    """Ready with a verified release that this process rehearsed, a log that can be written, and a
    list of suppressions read seconds ago. Cheap to ask: the log is tried once a second at most."""
    probes: Probes = request.app.state.probes
    failing = await run_sync(probes.readiness.failing, limiter=probes.limiter)
    response.status_code = 503 if failing else 200
    return Readiness(
        ready=not failing, release=parts.decider.release.versions.release, failing=failing
    )


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, parts: FromApp) -> Response:
    """Prometheus metrics."""
    probes: Probes = request.app.state.probes
    await run_sync(probes.refresh, limiter=probes.limiter)
    return Response(parts.telemetry.exposition(), media_type=CONTENT_TYPE_LATEST)
