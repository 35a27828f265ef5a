"""Calls of an ASGI application without an HTTP client: thousands of them take seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Scope

Headers = Sequence[tuple[bytes, bytes]]
JSON: Headers = ((b"content-type", b"application/json"),)


@dataclass
class Answer:
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Asked:
    """One call. ``chunks``: the body as it arrives; after them nothing comes unless ``ends``."""

    method: str
    path: str
    chunks: Sequence[bytes] = (b"",)
    headers: Headers = JSON
    query: bytes = b""
    ends: bool = True

    @property
    def scope(self) -> Scope:
        return {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1",
            "method": self.method, "scheme": "http", "path": self.path,
            "raw_path": self.path.encode(), "query_string": self.query, "root_path": "",
            "headers": list(self.headers), "client": ("127.0.0.1", 1), "server": ("test", 80),
            "state": {},
        }  # fmt: skip


async def answer(app: ASGIApp, asked: Asked) -> Answer:
    """What ``app`` answers; with status 0 when it gives no answer."""
    found, waiting = Answer(), list(asked.chunks)

    async def receive() -> Message:
        if not waiting and asked.ends:
            return {"type": "http.disconnect"}
        if not waiting:
            await asyncio.sleep(3600)
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting) or not asked.ends}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.status, found.headers = message["status"], dict(message["headers"])
        else:
            found.body += message.get("body", b"")

    await app(asked.scope, receive, send)
    return found
