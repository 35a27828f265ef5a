"""Long work under way: how far it is, and a way to end it."""

from __future__ import annotations

from starlette.responses import Response

from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit


def shown(visit: Visit) -> Response:
    """A page that looks again every second; without script, when it is loaded again."""
    job = visit.ground.work.find(visit.path("job_id"))
    return visit.page("web/job.html" if not visit.partial else "web/job_piece.html", job=job)


def cancelled(visit: Visit) -> Response:
    job = visit.ground.work.cancel(visit.path("job_id"))
    return visit.to(f"/jobs/{job.job_id}")


ROUTES = (
    look("/jobs/{job_id}", shown),
    change("/jobs/{job_id}/cancel", cancelled, says=noted("cancel work under way")),
)
