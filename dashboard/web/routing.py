"""From a request to a page: who may see it, who may send its forms, and what is said of errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import quote

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard.web.errors import NotAllowed, NotFromHere, PageError
from dashboard.web.ground import Ground
from dashboard.web.language import wanted
from dashboard.web.security import from_here, of_this_machine, proves
from dashboard.web.sessions import Session
from dashboard.web.users import Role, User
from dashboard.web.visit import Visit
from decisions.errors import DecisionError
from experiments.errors import ExperimentError
from features.errors import FeatureError
from models.errors import ModelError
from serving.errors import ServiceError
from serving.scorer_error import ScorerError

Handler: TypeAlias = Callable[[Visit], Response]
COOKIE = "pushwise_session"
# Somebody who looks where nobody logs in; its token only ties forms to pages of this process.
EVERYBODY = User("anybody", "publisher", datetime(1970, 1, 1, tzinfo=UTC))
_MOST_FIELDS = 200
# What a reader can mend; anything else is a fault of ours.
TOLD = (ScorerError, FeatureError, ModelError, DecisionError, ExperimentError)
_log = structlog.get_logger("pushwise.dashboard")


def look(path: str, handler: Handler, role: Role = "viewer") -> Route:
    """A page that ``role`` may see."""
    return Route(path, _page(handler, role, changes=False), methods=["GET"])


def ask(path: str, handler: Handler, role: Role = "viewer") -> Route:
    """A form that is answered and changes nothing: what it asks belongs into no address."""
    return Route(path, _page(handler, role, changes=False), methods=["POST"])


def change(path: str, handler: Handler, role: Role = "editor", *, says: str) -> Route:
    """A form that changes something; never a viewer's. It is written down who sent it.

    Args:
        says: what it does, as the first page tells it: English words that have a translation.

    Raises:
        ValueError: a viewer may change nothing.
    """
    if role == "viewer":
        raise ValueError(f"{path} changes something, so a viewer must not")
    return Route(path, _page(handler, role, changes=True), methods=["POST"], name=says)


def _page(
    handler: Handler, role: Role, *, changes: bool
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        ground: Ground = request.app.state.ground
        form = await form_of(request) if request.method == "POST" else {}
        return await run_in_threadpool(_answer, handler, role, changes, request, ground, form)

    return endpoint


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form that was sent.

    Raises:
        HTTPException: it does not read, or holds a NUL character, which no text of a log may.
    """
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if any("\x00" in value for value in fields.values()):
        raise HTTPException(422, "a field holds a NUL character, wanted text")
    return fields


def _answer(
    handler: Handler,
    role: Role,
    changes: bool,
    request: Request,
    ground: Ground,
    form: Mapping[str, str],
) -> Response:
    now = datetime.now(UTC)
    if ground.open_to_all and not of_this_machine(request):
        return PlainTextResponse("without a log-in, ask for localhost or 127.0.0.1\n", 421)
    session = session_of(request, ground, now)
    if session is None:
        return to_log_in(request)
    visit = Visit(ground, request, session, wanted(request), form, now)
    status = 500  # of a fault, which may have changed half of it
    try:
        answer = _guarded(handler, role, visit)
        status = answer.status_code
    finally:
        if changes:
            _note(visit, status)
    return answer


def _guarded(handler: Handler, role: Role, visit: Visit) -> Response:
    request = visit.request
    try:
        if not visit.may(role):
            raise NotAllowed(role)
        if request.method == "POST" and not (
            from_here(request) and proves(request, visit.form, visit.session.csrf)
        ):
            raise NotFromHere
        return handler(visit)
    except TOLD as error:
        return refused(visit, error)


def refused(visit: Visit, error: Exception) -> Response:
    """The page, or the piece of one, that tells an error."""
    status = error.status if isinstance(error, (PageError, ServiceError)) else 422
    fix = error.fix if isinstance(error, ServiceError) else ()
    details = (
        [f"{one.pointer}: {one.detail}" for one in error.errors]
        if isinstance(error, ServiceError)
        else []
    )
    template = "web/error_piece.html" if visit.partial else "web/error.html"
    return visit.page(template, status, error=str(error), fix=fix, details=details, status=status)


def _note(visit: Visit, status: int) -> None:
    action = str(visit.request.scope["route"].path)
    ids = [v for name, v in visit.request.path_params.items() if name != "handle"]
    subject = str(ids[0]) if ids else ""
    visit.ground.changes.note(visit.user, action, subject, status, visit.now)
    _log.info("change", user=visit.user.name, action=action, status=status)


def session_of(request: Request, ground: Ground, now: datetime) -> Session | None:
    """Whose request it is; None where nobody is logged in."""
    if ground.open_to_all:
        return Session(request.app.state.token, EVERYBODY)
    token = request.cookies.get(COOKIE, "")
    # A page that looks again by itself is no visit: its reader may have left the desk.
    by_itself = request.method == "GET" and request.headers.get("hx-request") == "true"
    return ground.sessions.find(token, now, visited=not by_itself) if token else None


def to_log_in(request: Request) -> Response:
    """The way to the page where one logs in, and from there back to what was asked for."""
    base = str(request.scope.get("root_path", ""))
    path = request.url.path.removeprefix(base)
    back = path if request.method == "GET" and request.headers.get("hx-request") is None else "/"
    there = f"{base}/login" + ("" if back == "/" else f"?next={quote(back)}")
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": there})
    return RedirectResponse(there, 303)
