"""How much of a body is read before the call is refused."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import BodyTooLarge, problem_response

MAX_BODY = 2 * 1024 * 1024  # bytes: a thousand members or rows with room to spare


class LimitedBody:
    """ASGI middleware: reads the body, at most ``most`` bytes of it, before anyone parses it.

    The length that the caller claims is checked first; then what really arrives is counted.
    """

    def __init__(self, app: ASGIApp, most: int = MAX_BODY) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        claimed = dict(scope["headers"]).get(b"content-length", b"0")
        if not claimed.isdigit() or int(claimed[:20]) > self._most:
            await problem_response(BodyTooLarge(self._most))(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                await problem_response(BodyTooLarge(self._most))(scope, receive, send)
                return
        waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)
