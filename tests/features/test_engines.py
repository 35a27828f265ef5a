"""Spark, with more than one executor, gives what DuckDB gives."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from console.settings import SettingsError, load_settings, load_workspace
from features.build import build_features
from features.engine import EngineSettings
from features.pairs import pair_frame
from features.quality import Limits, quality
from features.record import BuildRecord, view_file
from features.rolled import NAMES
from features.store import export_snapshot, materialize, online_row, training_frame
from features.tables import opened
from features.views import TASTE, VIEWS
from features.workspace import Workspace
from tests.features.given import AS_OF, ago
from tests.features.rich_shop import rich_shop

SPARK = EngineSettings("spark", spark_master="local-cluster[2,1,1024]")
MOMENTS = (ago(35.4), AS_OF)  # days that end at no midnight, and days that do


@dataclass(frozen=True)
class Both:
    """The same shop, built by each engine."""

    duckdb: Workspace
    spark: Workspace


# Thousands of small queries: most of the time would go to compiling Java ever better.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSettings]:
    """Two executors, a process each, for all tests of this file."""
    if find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed; `.ci/setup tests` installs it")
    if not shutil.which("java", path=_java_path()):
        pytest.skip("no Java: Debian's default-jre-headless, or JAVA_HOME")
    from pyspark.sql import SparkSession

    conf = tmp_path_factory.mktemp("spark")
    options = [f"spark.{of}.extraJavaOptions {QUICK_JAVA}\n" for of in ("driver", "executor")]
    (conf / "spark-defaults.conf").write_text("".join(options))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(conf))
        yield SPARK
    session = SparkSession.getActiveSession()
    if session is not None:
        session.stop()


def _java_path() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return f"{home}/bin" if home else None


@pytest.fixture(scope="module")
def both(cluster: EngineSettings, tmp_path_factory: pytest.TempPathFactory) -> Both:
    # Spark reads patterns into paths, and both read quotes into SQL.
    root = tmp_path_factory.mktemp("it's [two] engines")
    duckdb = rich_shop(Workspace(root / "duckdb"))
    shutil.copytree(duckdb.root, root / "spark")
    spark = replace(duckdb, root=root / "spark", engine=cluster)
    for workspace in (duckdb, spark):
        build_features(workspace, MOMENTS)
    return Both(duckdb, spark)


@pytest.mark.slow
@pytest.mark.parametrize("view", [*(view.name for view in VIEWS), TASTE])
def test_every_view_is_the_same_on_spark(both: Both, view: str) -> None:
    for as_of in MOMENTS:
        wanted, found = (
            pq.read_table(view_file(workspace, view, as_of)).drop(["created"])
            for workspace in (both.duckdb, both.spark)
        )
        assert found.column_names == wanted.column_names
        assert found.schema.types == wanted.schema.types
        assert len(wanted) > 2
        assert_same(wanted.to_pandas(), found.to_pandas())


@pytest.mark.slow
def test_both_engines_have_the_same_views_and_columns(both: Both) -> None:
    wanted, found = (BuildRecord.load(workspace) for workspace in (both.duckdb, both.spark))
    assert (found.columns, found.absent) == (wanted.columns, wanted.absent)
    assert {as_of: built.rows for as_of, built in found.moments.items()} == {
        as_of: built.rows for as_of, built in wanted.moments.items()
    }


@pytest.mark.slow
def test_more_than_one_executor_took_part(both: Both) -> None:
    from pyspark import SparkContext

    executors = SparkContext.getOrCreate()._jsc.sc().statusStore().executorList(True)
    done = {
        executors.apply(place).id(): executors.apply(place).completedTasks()
        for place in range(executors.size())
    }
    workers = {name: tasks for name, tasks in done.items() if name != "driver"}
    assert len(workers) == 2
    assert min(workers.values()) > 50


@pytest.mark.slow
def test_what_spark_rolled_up_is_kept_for_the_next_build(both: Both) -> None:
    taken = [
        json.loads((of.features / "rolled" / "taken.json").read_text())
        for of in (both.duckdb, both.spark)
    ]
    assert taken[0]["definitions"] == taken[1]["definitions"]
    assert list(taken[0]["parts"]) == list(taken[1]["parts"]) != []
    for name in NAMES:
        wanted, found = (
            pq.read_table(of.features / "rolled" / name).to_pylist()
            for of in (both.duckdb, both.spark)
        )
        assert sorted(map(repr, found)) == sorted(map(repr, wanted))


@pytest.mark.slow
def test_money_is_added_up_to_the_last_decimal_on_spark(both: Both) -> None:
    totals: list[Decimal] = []
    for workspace in (both.duckdb, both.spark):
        with opened(workspace) as tables:
            assert (tables.engine.backend.name == "pyspark") == (workspace is both.spark)
            totals.append(tables.events.unit_price.sum().execute())
    assert totals[0] == totals[1]
    assert totals[0] % 1 != 0
    assert totals[0] > 10**10


@pytest.mark.slow
@pytest.mark.parametrize("service", ["member", "item", "offer"])
def test_training_frames_are_the_same_on_spark(both: Both, service: str) -> None:
    key = f"{service}_id"
    view = {"member": "purchases", "item": "popularity", "offer": "offers"}[service]
    ids = pq.read_table(view_file(both.duckdb, view, AS_OF), columns=[key])[key].to_pylist()
    rows = pd.DataFrame(
        {
            "row_id": range(4 * len(ids)),
            key: (ids + ["nobody"] * len(ids)) * 2,  # some ask twice
            "as_of": [ago(35.4), ago(0.5), AS_OF, ago(-3)] * len(ids),
        }
    ).sample(frac=1, random_state=1)
    wanted = training_frame(both.duckdb, service, rows)
    found = training_frame(both.spark, service, rows)
    assert len(found) == len(rows)
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-9)
    # The store itself, not only what was built: Spark's over the files of DuckDB.
    over = training_frame(replace(both.duckdb, engine=both.spark.engine), service, rows)
    pd.testing.assert_frame_equal(over, wanted, rtol=0)
    training_frame(both.duckdb, service, rows)  # and back


@pytest.mark.slow
def test_pairs_are_the_same_on_spark(both: Both) -> None:
    pairs = [(f"m{number:02d}", offer) for number in range(40) for offer in ("coupon", "ü", "no")]
    rows = pd.DataFrame(pairs, columns=["member_id", "offer_id"])
    rows = rows.assign(row_id=range(len(rows)), as_of=[MOMENTS[n % 2] for n in range(len(rows))])
    wanted, found = (pair_frame(workspace, rows) for workspace in (both.duckdb, both.spark))
    assert wanted["scope_interest"].gt(0).any()
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-9)


@pytest.mark.slow
def test_snapshots_and_online_rows_are_the_same_on_spark(both: Both) -> None:
    wanted, found = (export_snapshot(workspace, AS_OF) for workspace in (both.duckdb, both.spark))
    assert found.encoding == wanted.encoding
    assert (found.member_ids == wanted.member_ids).all()
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-6)
    for workspace in (both.duckdb, both.spark):
        materialize(workspace, AS_OF)
    rows = [online_row(workspace, "member", "zoë") for workspace in (both.duckdb, both.spark)]
    assert list(rows[0]) == list(rows[1])
    for name, value in rows[0].items():
        assert rows[1][name] == (
            value if isinstance(value, str | None) else pytest.approx(value, rel=1e-9, nan_ok=True)
        )
    assert rows[0]["lifecycle"] is not None


@pytest.mark.slow
def test_reports_are_the_same_on_spark(both: Both) -> None:
    wanted, found = (
        quality(workspace, AS_OF, MOMENTS[:1], Limits()) for workspace in (both.duckdb, both.spark)
    )
    assert found.feeds == wanted.feeds
    assert wanted.feeds[0].rows > 100
    assert [of.subject for of in found.findings] == [of.subject for of in wanted.findings]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:toPandas attempted Arrow")  # told before the error is raised
def test_a_sum_that_does_not_fit_is_an_error_on_spark(both: Both) -> None:
    from pyspark.errors import PySparkException

    with opened(both.spark) as tables:
        most = tables.members.visits.fill_null(1).cast("int64") * (2**62)
        with pytest.raises(PySparkException, match="OVERFLOW"):
            most.sum().execute()


@pytest.mark.slow
def test_what_was_kept_is_let_go(both: Both) -> None:
    from pyspark import SparkContext

    with opened(both.spark) as tables:
        kept = tables.engine.keep("members", tables.members)
        assert kept.schema() == tables.members.schema()
        assert kept.count().execute() == tables.members.count().execute()
        assert SparkContext.getOrCreate()._jsc.getPersistentRDDs()
    assert not SparkContext.getOrCreate()._jsc.getPersistentRDDs()


def assert_same(wanted: pd.DataFrame, found: pd.DataFrame) -> None:
    """Equal rows; numbers that are whole or money exactly, others to nine digits."""
    key = wanted.columns[0]
    wanted, found = (frame.set_index(key).sort_index() for frame in (wanted, found))
    assert found.index.equals(wanted.index)
    for name in wanted.columns:
        exact = not pd.api.types.is_float_dtype(wanted[name]) or _is_money(wanted[name])
        pd.testing.assert_series_equal(
            found[name], wanted[name], check_exact=exact, rtol=1e-9, atol=1e-12
        )


def _is_money(column: pd.Series[Any]) -> bool:
    """Whether every number has at most four decimals, so that it is a count or money."""
    given = column.dropna().to_numpy()
    given = given[np.abs(given) < 2.0**53]
    return bool((np.round(given, 4) == given).all())


def pushwise(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = "import sys; sys.modules.update(PYSPARK); from console.main import main; main()"
    gone = environment.pop("without_pyspark", "")
    command = command.replace("PYSPARK", "{'pyspark': None}" if gone else "{}")
    return subprocess.run(
        [sys.executable, "-c", command, *arguments],
        env={**os.environ, "PUSHWISE_ENGINE": "spark", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"without_pyspark": "yes"}, "pyspark is not installed; run pip install"),
        ({"JAVA_HOME": "/nowhere"}, "no java .* install Java 17 or later"),
    ],
    ids=["pyspark", "java"],
)
def test_what_is_missing_is_told_in_one_line(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    if find_spec("pyspark") is None and "JAVA_HOME" in environment:
        pytest.skip("pyspark is not installed; `.ci/setup tests` installs it")
    ended = pushwise(
        "features", "build", "--as-of", "2026-05-01", "--workspace", str(tmp_path), **environment
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert re.search(told, line)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PUSHWISE_ENGINE", "flink", "setting engine in .*: Input should be 'duckdb' or 'spark'"),
        ("PUSHWISE_MEMORY_LIMIT", "2", "setting memory_limit in "),
    ],
)
def test_settings_that_no_engine_has_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=told):
        load_settings()


def test_the_settings_choose_the_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pushwise.toml").write_text(
        'engine = "spark"\n[spark]\nmaster = "spark://one:7077"'
    )
    monkeypatch.setenv("PUSHWISE_MEMORY_LIMIT", "500MB")
    assert load_workspace(tmp_path).engine == EngineSettings("spark", "500MB", "spark://one:7077")
