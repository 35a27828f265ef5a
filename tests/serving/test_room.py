"""Beyond what is answered in time, calls are refused at the door."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from serving.room import Room
from tests.serving.asgi_calls import JSON, Answer, Asked, answer

if TYPE_CHECKING:
    from tests.serving.conftest import Scored


def test_a_full_room_refuses_with_a_time_to_come_back(caller: Scored) -> None:
    room = caller.parts.room
    while room.enter():
        pass
    body = {"push_id": "spring", "members": [{"member_id": "a"}]}
    refused = caller.client.post("/v1/decisions", json=body)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["type"] == "urn:pushwise:problem:overloaded"
    assert caller.client.get("/livez").status_code == 200, "only decisions wait for room"
    assert 'pushwise_refused_calls_total{why="overload"} 1.0' in caller.client.get("/metrics").text
    room.leave()
    assert caller.client.post("/v1/decisions", json=body).status_code == 200
    assert caller.client.post("/v1/decisions", json=body).status_code == 200


@given(st.lists(st.floats(0, 3), max_size=2_000))
def test_room_stays_within_its_bounds_whatever_calls_take(shares: list[float]) -> None:
    room = Room()
    for share in shares:
        room.took(share)
        assert 8 <= room.most <= 1_024


def test_room_shrinks_where_calls_are_late_and_grows_back_where_a_full_room_is_quick() -> None:
    room = Room()
    for _ in range(2_000):
        room.took(0.9)
    assert room.most == 8
    for _ in range(300):
        while room.enter():
            pass
        room.took(0.1)
    assert room.most > 16


def test_an_idle_room_does_not_grow() -> None:
    room = Room()
    for _ in range(1_000):
        room.took(0.1)
    assert room.most == 64


def test_bodies_that_never_end_take_nobodys_room(caller: Scored) -> None:
    one = Asked("POST", "/v1/decisions", [b'{"push_id"'], ends=False)
    flat = [(b"authorization", caller.client.headers["authorization"].encode())]
    whole = Asked("GET", "/v1/decide", headers=flat, query=b"push_id=spring&member_id=a")

    async def besieged() -> Answer:
        slow = [asyncio.ensure_future(answer(caller.client.app, one)) for _ in range(200)]
        await asyncio.sleep(0.05)
        found = await answer(caller.client.app, whole)
        for call in slow:
            call.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return found

    assert asyncio.run(besieged()).status == 200
    assert not caller.parts.room.full


def test_who_was_read_while_the_room_filled_is_refused(caller: Scored) -> None:
    room, told = caller.parts.room, list[Message]()
    headers = [*JSON, (b"authorization", caller.client.headers["authorization"].encode())]

    async def receive() -> Message:
        while room.enter():
            pass
        body = b'{"push_id": "spring", "members": [{"member_id": "a"}]}'
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    scope = Asked("POST", "/v1/decisions", headers=headers).scope
    asyncio.run(caller.client.app(scope, receive, send))  # type: ignore[arg-type]
    assert told[0]["status"] == 503
    assert (b"retry-after", b"1") in told[0]["headers"]
    assert caller.log.decided("spring", ["a"]) == {}
