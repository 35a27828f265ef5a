"""A feature registry that breaks, and everybody who still asks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from features.workspace import Workspace

if TYPE_CHECKING:
    from feast import FeatureStore


@contextmanager
def broken_registry(workspace: Workspace, store: FeatureStore) -> Iterator[list[str]]:
    """A day later the registry is no database any more; the statements that are sent to it."""
    path = workspace.feast / "registry.db"
    content = path.read_bytes()
    statements: list[str] = []

    def sent(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if Path(connection.engine.url.database or "") == path:  # others of this process go on
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", sent)
    store.registry.cached_registry_proto_created -= timedelta(days=1)
    path.write_bytes(b"no registry any more" * 1000)
    try:
        yield statements
    finally:
        path.write_bytes(content)
        event.remove(Engine, "before_cursor_execute", sent)
