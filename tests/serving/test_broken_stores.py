"""Real online stores that are slow, broken, locked or gone: every call is answered and marked."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.broken_stores import Proxy, locked, proxied
from benchmarks.redis_server import running_redis
from features.encoding import Encoding
from features.fresh import FreshRow
from features.store.fresh import fresh_for_reading, online_fresh
from features.store.repo import StoreError
from features.workspace import Workspace
from serving.breaker import Breaker, Rules
from serving.fresh_source import Freshness, ReadFresh

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
ENCODING = Encoding(("last_seen_days",), {})
WITHIN = 0.02
CALLS = 1_000
MARKS = {"features_late", "features_unavailable"}


def stored(workspace: Workspace) -> Workspace:
    with online_fresh(workspace) as store:
        store.push({"m1": FreshRow(last_click_at=NOW - timedelta(hours=1))}, NOW)
        store.alive(NOW)
    return workspace


@contextmanager
def reading(workspace: Workspace) -> Iterator[ReadFresh]:
    """The workspace's source, which has read ``m1`` once."""
    with fresh_for_reading(workspace) as reader:
        reader.read(["warm-up"], NOW)
        source = ReadFresh(reader, Breaker(Rules(pause=0.1, longest=0.2)))
        assert math.isclose(ask(source, 1, 5.0)[0].values["m1"]["last_seen_days"], 1 / 24)
        yield source
        source.stop()


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return stored(Workspace(tmp_path_factory.mktemp("sqlite")))


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("redis")
    with running_redis(folder) as url:
        if url is None:
            pytest.skip("no redis-server here; install Debian's package redis-server")
        yield stored(Workspace(folder, redis_url=url))


@pytest.fixture
def proxy(redis: Workspace) -> Iterator[Proxy]:
    assert redis.redis_url is not None
    with proxied(redis.redis_url) as proxy:
        yield proxy


def ask(source: ReadFresh, calls: int, within: float = WITHIN) -> list[Freshness]:
    """Calls one after another: every second of a member of whom nothing was ever read."""

    async def all_of_them() -> list[Freshness]:
        members = [["m1"] if number % 2 == 0 else [f"new{number}"] for number in range(calls)]
        return [await source.fresh(one, ENCODING, NOW, within) for one in members]

    return asyncio.run(all_of_them())


def check_marked(source: ReadFresh) -> None:
    began = time.monotonic()
    answers = ask(source, CALLS)
    assert time.monotonic() - began < CALLS * WITHIN, "calls do not wait for what is known to hang"
    assert len(answers) == CALLS
    assert all(MARKS & set(answer.degraded) for answer in answers)
    found = Counter(answer.degraded[1:] for answer in answers if answer.values)
    assert found == {("features_last_known",): CALLS // 2}


@pytest.mark.parametrize("mode", ["delayed", "reset"])
def test_a_redis_that_is_slow_or_resets(redis: Workspace, proxy: Proxy, mode: str) -> None:
    with reading(replace(redis, redis_url=proxy.url)) as source:
        proxy.mode = "delayed" if mode == "delayed" else "reset"
        check_marked(source)
        proxy.mode = "through"
        until_sound(source)


def test_a_redis_that_is_gone(redis: Workspace, proxy: Proxy) -> None:
    with reading(replace(redis, redis_url=proxy.url)) as source:
        proxy.close()
        check_marked(source)


def test_a_file_that_another_process_has_locked(sqlite: Workspace) -> None:
    with reading(sqlite) as source:
        with locked(sqlite.feast / "online.db"):
            check_marked(source)
        until_sound(source)


def until_sound(source: ReadFresh) -> None:
    for _ in range(200):
        if ask(source, 1, 0.2)[0].degraded == ():
            return
        time.sleep(0.1)
    raise AssertionError("the source never recovered")


def test_a_workspace_without_a_store_says_so(tmp_path: Path) -> None:

    with (
        pytest.raises(StoreError, match="no feature store is in"),
        fresh_for_reading(Workspace(tmp_path)),
    ):
        pass
