"""``python -m benchmarks.insights [--quick]``: what counting all members month by month costs.

A shop of 10 million events of 200,000 members over a year (``--quick``: a million and 20,000): the
lifecycle flow between the ends of eleven months counted from nothing, counted again when one month
more has passed, and new members by cohort. The reference is the same flow in pandas, as a notebook
would have it: the habits, stage and tier of every member at each month's end, and a count of
the pairs of each month. Every run is a process of its own; both flows have to be equal.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure
from benchmarks.shop import AS_OF, lay_out, months
from features.engine import EngineSettings
from features.workspace import Workspace

MEMORY_LIMIT = "2GB"
MOST_GB = 4.0
_MONTHS = 11
_READ = [
    "event_id", "member_id", "type", "occurred_at", "known_at", "quantity", "unit_price",
    "discount", "order_id",
]  # fmt: skip
Flows = list[Counter[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Run:
    """Wall clock in seconds, the most memory in GB (10⁹ bytes), and what came of it."""

    seconds: float
    peak: float
    found: Any


def figures(events: int, scratch: Path) -> Iterator[Figure]:
    print(f"laying out {events:,} events", file=sys.stderr, flush=True)
    shop = lay_out(scratch, events, events // 50)
    shop = replace(shop, engine=EngineSettings("duckdb", MEMORY_LIMIT))
    ours, theirs = _run(_flow, shop, AS_OF), _run(_in_pandas, shop)
    assert ours.found == theirs.found, "the flows differ"
    shutil.rmtree(shop.insights)
    _run(_flow, shop, months()[-2])
    month, cohorts = _run(_flow, shop, AS_OF), _run(_cohorts, shop)
    assert month.found == theirs.found
    yield _figure("flow_from_nothing_over_pandas", ours.seconds, theirs.seconds, 1.0)
    yield _figure("flow_of_a_new_month_over_pandas", month.seconds, theirs.seconds, 0.5)
    yield _figure("cohorts_over_flow_in_pandas", cohorts.seconds, theirs.seconds, 0.5)
    peak = max(ours.peak, month.peak, cohorts.peak)
    yield Figure("peak_memory", peak, theirs.peak, "GB", peak / theirs.peak,
                 f"under {MOST_GB:g} GB", peak < MOST_GB)  # fmt: skip


def _flow(workspace: Workspace, as_of: datetime) -> Flows:
    from features.insights.flow import lifecycle_flow

    document = lifecycle_flow(workspace, as_of, months=_MONTHS)
    return [
        Counter({(one["from"], one["to"]): one["members"] for one in flow["moves"]})
        for flow in document["flows"]
    ]


def _cohorts(workspace: Workspace) -> int:
    from features.insights.cohorts import new_members

    return len(new_members(workspace, AS_OF)["curves"])


def _in_pandas(workspace: Workspace) -> Flows:
    import pandas as pd

    from benchmarks.in_pandas import _habits, _lifecycle

    members = pd.read_parquet(workspace.tables / "members", columns=["member_id"])["member_id"]
    events = pd.read_parquet(
        workspace.tables / "events", columns=_READ,
        filters=[("type", "in", ["purchase", "refund"])],
    )  # fmt: skip
    for name in ("unit_price", "discount"):
        events[name] = events[name].astype(float)
    events["second"] = events["occurred_at"].astype("int64") // 1_000_000
    stages = []
    for moment in months():
        now = int(moment.timestamp())
        known = events[(events["occurred_at"] < moment) & (events["known_at"] < moment)].copy()
        known["age"] = (now - 1 - known["second"]) // 86_400
        stages.append(_lifecycle(_habits(known, now).reindex(members), now)["lifecycle"])
    return [Counter(zip(one, other, strict=True)) for one, other in pairwise(stages)]


def _run(work: Callable[..., Any], *given: object) -> Run:
    """In a fresh process, imports done before the clock starts."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        run = process.submit(_measured, work, *given).result()
    words = f"  {work.__name__}: {run.seconds:.1f} s, {run.peak:.2f} GB"
    print(words, file=sys.stderr, flush=True)
    return run


def _measured(work: Callable[..., Any], *given: object) -> Run:
    import pandas  # noqa: F401 imported before the clock starts

    import features.insights.cohorts
    import features.insights.flow  # noqa: F401

    started = time.perf_counter()
    found = work(*given)
    seconds = time.perf_counter() - started
    return Run(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, found)


def _figure(name: str, ours: float, reference: float, goal: float) -> Figure:
    ratio = ours / reference
    return Figure(name, ours, reference, "s", ratio, f"at most {goal:g}", ratio <= goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a million events")
    parser.add_argument("--events", type=int, default=10_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for figure in figures(1_000_000 if given.quick else given.events, Path(scratch)):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
