"""The online stores that tests of fresh features run on: SQLite, and a Redis of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.redis_server import running_redis

STORES = ("sqlite", "redis")


@contextmanager
def redis_url(store: str, folder: Path) -> Iterator[str | None]:
    """URL of a Redis that ends with the block; None where ``store`` is SQLite."""
    if store == "sqlite":
        yield None
        return
    with running_redis(folder) as url:
        if url is None:
            pytest.skip("no redis-server here; install Debian's package redis-server")
        yield url
