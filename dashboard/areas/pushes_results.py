"""After the send: what a push was promised to earn, and what it earned.

Nothing is read out while a page is asked for: it shows what was prepared for all pushes, and what
``pushwise report push`` found, which runs beside the pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas.pushes_known import KnownPush, asked_push, contributions
from dashboard.pages import json_link
from dashboard.push_report import PushReport, drawn_charts
from dashboard.web.errors import BadForm
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from dashboard.web.work import Job


def results(visit: Visit) -> Response:
    """What is known of it; the long reading out can be started here."""
    push = asked_push(visit)
    job = _job(visit, push)
    report = report_of(job.answer) if job is not None and job.state == "done" else None
    values: dict[str, Any] = {}
    if report is not None:
        values = {
            "charts": drawn_charts(report, visit.words),
            "said": report.said(visit.language),
            "mark": {"good": "✓", "bad": "✗"}.get(report.tone, "="),
            "file": json_link(report.to_json()),
        }
    return visit.page(
        "pushes/results.html", push=push, job=job, report=report, here=_here(push),
        prepared=contributions(visit), values=values,
    )  # fmt: skip


def start(visit: Visit) -> Response:
    """Read it out as ``pushwise report push`` does."""
    push = asked_push(visit)
    if push.push_id.startswith("-"):
        raise BadForm("a push whose name begins with - would be taken for an option of the command")
    words = ["report", "push", push.push_id, "--json"]
    visit.ground.work.start(_name(push), words, visit.user.name, f"{_here(push)}/results")
    return visit.to(f"{_here(push)}/results")


def report_of(answer: object) -> PushReport | None:
    """The report that ``PushReport.to_json`` made; None for anything else."""
    if not isinstance(answer, Mapping) or "promised" not in answer:
        return None
    pair = answer["results"]["contrasts"][0]
    promised = answer["promised"]
    return PushReport(
        push=answer["push"],
        arm=pair["arm"],
        control=pair["control"],
        results=answer["results"],
        funnel=answer["funnel"],
        offers=tuple(answer["offers"]),
        planned=promised["planned"],
        logged=promised["logged"],
        frontier=answer["frontier"],
    )


def _job(visit: Visit, push: KnownPush) -> Job | None:
    return visit.ground.work.newest(_name(push))


def _name(push: KnownPush) -> str:
    return f"Promised and earned: {push.push_id}"  # one at a time of each push


def _here(push: KnownPush) -> str:
    return f"/pushes/{quote(push.push_id)}"


ROUTES: Sequence[Route] = (
    look("/pushes/{push_id:path}/results", results),
    change("/pushes/{push_id:path}/results", start, says=noted("read a push's results")),
)
