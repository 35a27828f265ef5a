"""The page about the scorer's health: what the monitors found last, and the calls of this process.

It reads their document and counts nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from dashboard.health_calls import calls_of
from dashboard.health_charts import lesser_figure, pace_figure, volume_figure
from dashboard.health_words import ADVICE, LACKING, LIMITS, TITLES, subject_words
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from decisions.pacing import MONEY, UNIT
from features.insights.prepared import Prepared, prepared

PATH = "/health"
WORK = noted("Run the monitors")
_MOST = 40  # subjects of a monitor that are shown, the worst first


@dataclass(frozen=True, slots=True)
class Watched:
    """One monitor. shown: its subjects, the worst first. more: how many are not shown."""

    name: str
    state: str
    shown: Sequence[Mapping[str, Any]]
    more: int


def health(visit: Visit) -> Response:
    """Alerts, monitors, pace, volume, and calls that got less than everything."""
    found = prepared(visit.ground.workspace, "monitor")
    return visit.page(
        "health/health.html",
        found=found,
        **_alerts(visit, found),
        watched=[] if found is None else _watched(found),
        paced=[] if found is None else [_paced(one) for one in found.document["paced"]],
        charts={} if found is None else _charts(visit, found),
        calls=calls_of(visit.ground.parts),
        lacking=lambda code: visit.words(LACKING[code]) if code in LACKING else code,
        limits=LIMITS,
        MONEY=MONEY,
        job=visit.ground.work.newest(WORK),
        command=f"pushwise monitor --workspace {visit.ground.workspace.root}",
    )


def now(visit: Visit) -> Response:
    """The piece of the page that changes: nothing where the monitors have not run since."""
    found = prepared(visit.ground.workspace, "monitor")
    if found is None or found.made_at.isoformat() == visit.query("made"):
        return Response(status_code=204)
    return visit.page("health/now.html", found=found, **_alerts(visit, found))


def run(visit: Visit) -> Response:
    """Run them now, in a process of its own; alerts are told to the webhook as at any run."""
    words = ["monitor", "--json", "--exit-zero"]
    job = visit.ground.work.start(WORK, words, by=visit.user.name, then=PATH)
    return visit.to(f"/jobs/{job.job_id}")


def _alerts(visit: Visit, found: Prepared | None) -> dict[str, Any]:
    results = [] if found is None else found.document["results"]

    return {
        "alerts": [one for one in results if one["state"] == "alert"][:_MOST],
        "warnings": sum(one["state"] == "warn" for one in results),
        "subject": partial(subject_words, words=visit.words),
        "titles": TITLES,
        "advice": ADVICE,
    }


def _watched(found: Prepared) -> list[Watched]:
    results: dict[str, list[Mapping[str, Any]]] = {name: [] for name in TITLES}
    for one in found.document["results"]:  # the worst first
        results.setdefault(one["monitor"], []).append(one)
    states = {one["monitor"]: one["state"] for one in found.document["monitors"]}
    return [
        Watched(name, states.get(name, "cannot_say"), mine[:_MOST], max(len(mine) - _MOST, 0))
        for name, mine in results.items()
        if name in TITLES
    ]


def _paced(one: Mapping[str, Any]) -> dict[str, Any]:
    """In units of currency, or contacts."""
    unit = UNIT if one["limit"] == MONEY else 1
    amounts = {name: one[name] / unit for name in ("most", "reserved", "spent", "planned")}
    return {"push_id": one["push_id"], "limit": one["limit"], **amounts}


def _charts(visit: Visit, found: Prepared) -> dict[str, Any]:
    document, words = found.document, visit.words
    return {
        "volume": volume_figure(document["hours"], words),
        "pace": pace_figure([_paced(one) for one in document["paced"]], words),
        "lesser": lesser_figure(document["degraded"], words),
    }


ROUTES: Sequence[Route] = (
    look(PATH, health),
    look(f"{PATH}/now", now),
    change(f"{PATH}/run", run, says=noted("run the monitors")),
)
