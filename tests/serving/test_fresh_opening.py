"""The online store opens beside a running scorer; answers are marked where something is missing."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.encoding import Encoding
from features.fresh import FreshRow
from features.fresh_state import FreshState
from features.store.fresh import online_fresh
from features.workspace import Workspace
from serving.fresh_opening import OpenedLater
from serving.fresh_source import Freshness

NOW = datetime.now(UTC)
ENCODING = Encoding(("last_seen_days",), {})


def ask(source: OpenedLater) -> Freshness:
    return asyncio.run(source.fresh(["m1"], ENCODING, NOW, 5.0))


def until(source: OpenedLater, wanted: tuple[str, ...]) -> Freshness:
    for _ in range(300):
        found = ask(source)
        if found.degraded == wanted:
            return found
        time.sleep(0.1)
    raise AssertionError(f"the last answer was {found}")


def test_where_no_follower_ever_worked_nothing_is_marked_and_nothing_imported(
    tmp_path: Path,
) -> None:
    code = (
        "import asyncio, sys, time, pathlib, datetime\n"
        "from features.encoding import Encoding\n"
        "from features.workspace import Workspace\n"
        "from serving.fresh_opening import OpenedLater\n"
        "source = OpenedLater(Workspace(pathlib.Path(sys.argv[1])))\n"
        "source.start()\n"
        "time.sleep(0.2)\n"
        "now = datetime.datetime.now(datetime.UTC)\n"
        "print(asyncio.run(source.fresh(['m1'], Encoding((), {}), now, 1.0)))\n"
        "source.stop()\n"
        "assert 'feast' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "Freshness(values={}, degraded=())\n"


@pytest.mark.slow
def test_answers_are_marked_until_the_store_is_open(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    source = OpenedLater(workspace)
    source.start()
    assert ask(source) == Freshness({})
    with closing(FreshState(workspace.fresh_state)):  # the follower's first act
        until(source, ("features_unavailable",))
    with online_fresh(workspace) as store:
        store.push({"m1": FreshRow(last_click_at=NOW - timedelta(hours=1))}, NOW)
        store.alive(NOW)
    found = until(source, ())
    assert math.isclose(found.values["m1"]["last_seen_days"], 1 / 24)
    source.stop()
