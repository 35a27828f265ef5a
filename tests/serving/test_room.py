"""Beyond what is answered in time, calls are refused at the door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from serving.room import Room

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
