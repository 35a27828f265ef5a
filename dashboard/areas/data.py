"""The pages about data: what is fresh, complete and steady, and what was not taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas import data_quarantine
from dashboard.areas.data_charts import drift, spread
from dashboard.areas.data_words import COVERAGE, FINDINGS, TABLES, VIEWS, said
from dashboard.web.errors import NotFound
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from features.insights.prepared import Prepared, prepared

DOCUMENT = "quality"
REFRESH = noted("Examine the data anew")
BUILD = noted("Build the features")
_KEYED = ("popularity", "offers")  # views whose features are named with their view


def overview(visit: Visit) -> Response:
    found = prepared(visit.ground.workspace, DOCUMENT)
    report = None if found is None else found.document["features"]
    return visit.page(
        "data/data.html", prepared=found, report=report, jobs=_jobs(visit),
        feeds=_feeds(visit, found), findings=_findings(visit, report),
        coverage=_coverage(visit, report), views=_views(visit, report),
        drift=None if report is None else drift(visit, report),
        tables=_tables(visit, found), skew=None if found is None else _skew(found),
        quarantine=data_quarantine.summary(visit, found),
    )  # fmt: skip


def feature(visit: Visit) -> Response:
    """One feature: its distribution now beside the reference's."""
    found = prepared(visit.ground.workspace, DOCUMENT)
    report = None if found is None else found.document["features"]
    view, name = visit.path("view"), visit.path("name")
    for one in () if report is None else report["features"]:
        if (one["view"], one["name"]) == (view, name):
            return visit.page(
                "data/feature.html", one=one, report=report, prepared=found,
                view=said(visit, VIEWS, view), chart=spread(visit, one),
                findings=[f for f in _findings(visit, report) if f["subject"] == _subject(one)],
            )  # fmt: skip
    raise NotFound(f"no feature {name} of {view} in the document; refresh it")


def refresh(visit: Visit) -> Response:
    return _started(visit, REFRESH, ["insights", "refresh", "--only", DOCUMENT])


def build(visit: Visit) -> Response:
    return _started(visit, BUILD, ["features", "build"])


def _started(visit: Visit, name: str, words: Sequence[str]) -> Response:
    job = visit.ground.work.start(name, words, visit.user.name, "/data")
    return visit.to(f"/jobs/{job.job_id}")


def _jobs(visit: Visit) -> list[object]:
    found = (visit.ground.work.newest(name) for name in (REFRESH, BUILD))
    return [job for job in found if job is not None and job.state == "running"]


def _subject(one: Mapping[str, Any]) -> str:
    """What findings call a feature; see ``features.health.FeatureHealth.subject``."""
    return f"{one['view']}.{one['name']}" if one["view"] in _KEYED else str(one["name"])


def _findings(visit: Visit, report: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if report is None:
        return []
    places = {_subject(one): f"/data/features/{one['view']}/{one['name']}"
              for one in report["features"]}  # fmt: skip
    return [
        {**one, "said": said(visit, FINDINGS, one["kind"]), "path": places.get(one["subject"])}
        for one in report["findings"]
    ]


def _feeds(visit: Visit, found: Prepared | None) -> list[dict[str, Any]]:
    """Late is a feed that was so when features were built, or when the data were examined."""
    if found is None or found.document["features"] is None:
        return []
    report, feeds = found.document["features"], []
    for one in report["feeds"]:
        text = found.document["newest"][one["table"]]
        newest = None if text is None else datetime.fromisoformat(text)
        ages = [one["age_days"] or 0.0, _days(newest, found.made_at) or 0.0]
        feeds.append({**one, "title": said(visit, TABLES, one["table"]), "newest": text,
                      "since": _days(newest, visit.now),
                      "late": max(ages) > report["limits"]["age_days"]})  # fmt: skip
    return feeds


def _days(since: datetime | None, until: datetime) -> float | None:
    return None if since is None else (until - since).total_seconds() / 86_400


def _coverage(visit: Visit, report: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    found = []
    for one in () if report is None else report["coverage"]:
        if one["name"] in COVERAGE:
            title = said(visit, COVERAGE, one["name"])
        else:
            view = said(visit, VIEWS, one["name"])
            title = visit.words("have a row in the view %(view)s", view=view)
        found.append({**one, "title": title})
    return found


def _views(
    visit: Visit, report: Mapping[str, Any] | None
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Features by view, those that drifted most first."""
    if report is None:
        return []
    names = dict.fromkeys(one["view"] for one in report["features"])
    return [
        (
            said(visit, VIEWS, name),
            sorted(
                (one for one in report["features"] if one["view"] == name),
                key=lambda one: -(one["psi"] or 0.0),
            ),
        )
        for name in names
    ]


def _tables(visit: Visit, found: Prepared | None) -> list[dict[str, Any]]:
    if found is None:
        return []
    held = found.document["quarantine"]
    return [
        {**one, "title": said(visit, TABLES, one["table"]),
         "quarantined": sum(held.get(one["table"], {}).values())}
        for one in found.document["tables"]
    ]  # fmt: skip


def _skew(found: Prepared) -> dict[str, Any]:
    skew: dict[str, Any] = dict(found.document["skew"])
    return {**skew, "differing": [one for one in skew["features"] if one["mismatches"]]}


ROUTES: Sequence[Route] = (
    look("/data", overview),
    look("/data/features/{view}/{name}", feature),
    change("/data/refresh", refresh, says=noted("check the data")),
    change("/data/build", build, says=noted("build features")),
    *data_quarantine.ROUTES,
)
