"""The pages as one application: mounted beside the API, or served alone."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.areas import AREAS
from dashboard.web import home, log_in, work_pages
from dashboard.web.errors import NotFound, PageError
from dashboard.web.ground import Ground
from dashboard.web.language import wanted
from dashboard.web.routing import refused, session_of, to_log_in
from dashboard.web.security import HEADERS, NOT_KEPT
from dashboard.web.visit import Visit
from serving.errors import LogUnavailable
from serving.limits import LimitedBody

_PACKAGE = files("dashboard")
# The reports hold their style, so that a page is one file; here the same is a file of its own.
_STATIC = {
    "style.css": (_PACKAGE / "templates" / "style.css", "text/css"),
    "pages.css": (_PACKAGE / "static" / "pages.css", "text/css"),
    "pages.js": (_PACKAGE / "static" / "pages.js", "text/javascript"),
    "htmx.min.js": (_PACKAGE / "static" / "htmx.min.js", "text/javascript"),
}
_log = structlog.get_logger("pushwise.dashboard")


def create_dashboard(ground: Ground) -> Starlette:
    """The pages over ``ground``."""
    routes: list[BaseRoute] = [
        Route("/livez", alive, methods=["GET"]),
        Route("/static/{name}", static, methods=["GET"]),
    ]
    routes += [*log_in.ROUTES, *home.ROUTES, *work_pages.ROUTES]
    for area in AREAS:
        routes += area.routes
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guarded), Middleware(LimitedBody)],
        exception_handlers={HTTPException: _missing, LogUnavailable: _no_log, Exception: _fault},
    )
    app.state.ground = ground
    app.state.token = secrets.token_urlsafe(32)
    app.state.one_try = asyncio.Lock()  # to log in
    return app


class Guarded:
    """Sets what browsers are told to refuse, on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers.update(NOT_KEPT)
            await send(message)

        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:  # no text of a log may
            refusal = PlainTextResponse("the address holds a NUL character\n", 400)
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


async def alive(request: Request) -> Response:
    """Whether the process answers, for whoever restarts it; no log and no release is asked."""
    return PlainTextResponse("alive\n")


async def static(request: Request) -> Response:
    """A file of ours: style and script."""
    found = _STATIC.get(request.path_params["name"])
    if found is None:
        return PlainTextResponse("no such file", 404)
    path, media_type = found
    content = path.read_bytes()
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(content, media_type=f"{media_type}; charset=utf-8", headers=headers)


def beside(prefix: str, dashboard: ASGIApp, api: ASGIApp) -> ASGIApp:
    """``api``, with the pages at ``prefix``; no call for a decision goes through anything of
    theirs but one comparison."""

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if scope["type"] == "http" and (path == prefix or path.startswith(f"{prefix}/")):
            inside = {**scope, "root_path": f"{scope.get('root_path', '')}{prefix}"}
            if path == prefix:
                inside["path"] = f"{prefix}/"
            await dashboard(inside, receive, send)
        else:
            await api(scope, receive, send)

    return either


def _missing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these alone
    told = NotFound() if error.status_code == 404 else PageError(str(error.detail))
    return _told(request, told, error.status_code)


def _no_log(request: Request, error: Exception) -> Response:
    return PlainTextResponse("the log cannot be read or written; try again soon\n", 503)


def _fault(request: Request, error: Exception) -> Response:
    answer = _told(request, PageError("a fault of the dashboard; its log tells more"), 500)
    answer.headers.update({**HEADERS, **NOT_KEPT})  # faults are told outside of `Guarded`
    return answer


def _told(request: Request, error: PageError, status: int) -> Response:
    now = datetime.now(UTC)
    ground: Ground = request.app.state.ground
    try:
        session = session_of(request, ground, now)
    except LogUnavailable as unavailable:
        return _no_log(request, unavailable)
    if session is None:
        # The page to log in may be what has the fault.
        return PlainTextResponse(f"{error}\n", 500) if status == 500 else to_log_in(request)
    error.status = status
    return refused(Visit(ground, request, session, wanted(request), {}, now), error)


def paths(app: Starlette) -> Sequence[str]:
    """Every address, for tests that visit them all."""
    return [route.path for route in app.routes if isinstance(route, Route)]
