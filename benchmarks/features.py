"""``python -m benchmarks.features [--quick]``: what building features costs, and beside what.

All member views of a shop of 50 million events and 500,000 members (``--quick``: a million and
10,000) at one moment: built for the first time, and built for a new day where the days before are
closed. The references are SQL written by hand for DuckDB (``features.sql``), and pandas at a tenth
of the size. Every run is a process of its own, all under the same limit of memory, one after the
other; before any is timed, the views of all three are compared, column by column.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from benchmarks import by_hand, in_pandas
from benchmarks.figure import Figure
from benchmarks.shop import AS_OF, lay_out, months
from features.engine import EngineSettings
from features.workspace import Workspace

MEMORY_LIMIT = "4GB"
MOST_GB = 6.0
_LOOSE = 1e-6  # pandas adds money up in floats


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall clock in seconds, and the most memory the process held in GB (10⁹ bytes)."""

    seconds: float
    peak: float


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop in a folder, and where the references write."""

    workspace: Workspace
    events: int

    @property
    def out(self) -> Path:
        return self.workspace.root / "reference"

    def ours(self, moments: Sequence[datetime]) -> Cost:
        return _timed(_build, self.workspace, moments)

    def sql(self) -> Cost:
        return _timed(_reference, by_hand.build, self.workspace, self.out)

    def pandas(self) -> Cost:
        return _timed(_reference, in_pandas.build, self.workspace, self.out)

    def forget(self) -> None:
        """Leave nothing of an earlier build but the vocabulary, which is frozen once."""
        vocabulary = self.workspace.features / "vocabulary.json"
        kept = vocabulary.read_bytes() if vocabulary.exists() else None
        shutil.rmtree(self.workspace.features, ignore_errors=True)
        if kept is not None:
            vocabulary.parent.mkdir(parents=True)
            vocabulary.write_bytes(kept)

    def cold(self) -> Cost:
        """Every event is new."""
        self.forget()
        return self.ours([AS_OF])

    def warm(self) -> Cost:
        """All days but the last are closed; its events came in a batch of their own."""
        self.forget()
        newest = max((self.workspace.tables / "events").glob("*.parquet"))
        aside = newest.rename(self.workspace.root / newest.name)
        try:
            self.ours([AS_OF - timedelta(days=1)])
        finally:
            aside.rename(newest)
        return self.ours([AS_OF])

    def twelve(self) -> Cost:
        self.forget()
        return self.ours(months())


def figures(events: int, scratch: Path) -> Iterator[Figure]:
    small, large = (_shop(scratch / name, size) for name, size in _sizes(events))
    compare(small)
    pandas, little, next_day = small.pandas(), small.cold(), small.warm()
    yield _figure("pandas_over_new_day", pandas.seconds, next_day.seconds, 3.0, least=True)
    yield _figure("pandas_over_first_build", pandas.seconds, little.seconds, 3.0, least=True)
    cold, by_sql = large.cold(), large.sql()
    warm, by_sql = large.warm(), _lower(by_sql, large.sql())
    yield _figure("new_day_over_sql_by_hand", warm.seconds, by_sql.seconds, 1.3)
    yield _figure("first_build_over_sql_by_hand", cold.seconds, by_sql.seconds, 1.3)
    yield _figure("ten_times_the_events", cold.seconds, little.seconds, 11.0)
    yield _figure("twelve_months_over_one", large.twelve().seconds, cold.seconds, 5.0)
    peak = max(cold.peak, warm.peak)
    yield Figure(
        "peak_memory", peak, by_sql.peak, "GB", peak / by_sql.peak, f"under {MOST_GB:g} GB",
        peak < MOST_GB,
    )  # fmt: skip


def compare(shop: Shop) -> None:
    """Build by all three and compare.

    Raises:
        AssertionError: a column differs.
    """
    import numpy as np
    import pandas as pd

    from features.record import view_file

    shop.cold()
    for reference, tolerance in ((shop.sql, _LOOSE), (shop.pandas, _LOOSE)):
        reference()
        for view in by_hand.VIEWS:
            ours = pd.read_parquet(view_file(shop.workspace, view, AS_OF)).set_index("member_id")
            theirs = pd.read_parquet(shop.out / f"{view}.parquet")
            theirs = theirs.reset_index().set_index("member_id").reindex(ours.index)
            for name in set(theirs.columns) & set(ours.columns) - {"created", "feature_time"}:
                one, other = ours[name], theirs[name]
                if one.dtype == object:
                    same = one.fillna("").eq(other.fillna(""))
                else:
                    same = pd.Series(
                        np.isclose(one, other.astype(float), tolerance, tolerance, equal_nan=True)
                    )
                # Interest is in billionths: a tie of ours may be none where it is not.
                assert same.mean() > (0.99 if name == "top_category" else 0.999999), (view, name)


def _sizes(events: int) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("small", events // 10), ("large", events)


def _shop(root: Path, events: int) -> Shop:
    print(f"laying out {events:,} events", file=sys.stderr, flush=True)
    return Shop(
        replace(lay_out(root, events), engine=EngineSettings("duckdb", MEMORY_LIMIT)), events
    )


def _lower(one: Cost, other: Cost) -> Cost:
    return Cost(min(one.seconds, other.seconds), max(one.peak, other.peak))


def _timed(work: Callable[..., None], *given: object) -> Cost:
    """Run in a fresh process, imports done before the clock starts."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        cost = process.submit(_measured, work, *given).result()
    print(f"  {cost.seconds:.1f} s, {cost.peak:.2f} GB", file=sys.stderr, flush=True)
    return cost


def _measured(work: Callable[..., None], *given: object) -> Cost:
    import duckdb  # noqa: F401 imported before the clock starts
    import ibis  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import features.build  # noqa: F401

    started = time.perf_counter()
    work(*given)
    seconds = time.perf_counter() - started
    return Cost(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def _build(workspace: Workspace, moments: Sequence[datetime]) -> None:
    from features.build import build_features

    assert not build_features(workspace, moments).unchanged


def _reference(build: Callable[..., None], workspace: Workspace, out: Path) -> None:
    from features.inputs import vocabulary_file
    from features.vocabulary import Vocabulary

    build(workspace, AS_OF, Vocabulary.load(vocabulary_file(workspace)), out)


def _figure(
    name: str, ours: float, reference: float, goal: float, *, least: bool = False
) -> Figure:
    ratio = ours / reference
    holds = ratio >= goal if least else ratio <= goal
    words = f"{'at least' if least else 'at most'} {goal:g}"
    return Figure(name, ours, reference, "s", ratio, words, holds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a million events")
    parser.add_argument("--events", type=int, default=50_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for figure in figures(1_000_000 if given.quick else given.events, Path(scratch)):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
