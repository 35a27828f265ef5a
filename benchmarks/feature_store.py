"""``python -m benchmarks.feature_store [--quick]``: features through Feast, to models and online.

On view files of made-up numbers, written as a build writes them: 117 features, 7 categories.

- A training frame of 200,000 rows, drawn from 200,000 members at six moments, beside the plain
  DuckDB as-of join of the same files into the same data frame; alternating, the best of three.
- The packed snapshot of 500,000 members; the best of three. Beside it, as rates, what Feast's
  ``materialize`` of 10,000 members takes to SQLite and to a Redis of its own on this machine.
- Peak memory of that export, beside the same by ``training_frame`` and ``encode``; each in a
  process of its own.

``--quick``: a tenth of it all, but 200,000 members in the snapshot.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import pandas as pd

from benchmarks.figure import Figure
from benchmarks.redis_server import running_redis
from features.encode import encode, encoding, extend_encoding
from features.record import BuildRecord, Built, view_file
from features.store import MEMBER_SERVICE, export_snapshot, materialize, training_frame
from features.workspace import Workspace

LATEST = datetime(2026, 5, 1, tzinfo=UTC)
ROUNDS = 3
T = TypeVar("T")
_NUMBERS = {
    "purchases": 34, "clickstream": 20, "affinity": 30, "membership": 8, "contacts": 14,
    "price": 3, "lifecycle": 1,
}  # fmt: skip
_CATEGORIES = {
    "clickstream": ("device",),
    "affinity": ("favourite",),
    "membership": ("tier", "region", "age_band"),
    "lifecycle": ("lifecycle", "value_tier"),
}
_MEMBER = "'m' || lpad((i * 2654435761 % 10000000)::VARCHAR, 8, '0')"


def made_up(root: Path, members: int, moments: int) -> Workspace:
    """A workspace of nothing but built views; a tenth to a fifth of their values are missing."""
    workspace = Workspace(root)
    columns = {
        view: {
            **dict.fromkeys(_CATEGORIES.get(view, ()), "category"),
            **{f"{view}_{number}": "number" for number in range(count)},
        }
        for view, count in _NUMBERS.items()
    }
    built = [LATEST - timedelta(days=30 * back) for back in range(moments)]
    with duckdb.connect() as connection:
        for view, kinds in columns.items():
            for as_of in built:
                _write(connection, view_file(workspace, view, as_of), kinds, as_of, members)
    extend_encoding(workspace, columns, built)
    rows = dict.fromkeys(columns, members)
    BuildRecord(columns, {}, {as_of: Built("made up", rows) for as_of in built}).save(workspace)
    return workspace


def _write(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    kinds: Mapping[str, str],
    as_of: datetime,
    members: int,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = f"TIMESTAMPTZ '{as_of.isoformat()}'"
    values = []
    for name, kind in kinds.items():
        drawn = f"hash(i, '{name}', {as_of.toordinal()})"
        value = (
            f"if({drawn} % 10 = 0, NULL, 'value ' || ({drawn} % 7))"
            if kind == "category"
            else f"if({drawn} % 5 = 0, NULL, ({drawn} % 100000)::DOUBLE / 37)"
        )
        values.append(f'{value} AS "{name}"')
    connection.execute(
        f"COPY (SELECT {_MEMBER} AS member_id, {stamp} AS feature_time, {stamp} AS created, "
        f"{', '.join(values)} FROM range({members}) AS t (i) ORDER BY member_id) "
        f"TO '{path}' (FORMAT parquet)"
    )


def training(workspace: Workspace, rows: int) -> Figure:
    """Seconds for a training frame, through Feast and by a plain as-of join."""
    asked = _asked(workspace, rows)
    ours, plain = [], []
    for _ in range(ROUNDS):
        frame, seconds = _timed(lambda: training_frame(workspace, MEMBER_SERVICE, asked))
        ours.append(seconds)
        joined, seconds = _timed(lambda: as_of_join(workspace, asked))
        plain.append(seconds)
        if len(frame) != rows or not frame.equals(joined):
            raise AssertionError("the two frames differ, so their times cannot be compared")
    ratio = min(ours) / min(plain)
    return Figure(
        "training_frame_over_as_of_join", min(ours), min(plain), "s", ratio, "at most 2", ratio <= 2
    )


def _asked(workspace: Workspace, rows: int) -> pd.DataFrame:
    moments = sorted(BuildRecord.load(workspace).moments)
    view = view_file(workspace, "purchases", moments[0])
    members = pd.read_parquet(view, columns=["member_id"])["member_id"].to_numpy()
    drawn = np.random.default_rng(0).choice(len(members) * len(moments), rows, replace=False)
    return pd.DataFrame(
        {
            "row_id": np.arange(rows),
            "member_id": members[drawn // len(moments)],
            "as_of": pd.DatetimeIndex(moments)[drawn % len(moments)],
        }
    )


def as_of_join(workspace: Workspace, asked: pd.DataFrame) -> pd.DataFrame:
    """The reference: one ASOF JOIN a view, in the order asked."""
    columns = BuildRecord.load(workspace).columns
    listed = ", ".join(f'"{view}"."{name}"' for view in columns for name in columns[view])
    joins = " ".join(
        f"ASOF LEFT JOIN read_parquet('{workspace.features / view}/*.parquet') AS \"{view}\" "
        f'ON asked.member_id = "{view}".member_id AND asked.as_of >= "{view}".feature_time'
        for view in columns
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("asked", asked)
        features: pd.DataFrame = connection.execute(
            f"SELECT {listed} FROM asked {joins} ORDER BY asked.row_id"
        ).df()
    return pd.concat([asked, features], axis=1)


def exporting(workspace: Workspace) -> float:
    """Members a second into the packed snapshot."""
    best, count = float("inf"), 0
    for _ in range(ROUNDS):
        snapshot, seconds = _timed(lambda: export_snapshot(workspace, LATEST))
        best, count = min(best, seconds), len(snapshot.member_ids)
    return count / best


def materializing(workspace: Workspace, members: int) -> float:
    """Members a second into the online store."""
    _, seconds = _timed(lambda: materialize(workspace, LATEST))
    return members / seconds


def exports(scratch: Path, members: int, online: int) -> Iterator[Figure]:
    """The export's rate beside those of the online stores, and its memory beside a data frame's."""
    workspace = made_up(scratch / "snapshot", members, moments=1)
    rate = exporting(workspace)
    few = made_up(scratch / "online", online, moments=1)
    yield _rate("sqlite", rate, materializing(few, online))
    with running_redis(scratch) as url:
        if url is None:
            print("no redis-server here, so no figure for Redis", file=sys.stderr)
        else:
            yield _rate("redis", rate, materializing(Workspace(few.root, redis_url=url), online))
    ours, reference = _peak("snapshot", workspace.root), _peak("frame", workspace.root)
    ratio = ours / reference
    yield Figure("snapshot_export_peak_memory", ours, reference, "GB", ratio, "below 1", ratio < 1)


def _rate(store: str, ours: float, reference: float) -> Figure:
    name, goal = f"snapshot_export_over_materialize_{store}", "at least 50,000 members/s"
    return Figure(name, ours, reference, "members/s", ours / reference, goal, ours >= 50_000)


def _peak(work: str, root: Path) -> float:
    """Gigabytes that the named way to export takes at most, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.feature_store", "--peak", work, str(root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _export(workspace: Workspace) -> None:
    export_snapshot(workspace, LATEST)


def _by_frame(workspace: Workspace) -> None:
    view = view_file(workspace, "purchases", LATEST)
    members = pd.read_parquet(view, columns=["member_id"])["member_id"]
    asked = pd.DataFrame({"row_id": members.index, "member_id": members, "as_of": LATEST})
    encode(training_frame(workspace, MEMBER_SERVICE, asked), encoding(workspace))


def _resident() -> float:
    """Most memory that this process held, in GB; ``getrusage`` would count its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1e6


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller: about a minute")
    parser.add_argument("--peak", nargs=2, metavar=("WAY", "WORKSPACE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        way, root = options.peak
        {"snapshot": _export, "frame": _by_frame}[way](Workspace(Path(root)))
        print(_resident())
        return
    _run(options.quick)


def _run(quick: bool) -> None:
    rows, members, online = (20_000, 200_000, 1_000) if quick else (200_000, 500_000, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        shop = made_up(scratch / "training", rows, moments=6)
        print(training(shop, rows).line(), flush=True)
        shutil.rmtree(shop.root)
        for figure in exports(scratch, members, online):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
