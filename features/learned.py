"""What trainings leave for features: one file a version, good from a moment on.

A build uses the newest version good by its moment. So what was learned from later events is never
seen earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import ibis
import ibis.expr.types as ir

from features.engine import Engine

_STAMPED = "%Y-%m-%dT%H%M%S.%fZ.parquet"  # so that names are in order of time


def version_path(folder: Path, good_from: datetime) -> Path:
    """Where in ``folder`` the version good from a moment (UTC) on lies."""
    return folder / f"{good_from:{_STAMPED}}"


def version_files(folder: Path) -> list[Path]:
    """One file a version, oldest first."""
    return sorted(folder.glob("*.parquet"))


def good_from(path: Path) -> datetime:
    """The moment from which the version at ``path`` is good."""
    return datetime.strptime(path.name, _STAMPED).replace(tzinfo=UTC)


def every_version(
    engine: Engine, name: str, files: Sequence[Path], schema: ibis.Schema
) -> ir.Table:
    """The rows of all versions, with the column ``good_from``; none where nothing was learned."""
    if not files:
        return engine.empty(name, schema)
    parts = [stored.cast(schema) for stored in engine.read(name, files)]
    return ibis.union(*parts) if len(parts) > 1 else parts[0]


def newest_version(rows: ir.Table, as_of: datetime) -> ir.Table:
    """The rows of the newest version good by ``as_of``."""
    good = rows.filter(rows.good_from <= ibis.literal(as_of))
    newest = good.agg(newest=good.good_from.max())
    return good.join(newest, good.good_from == newest.newest).drop("newest")
