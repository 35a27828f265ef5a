"""The online stores that tests of fresh features run on: SQLite, and a Redis of their own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

STORES = ("sqlite", "redis")


@contextmanager
def redis_url(store: str, folder: Path) -> Iterator[str | None]:
    """URL of a Redis that ends with the block; None where ``store`` is SQLite."""
    if store == "sqlite":
        yield None
        return
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server here; install Debian's package redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
    try:
        _until_it_listens(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def _until_it_listens(port: int) -> None:
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("redis-server does not listen")
