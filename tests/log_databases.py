"""The databases that tests of the log run on: SQLite, and a Postgres of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import Engine, create_engine

from benchmarks.postgres_server import Server, running_postgres
from serving.database import Database
from serving.migrate import migrate

ENGINES = ("sqlite", "postgres")
NONE_HERE = "no Postgres here; install Debian's package postgresql"


@dataclass
class Databases:
    """Makes databases in a server, each with the tables of the newest revision if wanted."""

    server: Server
    admin: Engine
    numbers: Iterator[int] = field(default_factory=count)

    def empty(self) -> Database:
        return self._made("template0")

    def migrated(self) -> Database:
        return self._made("migrated")

    def _made(self, template: str) -> Database:
        name = f"log{next(self.numbers)}"
        with self.admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return Database.named(self.server.database(name))


@contextmanager
def postgres_databases() -> Iterator[Databases | None]:
    """None where there is no Postgres. It does not sync: no test here cuts the power."""
    with running_postgres("-c", "fsync=off", "-c", "max_connections=60") as server:
        if server is None:
            yield None
            return
        # Asked first whether it is still there: tests stop the server and start it again.
        admin = create_engine(
            Database.named(server.url).url,
            isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True,
        )  # fmt: skip
        databases = Databases(server, admin)
        with admin.connect() as connection:
            # A language that sorts otherwise than bytes do: it must not change an answer.
            connection.exec_driver_sql(
                "CREATE DATABASE migrated TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
            )
        migrate(Database.named(server.database("migrated")), datetime.now(UTC))
        yield databases
        admin.dispose()


def some(databases: Databases | None) -> Databases:
    if databases is None:
        pytest.skip(NONE_HERE)
    return databases
