"""Refuses calls for decisions on the connection itself while there is no room inside.

``serving.admission`` refuses them, too, but by then a task was started and a request built, which
costs a good part of an answer: at three times what a scorer can do, refusing alone would take most
of its time. Here, a call that came whole in one piece is answered with bytes made beforehand.
"""

from __future__ import annotations

import asyncio
import re

from serving.errors import Overloaded
from serving.problems import problem_response
from serving.room import Room
from serving.telemetry import Telemetry

_ASKED = (b"POST /v1/decisions HTTP/1.1\r\n", b"POST /v1/decide HTTP/1.1\r\n", b"GET /v1/decide?")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,8})\r\n")
# What says how a message ends or goes on, other than its length: the parser's business.
_OTHERWISE = (
    b"\r\ntransfer-encoding", b"\r\nconnection", b"\r\nexpect", b"\r\nupgrade", b"\r\n ", b"\r\n\t",
)  # fmt: skip


def whole_call(data: bytes) -> bool:
    """Whether ``data`` is one call for decisions, from its first byte to its last.

    In doubt it is not: who is wrong about where a message ends answers the wrong one.
    """
    if not data.startswith(_ASKED):
        return False
    end = data.find(b"\r\n\r\n")
    head = data[: end + 2].lower()
    if (
        end < 0
        or head.count(b"\n") != head.count(b"\r\n")
        or any(one in head for one in _OTHERWISE)
    ):
        return False
    lengths = head.count(b"content-length")
    if data.startswith(b"GET "):
        return not lengths and len(data) == end + 4 and b" http/1.1\r\n" in head
    found = _LENGTH.search(head)
    return lengths == 1 and found is not None and len(data) == end + 4 + int(found[1])


def refusal() -> bytes:
    """The whole answer."""
    answer = problem_response(Overloaded())
    headers = b"".join(b"%s: %s\r\n" % one for one in answer.raw_headers)
    return b"HTTP/1.1 503 Service Unavailable\r\n%s\r\n%s" % (headers, bytes(answer.body))


def door(room: Room, telemetry: Telemetry) -> type[asyncio.Protocol] | None:
    """uvicorn's protocol with the door before it; None where httptools is not installed."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return None
    answer = refusal()

    class Door(HttpToolsProtocol):
        between = True  # no message has begun that has not ended

        def data_received(self, data: bytes) -> None:
            if not (self.between and room.full and self._idle() and whole_call(data)):
                super().data_received(data)
                return
            telemetry.refused("overload")
            self._unset_keepalive_if_required()
            self.transport.write(answer)
            self.on_response_complete()

        def _idle(self) -> bool:
            answered = self.cycle is None or self.cycle.response_complete
            return answered and not self.pipeline and not self.transport.is_closing()

        def on_message_begin(self) -> None:
            self.between = False
            super().on_message_begin()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self.between = True

    return Door
