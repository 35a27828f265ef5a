"""The page about all members: who moves where, who comes back, and what is in demand.

It reads what `pushwise insights refresh` has prepared, and counts nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas.demand_part import NAME as DEMAND
from dashboard.areas.demand_part import demand_part
from dashboard.demand_report import chance, need, prices, segment
from dashboard.insights_charts import (
    conversion_figure,
    lifecycle_figures,
    pushes_figure,
    repeat_figure,
    second_figure,
    tier_figures,
)
from dashboard.insights_words import TIERS, day, why
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from features.insights.prepared import Prepared, prepared

PATH = "/segments"
NAMES = ("lifecycle", "values", "cohorts", "pushes")
_WORK = noted("Count all members anew")


def segments(visit: Visit) -> Response:
    """All that was prepared; of what was not, how to prepare it."""
    found = {name: prepared(visit.ground.workspace, name) for name in NAMES}
    ready = {name: one for name, one in found.items() if one is not None}
    return visit.page(
        "segments/segments.html",
        found=found,
        ready=ready,
        missing=[name for name in NAMES if name not in ready],
        charts={name: _charts(visit, one) for name, one in ready.items()},
        command=f"pushwise insights refresh --workspace {visit.ground.workspace.root}",
        job=visit.ground.work.newest(_WORK),
        tiers=TIERS,
        day=day,
        why=lambda untold: why(untold, visit.words),
        demand=demand_part(visit),
        chance=chance,
        need=need,
        prices=prices,
        whose=lambda finding: segment(finding, visit.words),
    )


def refresh(visit: Visit) -> Response:
    """Count them anew, in a process of its own."""
    only = [word for name in (*NAMES, DEMAND) for word in ("--only", name)]
    words = ["insights", "refresh", *only]
    job = visit.ground.work.start(_WORK, words, by=visit.user.name, then=PATH)
    return visit.to(f"/jobs/{job.job_id}")


def _charts(visit: Visit, one: Prepared) -> Mapping[str, Sequence[Markup]]:
    words, document = visit.words, one.document
    match one.name:
        case "lifecycle":
            return {"flow": lifecycle_figures(document, words)}
        case "values":
            return {"tiers": tier_figures(document, words)}
        case "pushes":
            return {"pushes": [pushes_figure(document, words)]}
        case _:
            return _cohort_charts(document, visit)


def _cohort_charts(document: Mapping[str, Any], visit: Visit) -> Mapping[str, Sequence[Markup]]:
    words = visit.words
    first = document["by_first_purchase"]["cohorts"]
    joined = document["by_joining"].get("cohorts", [])
    return {
        "repeat": [repeat_figure(document, words), second_figure(first, words, "second-purchase")],
        "conversion": [conversion_figure(joined, words)],
    }


ROUTES: Sequence[Route] = (
    look(PATH, segments),
    change(f"{PATH}/refresh", refresh, says=noted("prepare the segments anew")),
)
