"""One plan of a push: how far it is, what it promises, whom it picked, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas import pushes_told
from dashboard.areas.pushes_curve import Curve
from dashboard.areas.pushes_plan import drawn_frontier
from dashboard.charts.figure import figure
from dashboard.web.errors import NotFound
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from serving.audience_folder import AudienceFolder
from serving.audiences import Audience, Audiences
from serving.errors import AudienceGone
from serving.routes.audiences import file as audience_file
from serving.routes.audiences import members as members_after

_FIRST = 10  # members shown on the plan's own page
_ON_A_PAGE = 50
_KINDS = ("csv", "ndjson", "parquet")
_LARGEST = 2**53


def shown(visit: Visit) -> Response:
    """The plan; while it is made, a page that looks again every second."""
    found = _asked(visit)
    if visit.partial:
        if found.state in ("queued", "running"):
            return visit.page("pushes/progress.html", **_about(found))
        return visit.to(f"/pushes/plans/{found.audience_id}")
    if found.state == "done":
        return _promised(visit, found)
    failure = found.failure or {}
    remedies = pushes_told.remedies(visit.words, failure)
    return visit.page("pushes/job.html", **_about(found), failure=failure, remedies=remedies)


def cancelled(visit: Visit) -> Response:
    found = Audiences(visit.ground.log).cancel(visit.path("audience_id"), visit.now)
    return visit.to(f"/pushes/plans/{found.audience_id}")


def members(visit: Visit) -> Response:
    """Whom it picked, page by page, without those who must not be contacted by now."""
    found = _asked(visit)
    text = visit.query("after", "0")
    after = min(int(text), _LARGEST) if text.isdecimal() and len(text) < 17 else 0
    page = members_after(found.audience_id, visit.parts, after, _ON_A_PAGE)
    return visit.page(
        "pushes/members.html", **_about(found), members=page.members, left_out=page.left_out,
        next=page.next, after=after, before=max(after - _ON_A_PAGE, 0),
        evidence=pushes_told.EVIDENCE,
    )  # fmt: skip


def file(visit: Visit) -> Response:
    """The file, as ``GET /v1/audiences/{id}/file`` gives it."""
    kind = visit.form.get("format", "csv")
    if kind not in _KINDS:
        raise NotFound("there is no such format; wanted csv, ndjson or parquet")
    return audience_file(visit.path("audience_id"), visit.parts, kind)  # type: ignore[arg-type]


def _promised(visit: Visit, found: Audience) -> Response:
    summary: Any = found.summary
    words = visit.words
    push = visit.parts.decider.release.pushes.get(found.wanted.push_id)
    funnel = figure(
        pushes_told.funnel_chart(words, summary["funnel"]), "funnel",
        words("How many members are left after each step, of all that the release knows."),
        "count", words,
    )  # fmt: skip
    limits = {"min_return": 0.0 if push is None else push.min_return}
    return visit.page(
        "pushes/audience.html", **_about(found), summary=summary, funnel=funnel,
        frontier=_frontier(visit, found), dropped=pushes_told.dropped_out(words, summary["funnel"]),
        prices=pushes_told.prices_in_words(words, summary, limits),
        verdict=pushes_told.verdict(words, summary["measurable"]), evidence=pushes_told.EVIDENCE,
        kinds=_KINDS, first=_first(visit, found),
        in_use=found.release == visit.parts.decider.release.versions.release,
    )  # fmt: skip


def _frontier(visit: Visit, found: Audience) -> Any:
    try:
        folder = AudienceFolder.open(visit.parts.audience_files / found.audience_id)
        return drawn_frontier(visit, Curve.of(folder.frontier()), found.summary or {})
    except AudienceGone:
        return ""


def _first(visit: Visit, found: Audience) -> Any:
    """The first members; None where the files are gone."""
    try:
        return members_after(found.audience_id, visit.parts, 0, _FIRST)
    except AudienceGone:
        return None


def _about(found: Audience) -> dict[str, Any]:
    state, told = pushes_told.JOB_STATES[found.state]
    return {
        "audience": found,
        "wanted": found.wanted,
        "sign": state,
        "state": told,
        "stage": pushes_told.JOB_STAGES.get(found.progress.stage, found.progress.stage),
        "push_path": f"/pushes/{quote(found.wanted.push_id)}",
        "here": f"/pushes/plans/{found.audience_id}",
    }


def _asked(visit: Visit) -> Audience:
    return Audiences(visit.ground.log).find(visit.path("audience_id"))


ROUTES: Sequence[Route] = (
    look("/pushes/plans/{audience_id}", shown),
    change("/pushes/plans/{audience_id}/cancel", cancelled, says=noted("cancel a plan")),
    look("/pushes/plans/{audience_id}/members", members),
    change("/pushes/plans/{audience_id}/file", file, says=noted("download a list of members")),
)
