"""The HTTP application, made of its parts."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware import Middleware

from serving.admission import Admission, Inside
from serving.auth import check_scopes
from serving.evaluation_schemas import asked_names
from serving.experiment_schemas import experiment_fields
from serving.limits import LimitedBody
from serving.observed import Observed
from serving.openapi import describe
from serving.parts import Parts
from serving.probes import Probes
from serving.problems import install
from serving.routes import (
    audiences,
    catalogue,
    decide_flat,
    decisions,
    erasure,
    evaluations,
    experiment_results,
    experiments,
    explain,
    feedback,
    health,
    releases,
    rules,
    timeline,
)
from serving.schemas import field_names

_ROUTES = (
    decisions,
    decide_flat,
    experiments,
    experiment_results,
    explain,
    feedback,
    health,
    rules,
    audiences,
    catalogue,
    erasure,
    evaluations,
    releases,
    timeline,
)
_IN_PATHS_AND_QUERIES = frozenset(
    {
        "push_id",
        "member_id",
        "decision_id",
        "audience_id",
        "offer_id",
        "after",
        "limit",
        "version",
        "erasure_id",
        "evaluation_id",
        "release_id",
        "experiment_id",
        "state",
        "as_of",
    }
)


def create_app(parts: Parts) -> FastAPI:
    """The API over ``parts``.

    Raises:
        RuntimeError: a route declares no scope.
    """
    paths: dict[object, str] = {}
    app = api(
        Middleware(Admission, room=parts.room, telemetry=parts.telemetry),
        Middleware(Observed, telemetry=parts.telemetry, routes=paths),
        Middleware(LimitedBody),
        Middleware(Inside, room=parts.room, telemetry=parts.telemetry),
    )
    app.state.parts = parts
    app.state.probes = Probes.of(parts)
    for route in iter_route_contexts(app.routes):
        paths[route.endpoint] = str(route.path)
    return app


def api(*middleware: Middleware) -> FastAPI:
    """The routes with nothing behind them: enough to describe them.

    Raises:
        RuntimeError: a route declares no scope.
    """
    app = FastAPI(
        title="Pushwise",
        version=version("pushwise"),
        docs_url=None,
        redoc_url=None,
        middleware=middleware,
    )
    install(app, field_names() | experiment_fields() | asked_names() | _IN_PATHS_AND_QUERIES)
    for module in _ROUTES:
        app.include_router(module.router)
    check_scopes(app)
    describe(app)
    return app
