"""How fast ten million outcomes become the readout of an experiment, beside a plain join in pandas.

    python -m benchmarks.experiments_readout [--quick]

Two million members in three arms, a decision each; five outcomes of every decision and two
purchases or refunds a member, in the workspace's tables. Ours: from the tables to the verdict. The
reference does in pandas what an analyst would (first decision, purchases in the window, costs of
sends, sums by arm) for a tenth as many members, its time counted ten times.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure
from experiments.assignment import Allocation
from experiments.design import Analysis, Arm, Experiment
from features.engine import EngineSettings
from features.workspace import Workspace
from serving.experiment_entry import Allocated, Entry
from serving.readouts import read_results

if TYPE_CHECKING:
    import pandas as pd

MEMBERS, QUICK_MEMBERS = 2_000_000, 100_000
PART = 10
START = datetime(2026, 4, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=60)
MOST_SECONDS, MOST_MEMORY = 60.0, 4.0  # GB
EXPERIMENT = Experiment(
    "readout",
    (
        Arm("champion", 0.5, "champion"),
        Arm("challenger", 0.25, "release", release="r2"),
        Arm("nobody", 0.25, "holdout"),
    ),
    control="champion",
    analysis=Analysis(cap=500.0, days=28),
)
# Who is in which arm: i % 4. The challenger's members pay a little more.
_DECISIONS = """
SELECT 'd' || i AS decision_id, 'p' || (i % 3) AS push_id, 'm' || i AS member_id,
    CASE WHEN i % 4 > 0 THEN 'ten' END AS offer_id, 0.5 AS probability,
    $start::TIMESTAMPTZ + to_seconds((hash(i) % (28 * 86400))::BIGINT) AS decided_at,
    ['nobody', 'champion', 'champion', 'challenger'][i % 4 + 1] AS arm, 'readout' AS experiment,
    decided_at AS known_at, '' AS digest
FROM range($members) AS members(i)
"""
_OUTCOMES = """
SELECT 'o' || j AS event_id, 'd' || i AS decision_id,
    ['sent', 'delivered', 'opened', 'clicked', 'redeemed'][j // $members + 1] AS type,
    $start::TIMESTAMPTZ + to_seconds(
        (hash(i) % (28 * 86400) + 60 + hash(j) % (20 * 86400))::BIGINT) AS occurred_at,
    CASE WHEN type = 'redeemed' THEN (hash(j) % 1000 / 100)::DECIMAL(18, 4) END AS value,
    occurred_at AS known_at, '' AS digest
FROM (SELECT j, j % $members AS i FROM range(5 * $members) AS rows(j))
"""
_EVENTS = """
SELECT 'e' || j AS event_id, 'm' || i AS member_id,
    CASE WHEN j % 25 = 0 THEN 'refund' ELSE 'purchase' END AS type,
    $start::TIMESTAMPTZ + to_seconds((hash(j * 3) % (70 * 86400))::BIGINT) - INTERVAL 28 DAY
        AS occurred_at,
    'r' || (j // 2) AS order_id, 'i' || (j % 100) AS item_id, 1.0::DOUBLE AS quantity,
    (hash(j) % 10000 / 100 + CASE WHEN i % 4 = 3 THEN 5 ELSE 0 END)::DECIMAL(18, 4) AS unit_price,
    occurred_at AS known_at, '' AS digest
FROM (SELECT j, (hash(j * 7) % $members)::BIGINT AS i FROM range(2 * $members) AS rows(j))
"""
_OFFERS = """
SELECT 'ten' AS offer_id, 'amount_off' AS kind, 0.05::DECIMAL(18, 4) AS contact_cost,
    1::DECIMAL(18, 4) AS redemption_cost, NULL::TIMESTAMPTZ AS known_at, '' AS digest
"""


def write_log(root: Path, members: int) -> None:
    """What the module tells, as ingest stores it."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '2GB'; SET threads = 2")
        given = {"members": str(members), "start": f"'{START.isoformat()}'"}
        tables = {
            "decisions": _DECISIONS, "outcomes": _OUTCOMES, "events": _EVENTS, "offers": _OFFERS,
        }  # fmt: skip
        for name, text in tables.items():
            query = text.replace("$members", given["members"]).replace("$start", given["start"])
            folder = root / "tables" / name
            folder.mkdir(parents=True)
            connection.execute(f"COPY ({query}) TO '{folder}/a.parquet' (FORMAT parquet)")


def entry() -> Entry:
    shares = {arm.name: arm.share for arm in EXPERIMENT.arms}
    allocated = Allocated(START, shares, Allocation.of(shares))
    return Entry(EXPERIMENT, 2, "running", START, allocations=(allocated,), started_at=START)


def read_out(root: Path) -> tuple[float, ...]:
    """Seconds, seconds of processors, most memory (GB) and the members read, in a process of its
    own."""
    code = f"from benchmarks.experiments_readout import _alone; _alone({str(root)!r})"
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return tuple(float(one) for one in told.stdout.split())


def _alone(root: str) -> None:
    workspace = Workspace(Path(root), engine=EngineSettings(memory_limit="2GB"))
    begun = time.perf_counter()
    found = read_results(workspace, entry(), AS_OF)
    seconds = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    members = sum(arm.members for arm in found.readout.arms)
    print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, members)


def in_pandas(root: Path) -> pd.DataFrame:
    """Members by arm, with the mean and variance of their gain."""
    import pandas as pd

    def read(name: str, columns: list[str]) -> pd.DataFrame:
        return pd.read_parquet(root / "tables" / name / "a.parquet", columns=columns)

    decisions = read("decisions", ["decision_id", "member_id", "offer_id", "decided_at", "arm"])
    first = decisions.groupby("member_id").agg(first=("decided_at", "min"), arm=("arm", "first"))
    until = first["first"] + pd.Timedelta(days=EXPERIMENT.analysis.window_days)
    first = first.assign(until=until).reset_index()
    lines = read("events", ["member_id", "type", "occurred_at", "quantity", "unit_price"])
    met = lines.merge(first, on="member_id")
    met = met[(met.occurred_at >= met["first"]) & (met.occurred_at < met.until)]
    sign = met["type"].map({"purchase": 1.0, "refund": -1.0})
    met = met.assign(margin=0.3 * met.unit_price.astype("float64") * met.quantity * sign)
    bought = met.groupby("member_id").margin.sum()
    outcomes = read("outcomes", ["decision_id", "type", "occurred_at"])
    told = outcomes.merge(decisions, on="decision_id").merge(first, on="member_id")
    told = told[(told.occurred_at >= told["first"]) & (told.occurred_at < told.until)]
    kinds: Any = told.assign(one=1).pivot_table(
        index="member_id", columns="type", values="one", aggfunc="max", fill_value=0
    )
    per_member = first.set_index("member_id").join(bought).join(kinds).fillna({"margin": 0.0})
    per_member["gain"] = per_member.margin - 0.05 * per_member.sent.fillna(0)
    summed: pd.DataFrame = per_member.groupby("arm").gain.agg(["count", "mean", "var"])
    return summed


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(quick: bool) -> None:
    members = QUICK_MEMBERS if quick else MEMBERS
    with TemporaryDirectory() as folder:
        root, part = Path(folder) / "all", Path(folder) / "part"
        write_log(root, members)
        write_log(part, members // PART)
        reference = PART * timed(lambda: in_pandas(part))
        seconds, busy, memory, read = read_out(root)
    assert read == members
    most_busy = 2 * MOST_SECONDS
    what = f"readout of {5 * members:,} outcomes and {2 * members:,} purchases"
    figures = (
        (what, seconds, reference, "s", f"below {MOST_SECONDS:g} s on 2 cores", MOST_SECONDS),
        (f"{what}, processor", busy, reference, "s", f"below {most_busy:g} s", most_busy),
        (f"{what}, memory", memory, MOST_MEMORY, "GB", f"below {MOST_MEMORY:g} GB", MOST_MEMORY),
    )
    for name, ours, other, unit, goal, most in figures:
        print(Figure(name, ours, other, unit, ours / other, goal, ours < most).line())


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])
