"""A call gets what is fresh in the time it has, or is told what is missing."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from features.encoding import Encoding
from features.errors import FeatureError
from features.fresh import FreshRow
from features.fresh_reader import SILENT, Fresh, believed
from serving.breaker import Breaker, Rules
from serving.fresh_source import MOST_MEMBERS, NOTHING, Freshness, NoFresh, ReadFresh, StoreState

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)
ENCODING = Encoding(("last_seen_days", "abandoned_carts_30d"), {})
WITHIN = 0.05
HOUR = {"last_seen_days": 1 / 24}


class Store:
    """A hand-written online store: everybody clicked an hour ago. ``goes``: cleared, it hangs."""

    def __init__(self) -> None:
        self.goes = threading.Event()
        self.goes.set()
        self.broken: Exception | None = None
        self.followed_at: datetime = NOW
        self.asked: list[list[str]] = []
        self.begun = threading.Event()

    def read(self, member_ids: Sequence[str], now: datetime) -> dict[str, Fresh]:
        self.asked.append(list(member_ids))
        self.begun.set()
        self.goes.wait()
        if self.broken is not None:
            raise self.broken
        row = FreshRow(last_click_at=NOW - timedelta(hours=1))
        return {member: believed(row, self.followed_at, now) for member in member_ids}


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.goes.set()


@pytest.fixture
def source(store: Store) -> Iterator[ReadFresh]:
    source = ReadFresh(store, Breaker(Rules(failures=3, pause=60.0)))
    yield source
    source.stop()


def fresh(source: ReadFresh, *members: str, within: float = WITHIN) -> Freshness:
    return asyncio.run(source.fresh(members, ENCODING, NOW, within))


def test_what_is_fresh_goes_before_the_snapshot(source: ReadFresh) -> None:
    assert fresh(source, "m1", "m2", within=5.0) == Freshness({"m1": HOUR, "m2": HOUR})


def test_where_nothing_is_configured_nothing_is_missing() -> None:
    assert asyncio.run(NoFresh().fresh(["m1"], ENCODING, NOW, WITHIN)) == Freshness({})


def test_many_members_are_decided_from_the_snapshot(source: ReadFresh, store: Store) -> None:
    many = [f"m{number}" for number in range(MOST_MEMBERS + 1)]
    assert fresh(source, *many) == NOTHING
    assert fresh(source) == NOTHING
    assert store.asked == []
    assert len(fresh(source, *many[:-1], within=5.0).values) == MOST_MEMBERS


def test_a_silent_follower_is_told(source: ReadFresh, store: Store) -> None:
    store.followed_at = NOW - SILENT - timedelta(seconds=1)
    assert fresh(source, "m1", within=5.0) == Freshness({"m1": HOUR}, ("features_late",))


def test_who_watches_is_told_how_the_store_does(source: ReadFresh, store: Store) -> None:
    assert NoFresh().state() is None
    assert source.state() == StoreState("closed", None)
    store.followed_at = NOW - timedelta(seconds=7)
    fresh(source, "m1", within=5.0)
    assert source.state() == StoreState("closed", 7.0)
    store.broken = FeatureError("away")
    for _ in range(3):
        fresh(source, "m1", within=5.0)
    assert source.state() == StoreState("open", 7.0)


@pytest.mark.parametrize("broken", [FeatureError("away"), KeyError("what Feast may raise")])
def test_a_store_that_fails_is_left_alone_after_a_while(
    source: ReadFresh, store: Store, broken: Exception
) -> None:
    store.broken = broken
    for _ in range(10):
        assert fresh(source, "m1", within=5.0) == Freshness({}, ("features_unavailable",))
    assert len(store.asked) == 3


def test_the_last_known_values_stand_in(source: ReadFresh, store: Store) -> None:
    fresh(source, "m1", within=5.0)
    store.broken = FeatureError("away")
    assert fresh(source, "m1", "m2", within=5.0) == Freshness(
        {"m1": HOUR}, ("features_unavailable", "features_last_known")
    )
    source.forget("m1")
    assert fresh(source, "m1", within=5.0) == Freshness({}, ("features_unavailable",))


def test_a_store_that_hangs_holds_one_thread_and_no_call(source: ReadFresh, store: Store) -> None:
    store.goes.clear()
    before = threading.active_count()
    for _ in range(200):
        assert fresh(source, "m1").degraded == ("features_late",)
    assert threading.active_count() <= before
    assert len(store.asked) == 1


def test_what_came_too_late_is_last_known_to_the_next_call(source: ReadFresh, store: Store) -> None:
    store.goes.clear()
    assert fresh(source, "m1") == Freshness({}, ("features_late",))
    store.goes.set()
    until(lambda: fresh(source, "m1", within=5.0) == Freshness({"m1": HOUR}))
    store.broken = FeatureError("away")
    assert fresh(source, "m1").values == {"m1": HOUR}


def test_a_member_erased_while_being_read_is_not_kept(source: ReadFresh, store: Store) -> None:
    store.goes.clear()
    fresh(source, "m1")
    source.forget("m1")
    store.goes.set()
    until(lambda: fresh(source, "m2", within=5.0) == Freshness({"m2": HOUR}))
    store.broken = FeatureError("away")
    assert fresh(source, "m1").values == {}


def test_calls_that_come_during_a_read_share_the_next(source: ReadFresh, store: Store) -> None:
    async def ask(*members: str) -> Freshness:
        return await source.fresh(members, ENCODING, NOW, 5.0)

    async def together() -> list[Freshness]:
        store.goes.clear()
        first = asyncio.create_task(ask("m1"))
        await asyncio.to_thread(store.begun.wait)
        later = [asyncio.create_task(ask("m2", f"m{number}")) for number in range(3, 9)]
        await asyncio.sleep(0)
        store.goes.set()
        return await asyncio.gather(first, *later)

    answers = asyncio.run(together())
    assert [set(answer.values) for answer in answers[:2]] == [{"m1"}, {"m2", "m3"}]
    assert store.asked == [["m1"], [f"m{number}" for number in range(2, 9)]]


def test_a_call_without_time_blames_nobody(source: ReadFresh, store: Store) -> None:
    for _ in range(20):
        assert fresh(source, "m1", within=0.0).degraded[0] == "features_late"
    assert fresh(source, "m2", within=5.0) == Freshness({"m2": HOUR})


def test_a_call_that_is_cancelled_leaves_the_others_their_answer(
    source: ReadFresh, store: Store
) -> None:
    async def two() -> Freshness:
        store.goes.clear()
        asks: Callable[[], Awaitable[Freshness]] = lambda: source.fresh(  # noqa: E731 - twice
            ["m1"], ENCODING, NOW, 5.0
        )
        gone, stays = asyncio.ensure_future(asks()), asyncio.ensure_future(asks())
        await asyncio.to_thread(store.begun.wait)
        gone.cancel()
        await asyncio.sleep(0)
        store.goes.set()
        return await stays

    assert math.isclose(asyncio.run(two()).values["m1"]["last_seen_days"], 1 / 24)


def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to hold")
