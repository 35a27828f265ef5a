"""How much of a call is read before it is refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import (
    BodyTooDeep,
    BodyTooLarge,
    BodyTooSlow,
    HeadersTooLarge,
    ServiceError,
    TooManyValues,
    UrlTooLong,
)
from serving.json_shape import MAX_DEPTH, MAX_VALUES, JsonShape
from serving.problems import problem_response

MAX_BODY = 2 * 1024 * 1024  # bytes: a thousand members or rows with room to spare
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16 * 1024
MAX_URL = 8 * 1024  # bytes: two ids of 256 characters, each up to twelve bytes when escaped
BODY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """body, headers, url: bytes, of names and values, of path and query. seconds: from the head of
    a call until its body is there."""

    body: int = MAX_BODY
    headers: int = MAX_HEADER_BYTES
    url: int = MAX_URL
    seconds: float = BODY_SECONDS


class LimitedBody:
    """ASGI middleware: reads the body before anyone parses it, and refuses a call as soon as what
    arrived of it is too much: headers, URL, bytes, depth, values, time.

    The length that the caller claims is checked first; then what really arrives is counted.
    """

    def __init__(self, app: ASGIApp, limits: Limits = Limits()) -> None:
        self._app = app
        self._limits = limits
        self._patience = _Patience(limits.seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            bodiless = self._head(scope)
            body = b"" if bodiless else await self._body(receive)
        except ServiceError as refused:
            await problem_response(refused)(scope, receive, send)
            return
        if body is not None:  # else the caller hung up
            await self._app(scope, receive if bodiless else _replay(body, receive), send)

    def _head(self, scope: Scope) -> bool:
        """Whether no body follows."""
        limits, size, claimed, chunked = self._limits, 0, b"", False
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name == b"content-length":
                claimed = value
            elif name == b"transfer-encoding":
                chunked = True
        if size > limits.headers or len(scope["headers"]) > MAX_HEADERS:
            raise HeadersTooLarge(MAX_HEADERS, limits.headers)
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > limits.url:
            raise UrlTooLong(limits.url)
        if claimed and (not claimed.isdigit() or int(claimed[:20]) > limits.body):
            raise BodyTooLarge(limits.body)
        return not claimed and not chunked and scope["method"] in ("GET", "HEAD")

    async def _body(self, receive: Receive) -> bytes | None:
        """Everything, once it is there; None when the caller hung up."""
        with self._patience:
            return await self._read(receive)

    async def _read(self, receive: Receive) -> bytes | None:
        body, shape, more = bytearray(), JsonShape(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limits.body:
                raise BodyTooLarge(self._limits.body)
            excess = shape.exceeds(body)
            if excess:
                raise BodyTooDeep(MAX_DEPTH) if excess == "deep" else TooManyValues(MAX_VALUES)
        return bytes(body)


class _Patience:
    """What runs inside ends with ``BodyTooSlow`` when it takes longer than ``seconds``, or up to a
    quarter more: one timer looks after all calls, since one a call costs more than reading it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._looking: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is not None:
            self._began[task] = loop.time()
        if self._looking is not loop:
            self._looking = loop
            loop.call_later(self._seconds / 4, self._look, loop)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._began.pop(task, None)
        if task in self._late:
            self._late.discard(task)
            if isinstance(error, asyncio.CancelledError) and not task.uncancel():
                raise BodyTooSlow(self._seconds) from None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        for task, began in list(self._began.items()):
            if loop.time() - began >= self._seconds:
                del self._began[task]
                self._late.add(task)
                task.cancel()
        self._looking = loop if self._began else None
        if self._looking:
            loop.call_later(self._seconds / 4, self._look, loop)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
