"""Calls for decisions that cannot be answered in time are refused at the door, which is cheap.

What counts as inside is a call that has come whole: a body that never ends takes nobody's room.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import Overloaded
from serving.problems import problem_response
from serving.room import Room
from serving.telemetry import Telemetry

PATHS = frozenset({"/v1/decisions", "/v1/decide"})


class Admission:
    """ASGI middleware: beyond what fits into ``room``, 503 with ``Retry-After``.

    It stands before everything else: nothing of a refused call is read, parsed or logged, or
    refusing would cost as much as answering.
    """

    def __init__(self, app: ASGIApp, room: Room, telemetry: Telemetry) -> None:
        self._app = app
        self._room = room
        self._telemetry = telemetry
        refusal = problem_response(Overloaded())
        self._start: Message = {
            "type": "http.response.start",
            "status": refusal.status_code,
            "headers": refusal.raw_headers,
        }
        self._body: Message = {"type": "http.response.body", "body": refusal.body}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in PATHS:
            await self._app(scope, receive, send)
            return
        if self._room.full:
            self._telemetry.refused("overload")
            await send(self._start)
            await send(self._body)
            return
        await self._app(scope, receive, send)


class Inside:
    """ASGI middleware: a call that was read takes room while it is answered. It stands behind
    ``LimitedBody``; who finds no room any more, since others came whole before, is refused."""

    def __init__(self, app: ASGIApp, room: Room, telemetry: Telemetry) -> None:
        self._app = app
        self._room = room
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in PATHS:
            await self._app(scope, receive, send)
            return
        if not self._room.enter():
            self._telemetry.refused("overload")
            await problem_response(Overloaded())(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._room.leave()
