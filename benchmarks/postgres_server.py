"""A Postgres of one's own, on a free port of this machine, for tests and benchmarks."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_USERS = ("postgres", "nobody")  # it refuses to run as root


@dataclass
class Server:
    """``url`` of its first database. It can be stopped and started again, on the same port."""

    folder: Path
    port: int
    password: str
    options: Sequence[str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.database("postgres")

    def database(self, name: str) -> str:
        return f"postgresql://pushwise:{self.password}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        command = [str(_binary("postgres")), "-D", str(self.folder / "data"), "-p", str(self.port),
                   "-c", "listen_addresses=127.0.0.1", "-k", str(self.folder)]  # fmt: skip
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options], stdout=log, stderr=log, user=_user(), cwd=self.folder
            )
        self._until_it_answers()

    def stop(self) -> None:
        """At once, as in a crash: connections break off."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
            self.process = None

    def _until_it_answers(self) -> None:
        ready = [str(_binary("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())


@contextmanager
def running_postgres(*options: str) -> Iterator[Server | None]:
    """A server that ends with the block; None where none is installed.

    Args:
        options: of its command line, such as ``-c fsync=off``.
    """
    if _binary("initdb") is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not below pytest's own folder: another user cannot get in there.
    folder = Path(tempfile.mkdtemp(prefix="pushwise-postgres-"))
    server = Server(folder, port, secrets.token_hex(8), options)
    try:
        _initialise(server)
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _initialise(server: Server) -> None:
    password = server.folder / "password"
    password.write_text(server.password)
    user = _user()
    if user is not None:
        for path in (server.folder, password):
            shutil.chown(path, user)
    command = [str(_binary("initdb")), "-D", str(server.folder / "data"), "-U", "pushwise", "-A",
               "scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "-N"]  # fmt: skip
    done = subprocess.run(
        command, user=user, cwd=server.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _user() -> int | None:
    """Whom the server runs as; None where that is ourselves."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return next(known[name] for name in _USERS if name in known)


def _binary(name: str) -> Path | None:
    """On the path, else where Debian puts it: the newest version."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    return max(versions, key=lambda path: int(path.parts[4].split(".")[0]), default=None)
