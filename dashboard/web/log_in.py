"""Logging in and out, and the language of the pages: what one may do before one is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.pages import environment
from dashboard.web.ground import Ground
from dashboard.web.language import CODES, COOKIE, noted, wanted
from dashboard.web.routing import COOKIE as SESSION
from dashboard.web.routing import form_of, session_of
from dashboard.web.security import from_here, proves
from dashboard.web.sessions import LONGEST

_TRIES_A_SECOND = 0.1
_TRIES_AT_A_NAME, _TRIES = 8, 40  # wrong ones from one address at once; an office shares one
_YEAR = 365 * 86_400
_log = structlog.get_logger("pushwise.dashboard")


def log_in(request: Request) -> Response:
    """The page with the form."""
    return _page(request, _next(request.query_params.get("next", "")))


async def logged_in(request: Request) -> Response:
    """The form that was sent."""
    form = await form_of(request)
    # One at a time, so that each try counts before the next, and no thread of the pages waits.
    async with request.app.state.one_try:
        return await run_in_threadpool(_tried, request, form)


def _tried(request: Request, form: Mapping[str, str]) -> Response:
    name, password = form.get("name", ""), form.get("password", "")
    onward = _next(form.get("next", ""))
    if not from_here(request):
        return _page(request, onward, noted("The form is not from this page; try again."), 403)
    ground: Ground = request.app.state.ground
    address = request.client.host if request.client else ""
    # The address first: an address without tries left adds no names to what is remembered.
    knocks = ((address, _TRIES), (f"{address} {name[:64]}", _TRIES_AT_A_NAME))
    if any(ground.knocks.empty(who, _TRIES_A_SECOND, most) for who, most in knocks):
        return _page(request, onward, noted("Too many tries; wait a minute."), 429)
    token = _token(ground, name, password)
    if token is None:
        for who, most in knocks:
            ground.knocks.wait(who, _TRIES_A_SECOND, most)
        _log.warning("log-in refused", address=address)
        return _page(request, onward, noted("The name or the password is wrong."), 403)
    base = _base(request)
    answer = RedirectResponse(f"{base}{onward}", 303)
    answer.set_cookie(
        SESSION, token, max_age=int(LONGEST.total_seconds()), path=base or "/", httponly=True,
        samesite="lax", secure=ground.secure,
    )  # fmt: skip
    return answer


async def logged_out(request: Request) -> Response:
    """End the session."""
    ground: Ground = request.app.state.ground
    fields = await form_of(request)
    session = await run_in_threadpool(session_of, request, ground, datetime.now(UTC))
    answer = RedirectResponse(f"{_base(request)}/login", 303)
    if session is not None and from_here(request) and proves(request, fields, session.csrf):
        await run_in_threadpool(ground.sessions.end, session.token)
        answer.delete_cookie(SESSION, path=_base(request) or "/")
    return answer


async def choose_language(request: Request) -> Response:
    """Keep the language that was chosen, and go back to where the reader was."""
    form = await form_of(request)
    code, onward = form.get("language", ""), _next(form.get("next", ""))
    answer = RedirectResponse(f"{_base(request)}{onward}", 303)
    if code in CODES:
        ground: Ground = request.app.state.ground
        answer.set_cookie(
            COOKIE, code, max_age=_YEAR, path=_base(request) or "/", samesite="lax",
            httponly=True, secure=ground.secure,
        )  # fmt: skip
    return answer


ROUTES = (
    Route("/login", log_in, methods=["GET"]),
    Route("/login", logged_in, methods=["POST"]),
    Route("/logout", logged_out, methods=["POST"]),
    Route("/language", choose_language, methods=["POST"]),
)


def _page(request: Request, onward: str, error: str = "", status: int = 200) -> Response:
    language = wanted(request)
    ground: Ground = request.app.state.ground
    values = {
        "base": _base(request),
        "language": language,
        "languages": CODES,
        "onward": onward,
        "error": language.words(error) if error else "",
        "nobody": not ground.users.all(),
        "here": "/login",
    }
    page = environment(language.code).get_template("web/login.html").render(**values)
    return HTMLResponse(page, status)


def _token(ground: Ground, name: str, password: str) -> str | None:
    user = ground.users.knows(name, password)
    if user is None:
        return None
    return ground.sessions.begin(user, datetime.now(UTC)).token


def _next(given: str) -> str:
    """Where to go on to: a path of ours, never another place."""
    parts = urlsplit(given)
    ours = given.startswith("/") and not given.startswith(("//", "/\\")) and not parts.netloc
    clean = ours and "\\" not in given and given.isprintable()
    return given if clean and parts.path not in ("/login", "/logout", "/language") else "/"


def _base(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
