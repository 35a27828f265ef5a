"""Feast's offline store on the workspace's engine: DuckDB's, or Spark's."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from features.engine import start
from features.spark_engine import SparkEngine, pattern
from features.workspace import Workspace

if TYPE_CHECKING:
    from feast.data_source import DataSource

SPARK_STORE = "features.store.spark_offline.QuotingSparkOfflineStore"


@contextmanager
def offline_engine(workspace: Workspace) -> Iterator[None]:
    """Have Feast's offline store run on an engine of its own for a ``with`` block.

    Raises:
        EngineError: the engine does not start.
    """
    import ibis

    engine = start(workspace)
    # Feast's DuckDB store reads through ibis' default backend, whose session may be in any time
    # zone; its Spark store takes the session that is active.
    before = ibis.options.default_backend
    if isinstance(engine, SparkEngine):
        engine.activate()
    else:
        ibis.options.default_backend = engine.backend
    try:
        yield
    finally:
        ibis.options.default_backend = before
        engine.close()
        shutil.rmtree(_staging(workspace), ignore_errors=True)


def offline_store(workspace: Workspace) -> dict[str, str]:
    """Feast's setting of the offline store."""
    if workspace.engine.name == "spark":
        # Through files, not through pandas: a column without any value keeps its type.
        return {"type": SPARK_STORE, "staging_location": str(_staging(workspace))}
    return {"type": "duckdb"}


def source(workspace: Workspace, view: str, files: Path) -> DataSource:
    """What Feast reads a view from: its ``files``, all moments by ``*``, or those of one moment."""
    if workspace.engine.name == "spark":
        from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource

        return SparkSource(
            name=f"{view} on spark",  # Feast would read the other engine's of the same name as this
            path=f"{pattern(files.parent)}/{files.name}",
            file_format="parquet",
            timestamp_field="feature_time",
        )
    from feast import FileSource
    from feast.data_format import ParquetFormat

    return FileSource(
        name=view,
        path=f"{glob.escape(str(files.parent))}/{files.name}",
        file_format=ParquetFormat(),
        timestamp_field="feature_time",
    )


def lifetime(workspace: Workspace) -> timedelta:
    """How long a row of features stands for its member: for its own moment.

    Each built moment describes every member and item known by then, the lapsed ones too, so nobody
    is dropped. Without a ttl Feast would join every asked row with all older moments before it
    picked one: the work would grow with the square of the moments. Its Spark store counts whole
    seconds, and takes none for no ttl.
    """
    return timedelta(seconds=1) if workspace.engine.name == "spark" else timedelta(microseconds=1)


def _staging(workspace: Workspace) -> Path:
    """Where answers pass through on their way from Spark: a folder of this process alone."""
    return workspace.feast.resolve() / f"staging-{os.getpid()}"
