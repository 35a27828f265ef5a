"""What releases would have earned on past decisions: asked for, worked on beside, and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from dashboard.areas.models_releases import listed
from dashboard.areas.models_words import OTHERS, STATES, said
from dashboard.charts.figure import figure
from dashboard.web.errors import BadForm
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from serving.evaluation_schemas import EvaluationAsked
from serving.evaluations import Evaluation, Evaluations
from training.charts import Chart, Series

OBJECTIVES: Mapping[str, str] = {
    "margin": noted("Margin less costs"),
    "revenue": noted("Revenue"),
    "conversions": noted("Conversions"),
}
_MOST_RELEASES = 4
_FIELD = "release."


def newest(visit: Visit) -> Sequence[Evaluation]:
    return Evaluations(visit.ground.log).newest(10)


def ask(visit: Visit) -> Response:
    """Ask for the chosen releases, beside sending nothing, any offer, and the best single one."""
    chosen = [name.removeprefix(_FIELD) for name in visit.form if name.startswith(_FIELD)]
    if not 1 <= len(chosen) <= _MOST_RELEASES:
        raise BadForm(f"choose 1 to {_MOST_RELEASES} releases to evaluate")
    known = {one.release_id for one in listed(visit).shown}
    if not set(chosen) <= known:
        raise BadForm("a release of the form is not there any more; open the page again")
    objective = visit.form.get("objective", "margin")
    if objective not in OBJECTIVES:
        raise BadForm(f"objective is {objective!r}, wanted one of {', '.join(OBJECTIVES)}")
    policies = [{"kind": "release", "release_id": one} for one in chosen]
    plain = [{"kind": kind} for kind in ("nothing", "random", "best_offer")]
    asked = EvaluationAsked.model_validate(
        {"policies": [*policies, *plain], "objective": objective}
    )
    job = visit.parts.evaluations.ask(asked, visit.now)
    return visit.to(f"/models/evaluations/{job.evaluation_id}")


def shown(visit: Visit) -> Response:
    """One evaluation: how far it is, and once it is done, the value of each policy."""
    job = Evaluations(visit.ground.log).find(visit.path("evaluation_id"))
    report = None if job.report is None else _named(visit, job.report)
    template = "models/evaluation_piece.html" if visit.partial else "models/evaluation.html"
    return visit.page(
        template, job=job, report=report, state=said(visit, STATES, job.state),
        objective=visit.words(OBJECTIVES[job.asked.objective]),
        chart=None if report is None else _chart(visit, report, job.evaluation_id),
    )  # fmt: skip


def cancel(visit: Visit) -> Response:
    job = Evaluations(visit.ground.log).cancel(visit.path("evaluation_id"), visit.now)
    return visit.to(f"/models/evaluations/{job.evaluation_id}")


def _named(visit: Visit, report: Mapping[str, Any]) -> dict[str, Any]:
    policies = [{**one, "title": said(visit, OTHERS, one["name"])} for one in report["policies"]]
    return {**report, "policies": policies}


def _chart(visit: Visit, report: Mapping[str, Any], file: str) -> Markup | None:
    told = [one for one in report["policies"] if one["value"] is not None]
    if not told:
        return None
    values = [one["value"]["dr"] for one in told]
    names = [one["title"] for one in told]
    series = [
        Series(
            visit.words("value"), names, [one["mean"] for one in values], "points",
            ends=[(one["low"], one["high"]) for one in values],
        )
    ]  # fmt: skip
    logged = [one["value"]["dr"]["mean"] for one in told if one["name"] == "logged"]
    if logged:
        level = [logged[0]] * len(told)
        series.append(Series(visit.words("what happened"), names, level, "guide"))
    title = visit.words("What policies would have earned")
    shown_as = visit.words(OBJECTIVES[report["objective"]])
    y = visit.words("%(what)s per decision, 95 %% interval", what=shown_as)
    says = visit.words("An interval that holds what happened cannot be told from it.")
    return figure(Chart(title, "", y, tuple(series)), file, says, words=visit.words)


ROUTES = (
    look("/models/evaluations/{evaluation_id}", shown),
    change("/models/evaluate", ask, says=noted("evaluate a policy")),
    change(
        "/models/evaluations/{evaluation_id}/cancel", cancel, says=noted("cancel an evaluation")
    ),
)
