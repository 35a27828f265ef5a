"""What is refused on the connection: whole calls for decisions, and nothing that is in doubt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from serving.door import door, refusal, whole_call
from serving.room import Room
from serving.telemetry import Telemetry

BODY = b'{"push_id":"spring","members":[{"member_id":"m1"}]}'


def call(
    *headers: bytes, body: bytes = BODY, line: bytes = b"POST /v1/decisions HTTP/1.1"
) -> bytes:
    told = (b"Host: x", b"Content-Length: %d" % len(body)) if body else (b"Host: x",)
    return b"\r\n".join((line, *told, *headers, b"", body))


def test_a_whole_call_is_known() -> None:
    assert whole_call(call())
    assert whole_call(call(b"Authorization: Bearer x", b"Content-Type: application/json"))
    assert whole_call(call(body=b"", line=b"GET /v1/decide?push_id=a&member_id=b HTTP/1.1"))


@pytest.mark.parametrize(
    "data",
    [
        call(line=b"POST /v1/events HTTP/1.1"),
        call(line=b"GET /readyz HTTP/1.1", body=b""),
        call(line=b"POST /v1/decisions HTTP/1.0"),
        call(line=b"GET /v1/decide?a=b", body=b""),
        call(b"Transfer-Encoding: chunked"),
        call(b"Connection: close"),
        call(b"Expect: 100-continue"),
        call(b"Content-Length: 3"),
        call(b"X-Content-Length: 3"),
        call(b"X-Folded: a\r\n b"),
        call(b"X-Bare: a\nContent-Type: b"),
        call().replace(b"Content-Length:", b"Content-Length :"),
        call() + b"x",
        call() + call(),
        call()[:-1],
        call()[:40],
        b"",
    ],
)
def test_what_is_in_doubt_is_left_to_the_parser(data: bytes) -> None:
    assert not whole_call(data)


@given(st.integers(0, len(call())))
def test_no_part_of_a_call_passes_for_a_whole_one(length: int) -> None:
    assert whole_call(call()[:length]) == (length == len(call()))


class Wire(asyncio.Transport):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...


async def answering(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"decided"})


def talk(*pieces: bytes, full: bool) -> tuple[list[bytes], Telemetry]:
    """What comes back for ``pieces``, each of which arrives by itself."""

    async def run() -> tuple[list[bytes], Telemetry]:
        room, telemetry, wire = Room(), Telemetry(), Wire()
        while full and room.enter():
            pass
        made = door(room, telemetry)
        assert made is not None
        config = uvicorn.Config(answering, http=made, lifespan="off", log_config=None)
        state = uvicorn.server.ServerState()
        protocol: Any = made(config=config, server_state=state, app_state={})  # type: ignore[call-arg]
        protocol.connection_made(wire)
        for piece in pieces:
            protocol.data_received(piece)
            await asyncio.sleep(0.01)
        protocol._unset_keepalive_if_required()
        return wire.written, telemetry

    return asyncio.run(run())


def test_where_there_is_no_room_a_call_is_refused_with_a_time_to_come_back() -> None:
    written, telemetry = talk(call(), call(), full=True)
    assert written == [refusal()] * 2
    head, _, body = refusal().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: " in head.lower()
    assert json.loads(body)["status"] == 503
    assert b'"overload"} 2.0' in telemetry.exposition()


def test_where_there_is_room_every_call_gets_in() -> None:
    written, _ = talk(call(), call(), full=False)
    assert b"".join(written).count(b"decided") == 2


def test_a_body_that_looks_like_a_call_is_not_answered() -> None:
    inner = call()
    outer = call(body=inner, line=b"POST /v1/events HTTP/1.1")
    written, _ = talk(outer[: -len(inner)], inner, full=True)
    assert b"".join(written).count(b"HTTP/1.1") == 1
    assert b"".join(written).count(b"decided") == 1
