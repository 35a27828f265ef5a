"""The pages about models and releases: what was trained, what serves, and which to publish."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response
from starlette.routing import Route

from dashboard.areas import models_compare, models_evaluations, models_releases
from dashboard.areas.models_card import blocks
from dashboard.areas.models_charts import drawn
from dashboard.areas.models_read import INTERVALS, Registry, Version, above_champion, registry
from dashboard.areas.models_words import ALIASES, FACTS, METRICS, MODELS, OTHERS, said
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit

REFRESH = noted("Look at all models anew")
TRAIN = noted("Train the models")
BUILD = noted("Build a release")
_ASIDE = {"feature_moments", *INTERVALS}  # for machines, or in the table of intervals


def overview(visit: Visit) -> Response:
    """Releases, versions of every model, and evaluations."""
    found = registry(visit)
    return visit.page(
        "models/models.html", registry=found, models=_by_name(visit, found),
        releases=models_releases.listed(visit), evaluations=models_evaluations.newest(visit),
        jobs=_jobs(visit), aliases={code: visit.words(text) for code, text in ALIASES.items()},
    )  # fmt: skip


def version(visit: Visit) -> Response:
    """One version: figures, gates, calibration, uplift by tenth, and its model card."""
    one = registry(visit).find(visit.path("name"), visit.path("version"))
    order = ("reliability", "uplift_by_tenth")
    rest = [name for name in one.charts if name not in order]
    charts = [
        drawn(visit, name, one.charts[name], f"{one.name}-{one.version}-{name}")
        for name in (*order, *rest)
        if one.charts.get(name)
    ]
    return visit.page(
        "models/version.html", one=one, title=said(visit, MODELS, one.name), charts=charts,
        figures=[_figure(visit, figure) for figure in one.figures],
        intervals=[(said(visit, FACTS, fact), one.interval(fact)) for fact in INTERVALS],
        facts=_facts(visit, one), card=blocks(one.card),
        aliases={code: visit.words(text) for code, text in ALIASES.items()},
    )  # fmt: skip


def refresh(visit: Visit) -> Response:
    words = ["insights", "refresh", "--only", "models"]
    return _started(visit, REFRESH, words)


def train(visit: Visit) -> Response:
    return _started(visit, TRAIN, ["train"])


def build(visit: Visit) -> Response:
    return _started(visit, BUILD, ["release", "build"])


def _started(visit: Visit, name: str, words: Sequence[str]) -> Response:
    job = visit.ground.work.start(name, words, visit.user.name, "/models")
    return visit.to(f"/jobs/{job.job_id}")


def _jobs(visit: Visit) -> list[object]:
    """Work of this page that is under way."""
    found = (visit.ground.work.newest(name) for name in (REFRESH, TRAIN, BUILD))
    return [job for job in found if job is not None and job.state == "running"]


def _by_name(visit: Visit, found: Registry) -> list[tuple[str, list[Version], str]]:
    """Each model as it is called, its versions, and the name of the figure that decides."""
    names = dict.fromkeys(one.name for one in found.versions)
    models = []
    for name in names:
        own = [one for one in found.versions if one.name == name]
        deciding = own[0].figures[0]["metric"] if own[0].figures else ""
        models.append((said(visit, MODELS, name), own, said(visit, METRICS, deciding)))
    return models


def _figure(visit: Visit, figure: object) -> dict[str, object]:
    """A figure with its names in words, and how far it is above the champion's."""
    assert isinstance(figure, dict)  # noqa: S101 - as the document holds it
    others = {said(visit, OTHERS, name): value for name, value in figure["baselines"].items()}
    return {
        **figure, "title": said(visit, METRICS, figure["metric"]), "baselines": others,
        "above": above_champion(figure),
    }  # fmt: skip


def _facts(visit: Visit, one: Version) -> list[tuple[str, str]]:
    told = {name for name in _ASIDE if name not in INTERVALS or one.interval(name)}
    shown = [(name, text) for name, text in one.facts.items() if name not in told]
    return [(said(visit, FACTS, name), text) for name, text in shown]


ROUTES: Sequence[Route] = (
    look("/models", overview),
    look("/models/versions/{name}/{version}", version),
    change("/models/refresh", refresh, says=noted("compare the models anew")),
    change("/models/train", train, says=noted("train the models")),
    change("/models/build", build, says=noted("build a release")),
    *models_compare.ROUTES,
    *models_releases.ROUTES,
    *models_evaluations.ROUTES,
)
