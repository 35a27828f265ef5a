"""The engine that runs the feature expressions: DuckDB in this process, or Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from features.errors import FeatureError

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

    from features.workspace import Workspace

EngineName = Literal["duckdb", "spark"]


class EngineError(FeatureError):
    """The engine asked for cannot run here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which engine, and what it may use. Both give the same tables.

    memory_limit: a whole number with MB, GB or TB. What DuckDB holds in memory before it spills
        into the workspace; on a ``local`` Spark the heap of its one process.
    spark_master: where Spark runs, as Spark writes it. A Spark session that is already running in
        this process is used as it is, whatever its master.
    """

    name: EngineName = "duckdb"
    memory_limit: str = "2GB"
    spark_master: str = "local[*]"


BY_DEFAULT = EngineSettings()


class Engine(Protocol):
    """A running engine. Everything it is given and gives back is lazy until asked for.

    backend: the Ibis backend, whose session speaks UTC.
    """

    @property
    def backend(self) -> Any: ...

    def read(self, name: str, files: Sequence[Path]) -> Sequence[ir.Table]:
        """The rows of Parquet files: a table for each set of columns, at least one."""

    def empty(self, name: str, schema: ibis.Schema) -> ir.Table:
        """A table without rows."""

    def keep(self, name: str, table: ir.Table) -> ir.Table:
        """``table`` computed once, under ``name`` (replacing what was kept there); gone at the end.

        Whatever still refers to a table kept earlier under the same name must not be used again.
        """

    def write(self, table: ir.Table, path: Path) -> int:
        """Write ``table`` as one Parquet file; a reader sees the old file or the new one.

        Returns the rows written.
        """

    def close(self) -> None:
        """Let go of what was kept. The engine is not used again."""


def start(workspace: Workspace) -> Engine:
    """The engine of the workspace's settings, running.

    Raises:
        EngineError: Spark was asked for where pyspark or Java is missing, or it does not start.
    """
    if workspace.engine.name == "spark":
        from features.spark_engine import SparkEngine

        return SparkEngine.start(workspace)
    from features.duckdb_engine import DuckDBEngine

    return DuckDBEngine.start(workspace)
