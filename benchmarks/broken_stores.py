"""Online stores that misbehave as networks and disks do, for tests and benchmarks."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

Mode = Literal["through", "delayed", "reset"]
DELAY_SECONDS = 5.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds


class Proxy:
    """Stands between a client and a Redis on loopback.

    mode: ``through`` passes everything on; ``delayed`` answers five seconds late; ``reset`` resets
    every connection at its next word.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._open: list[socket.socket] = []
        self.mode: Mode = "through"
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def close(self) -> None:
        """Be gone: connections end, new ones are refused."""
        self._ended.set()
        # Wakes the thread that accepts; closing alone would leave the port open until then.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(
                    target=self._pass_on, args=(source, target, client), daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, client: socket.socket) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65_536):
                if self.mode == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                    return
                if self.mode == "delayed" and source is not client:
                    self._ended.wait(DELAY_SECONDS)
                target.sendall(data)


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """A proxy before the Redis at ``url`` for the length of a ``with`` block."""
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.close()


# What a process that stopped in the middle of recovering the log of an SQLite file holds: all eight
# locks of the shared memory beside it. A reader waits for its busy timeout, then gives up.
_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process holds an SQLite file in WAL mode for itself. The file is open somewhere."""
    memory = database.with_name(f"{database.name}-shm")
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(memory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        if holder.stdout is None or holder.stdout.readline() != b"held\n":
            raise AssertionError("the file could not be locked")
        yield
    finally:
        holder.communicate()
