"""An ingest that is killed leaves the table as it was, and running it again completes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.ingest.load import ingest
from features.ingest.redrive import quarantined
from features.workspace import Workspace, open_workspace

ROWS = 60_000
RUN = """
import sys
from pathlib import Path
from features.ingest.load import ingest
from features.workspace import open_workspace
print("begun", flush=True)
ingest(open_workspace(Path(sys.argv[1])), "events", [Path(sys.argv[2])])
"""


def stored(workspace: Workspace) -> int:
    return sum(
        pq.read_metadata(path).num_rows for path in (workspace.tables / "events").glob("*.parquet")
    )


@pytest.mark.slow
def test_a_killed_ingest_takes_all_or_nothing_and_a_second_run_takes_the_rest(
    tmp_path: Path,
) -> None:
    path = tmp_path / "may.csv"
    lines = [f"e{n},m{n % 99},view,2026-05-01T09:30:00Z" for n in range(ROWS)]
    header = "event_id,member_id,type,occurred_at"
    path.write_text("\n".join([header, *lines, "bad,row"]) + "\n")
    outcomes = set()
    for attempt in range(8):
        workspace = open_workspace(tmp_path / str(attempt))
        command = [sys.executable, "-c", RUN, str(workspace.root), str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05 + 0.12 * attempt)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        outcomes.add(stored(workspace))
        report = ingest(workspace, "events", [path])
        assert report.accepted + report.duplicate == ROWS
        assert stored(workspace) == ROWS
        assert [entry.line for entry in quarantined(workspace, "events")] == [ROWS + 2]
        assert [left.name for left in (workspace.root / "staging").iterdir()] == ["lock"]
    assert outcomes <= {0, ROWS}
    assert 0 in outcomes
