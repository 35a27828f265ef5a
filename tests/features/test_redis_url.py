"""The Redis of the settings, as Feast wants to hear of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import FeatureError
from features.store.fresh import online_fresh
from features.store.redis_url import connection_string
from features.store.repo import StoreError
from features.workspace import Workspace


@pytest.mark.slow  # the client tries again for seconds before it gives up
def test_a_redis_that_is_not_there_is_told(tmp_path: Path) -> None:
    nobody = Workspace(tmp_path, redis_url="redis://127.0.0.1:9/0")
    with online_fresh(nobody) as store, pytest.raises(StoreError, match="does not answer"):
        store.read(["m1"], datetime.now(UTC))


def test_a_redis_url_as_feast_writes_it() -> None:
    timeouts = "socket_timeout=5,socket_connect_timeout=5"
    assert connection_string("redis://cache") == f"cache:6379,db=0,{timeouts}"
    assert connection_string("rediss://me:12%3D3@cache:7000/2") == (
        f'cache:7000,db=2,{timeouts},ssl=true,username="me",password="12=3"'
    )


@pytest.mark.parametrize(
    "url", ["cache:6379", "http://cache", "redis://", "redis://cache/x", "redis://u:a,b@cache"]
)
def test_another_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(FeatureError, match="wanted redis://") as refused:
        connection_string(url)
    assert "a,b" not in str(refused.value)
