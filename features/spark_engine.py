"""Spark: the same expressions on as many machines as its master has.

The workspace must lie where the driver and every executor can read and write it. A feature file is
written by one task, since Feast, DuckDB and pandas read it as one file.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import ibis
import ibis.expr.types as ir

from features.engine import EngineError, EngineSettings

if TYPE_CHECKING:
    from ibis.backends.pyspark import Backend
    from pyspark.sql import DataFrame, SparkSession

    from features.workspace import Workspace

# Of every session of ours, also on a Spark that somebody else started.
_SQL = {
    "spark.sql.session.timeZone": "UTC",
    # What does not fit its type is an error, as in DuckDB: it would wrap or turn into null.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """A session of its own on the Spark of this process; see ``features.engine.Engine``.

    kept: what is cached by name, to be let go of.
    """

    backend: Backend
    session: SparkSession
    kept: dict[str, DataFrame] = field(default_factory=dict)

    @classmethod
    def start(cls, workspace: Workspace) -> Self:
        """A new session: its own views and settings, the executors of the running Spark, if any.

        Raises:
            EngineError: pyspark or Java is missing, or Spark does not start.
        """
        # Errors are raised; beside that, pyspark would print each with its Java stack.
        logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
        session = _running(workspace.engine, workspace.root / "spark.log").newSession()
        for name, value in _SQL.items():
            session.conf.set(name, value)
        context = session.sparkContext
        if context.master.startswith("local"):
            # Spark's 200 are for clusters: on a few cores most of the time would go to empty tasks.
            session.conf.set("spark.sql.shuffle.partitions", str(2 * context.defaultParallelism))
        return cls(ibis.pyspark.connect(session), session)

    def read(self, name: str, files: Sequence[Path]) -> Sequence[ir.Table]:
        from pyarrow import parquet

        shapes: dict[str, list[Path]] = {}
        for path in files:
            columns = parquet.read_schema(path).remove_metadata()
            shapes.setdefault(str(columns), []).append(path)
        tables = []
        for number, alike in enumerate(shapes.values()):
            view = f"{name}_{number}"
            frame = self.session.read.parquet(*(pattern(path) for path in alike))
            frame.createOrReplaceTempView(view)
            tables.append(self.backend.table(view))
        return tables

    def empty(self, name: str, schema: ibis.Schema) -> ir.Table:
        from ibis.backends.pyspark.datatypes import PySparkSchema

        frame = self.session.createDataFrame([], PySparkSchema.from_ibis(schema))
        frame.createOrReplaceTempView(name)
        return self._view(name, schema)

    def keep(self, name: str, table: ir.Table) -> ir.Table:
        view = f"kept_{name}"
        frame = self._frame(table).persist()
        frame.createOrReplaceTempView(view)
        before = self.kept.pop(name, None)
        if before is not None:
            before.unpersist()
        self.kept[name] = frame
        return self._view(view, table.schema())

    def write(self, table: ir.Table, path: Path) -> int:
        from pyarrow import parquet

        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            self._frame(table).coalesce(1).write.parquet(_url(unfinished))
            (part,) = unfinished.glob("part-*.parquet")
            with part.open("rb") as file:
                os.fsync(file.fileno())
            rows = int(parquet.read_metadata(part).num_rows)
            part.replace(path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return rows

    def activate(self) -> None:
        """Make this session the one that whoever asks Spark for its active session gets."""
        self.session.createDataFrame([], "nothing string")

    def close(self) -> None:
        for frame in self.kept.values():
            frame.unpersist()
        self.kept.clear()

    def _frame(self, table: ir.Table) -> DataFrame:
        # As ibis' own execute: tables that are in Python's memory become views first.
        self.backend._run_pre_execute_hooks(table)
        return self.session.sql(self.backend.compile(table))

    def _view(self, view: str, schema: ibis.Schema) -> ir.Table:
        """A temporary view in the types that Ibis knows; Spark's own are the same but for names."""
        table = self.backend.table(view)
        return table.select(**{name: table[name].cast(kind) for name, kind in schema.items()})


def _running(settings: EngineSettings, log: Path) -> SparkSession:
    """The Spark of this process, started unless it runs."""
    if find_spec("pyspark") is None:
        raise EngineError(
            "engine is spark, but pyspark is not installed; run pip install -r "
            "requirements/spark.txt, or leave engine at duckdb"
        )
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    if not _java():
        raise EngineError(
            "engine is spark, but there is no java on the path and JAVA_HOME names none; install "
            "Java 17 or later (Debian: apt-get install default-jre-headless)"
        )
    with _environment(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Spark's own Python, as it starts
        try:
            context = SparkContext._active_spark_context or _launch(settings, log)
            return SparkSession(context)
        except Exception as error:  # py4j and pyspark share no base error
            raise EngineError(
                f"Spark does not start on {settings.spark_master}: "
                f"{str(error).strip().splitlines()[0]}; its own words are in {log}"
            ) from error


def _launch(settings: EngineSettings, log: Path) -> Any:
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway

    conf = SparkConf().setMaster(settings.spark_master).setAppName("pushwise")
    conf.set("spark.ui.enabled", "false").set("spark.ui.showConsoleProgress", "false")
    if settings.spark_master.startswith("local"):
        conf.set("spark.driver.bindAddress", "127.0.0.1").set("spark.driver.host", "127.0.0.1")
        conf.set("spark.driver.memory", _heap(settings.memory_limit))
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as words:  # stderr is for progress and errors
        gateway = launch_gateway(conf, popen_kwargs={"stderr": words, "stdout": words})
    context = SparkContext(conf=conf, gateway=gateway)
    context.setLogLevel("ERROR")
    return context


def _java() -> bool:
    home = os.environ.get("JAVA_HOME")
    return bool(shutil.which("java", path=f"{home}/bin" if home else None))


def _heap(memory_limit: str) -> str:
    """2GB and 2GiB as Java writes them: 2g."""
    size = re.fullmatch(r"(\d+)\s*([MGT])i?B", memory_limit)
    if size is None:
        raise EngineError(f"memory_limit is {memory_limit!r}, wanted such as 2GB or 500MB")
    return f"{size[1]}{size[2].lower()}"


@contextmanager
def _environment(settings: EngineSettings) -> Iterator[None]:
    """What Spark reads from the environment as it starts, and only then."""
    wanted = {"PYSPARK_PYTHON": sys.executable}
    if settings.spark_master.startswith("local"):
        wanted["SPARK_LOCAL_IP"] = "127.0.0.1"
    added: Mapping[str, str] = {k: v for k, v in wanted.items() if k not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _url(path: Path) -> str:
    return f"file:{path.resolve()}"


def pattern(path: Path) -> str:
    """The path for reading, where Spark would take ``[a]`` or ``*`` in it for a pattern."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", _url(path))
