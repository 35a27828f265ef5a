"""Closed days are rolled up once; whatever the order in which batches came, builds are the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import rolling
from features.build import build_features
from features.record import BuildRecord, view_file
from features.workspace import Workspace
from tests.features.given import AS_OF, Given, Row, ago, small_shop, write_batch

DAYS = [ago(days) for days in (3, 2, 1, 0)]


def rows_of(workspace: Workspace, as_of: datetime) -> dict[str, pa.Table]:
    """What was built of a moment, but for the wall clock of the build."""
    views = BuildRecord.load(workspace).moments[as_of].rows
    return {
        view: pq.read_table(view_file(workspace, view, as_of)).drop_columns("created")
        for view in views
    }


def kept(workspace: Workspace, name: str) -> pa.Table:
    return pq.read_table(workspace.features / "rolled" / name)


def by_day(workspace: Workspace) -> dict[int, list[str]]:
    """The roll-ups of interest by the day that they were known."""
    days: dict[int, list[str]] = {}
    for row in kept(workspace, "interest").to_pylist():
        days.setdefault(row["known_day"], []).append(repr(row))
    return {day: sorted(rows) for day, rows in days.items()}


def parts(workspace: Workspace) -> dict[str, list[str]]:
    """The names of the batches in each part."""
    content = json.loads((workspace.features / "rolled" / "taken.json").read_text())
    return {name: [batch[0] for batch in part] for name, part in content["parts"].items()}


def split_by_day(workspace: Workspace) -> list[tuple[datetime, pa.Table]]:
    """The events of a shop, one batch for each of ``DAYS`` with what became known before it."""
    events = pq.read_table(workspace.tables / "events" / "a.parquet")
    known = [moment.as_py() for moment in events["known_at"]]
    ends = [min(day for day in (*DAYS, ago(-1)) if day > moment) for moment in known]
    return [
        (day, events.filter(pa.array([end == day for end in ends]))) for day in (*DAYS, ago(-1))
    ]


@pytest.mark.slow
def test_building_day_by_day_equals_building_at_once(given: Given, tmp_path: Path) -> None:
    small_shop(given.workspace)
    daily = Workspace(tmp_path / "daily")
    small_shop(daily)
    build_features(given.workspace, DAYS)
    batches = split_by_day(daily)
    vocabulary = (given.workspace.features / "vocabulary.json").read_bytes()
    (daily.tables / "events" / "a.parquet").unlink()
    daily.features.mkdir(parents=True, exist_ok=True)
    (daily.features / "vocabulary.json").write_bytes(vocabulary)  # frozen at the first build
    for number, (day, rows) in enumerate(batches):
        pq.write_table(rows, daily.tables / "events" / f"{number}.parquet")
        if day in DAYS:
            assert list(build_features(daily, [day]).written) == [day]
    for day in DAYS:
        at_once, one_by_one = rows_of(given.workspace, day), rows_of(daily, day)
        assert set(at_once) == set(one_by_one)
        for view, wanted in at_once.items():
            assert one_by_one[view].equals(wanted), (view, day)
    assert build_features(daily, DAYS).unchanged == tuple(DAYS)


def test_a_batch_is_rolled_up_once(given: Given) -> None:
    small_shop(given.workspace, members=10)
    told: list[tuple[str, int, int]] = []
    build_features(given.workspace, [ago(1)], lambda *step: told.append(step))
    assert (rolling.STAGE, 1, 1) in told
    told.clear()
    build_features(given.workspace, [AS_OF], lambda *step: told.append(step))
    assert rolling.STAGE not in {stage for stage, _, _ in told}


def test_a_late_event_changes_the_days_it_touches_and_no_other(given: Given) -> None:
    small_shop(given.workspace, members=10)
    build_features(given.workspace, DAYS)
    days, files = by_day(given.workspace), {day: rows_of(given.workspace, day) for day in DAYS}
    late: Row = {
        "event_id": "late", "member_id": "m001", "type": "purchase", "item_id": "i3",
        "unit_price": 30, "occurred_at": ago(9), "received_at": ago(1.5),
    }  # fmt: skip
    write_batch(given.workspace, "events", [late], "b")
    report = build_features(given.workspace, DAYS)
    assert report.unchanged == (ago(3), ago(2))
    assert list(report.written) == [ago(1), ago(0)]
    changed = by_day(given.workspace)
    touched = (ago(1.5) - datetime.fromisoformat("1970-01-01T00:00:00+00:00")).days
    assert {day for day in changed if changed[day] != days.get(day)} == {touched}
    shown = {day: rows_of(given.workspace, day) for day in DAYS}
    assert [day for day in DAYS if not shown[day]["purchases"].equals(files[day]["purchases"])] == [
        ago(1), ago(0),
    ]  # fmt: skip


def test_small_batches_are_rolled_up_together(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_shop(given.workspace, members=10)
    click: Row = {"member_id": "m001", "type": "view", "item_id": "i3", "occurred_at": ago(9)}
    for name in ("b", "c"):
        write_batch(given.workspace, "events", [{**click, "event_id": name}], name)
    build_features(given.workspace, [AS_OF])
    assert parts(given.workspace) == {"000001": ["a.parquet", "b.parquet", "c.parquet"]}
    together = rows_of(given.workspace, AS_OF)
    shutil.rmtree(given.workspace.features / "rolled")
    view_file(given.workspace, "purchases", AS_OF).unlink()
    monkeypatch.setattr(rolling, "TOGETHER_ROWS", 2)
    build_features(given.workspace, [AS_OF])
    assert parts(given.workspace) == {
        "000001": ["a.parquet"], "000002": ["b.parquet", "c.parquet"],
    }  # fmt: skip
    apart = rows_of(given.workspace, AS_OF)
    assert all(apart[view].equals(rows) for view, rows in together.items())


@pytest.mark.parametrize("harm", ["damaged", "part gone", "batch gone", "other definitions"])
def test_roll_ups_that_do_not_fit_are_made_again(
    given: Given, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_shop(given.workspace, members=10)
    again: Row = {
        "event_id": "again", "member_id": "m001", "type": "view", "item_id": "i3",
        "occurred_at": ago(9),
    }  # fmt: skip
    extra = write_batch(given.workspace, "events", [again], "b")
    build_features(given.workspace, [AS_OF])
    folder = given.workspace.features / "rolled"
    before, made = (
        by_day(given.workspace),
        (folder / "people" / "000001.parquet").stat().st_mtime_ns,
    )
    if harm == "damaged":
        (folder / "taken.json").write_text("{")
    elif harm == "part gone":
        (folder / "interest" / "000001.parquet").unlink()
    elif harm == "batch gone":
        extra.unlink()
    else:
        monkeypatch.setattr(rolling, "_definitions", lambda: "another")
    view_file(given.workspace, "purchases", AS_OF).unlink()
    build_features(given.workspace, [AS_OF])
    assert (folder / "people" / "000001.parquet").stat().st_mtime_ns != made
    assert (by_day(given.workspace) == before) == (harm != "batch gone")
    (names,) = parts(given.workspace).values()
    assert names == (["a.parquet"] if harm == "batch gone" else ["a.parquet", "b.parquet"])


_BUILD = """
import sys
from datetime import datetime
from pathlib import Path
from features.build import build_features
from features.workspace import Workspace
def told(stage, done, total):
    print(stage, done, flush=True)
    if f"{stage} {done}" == sys.argv[2]:
        sys.stdin.read()  # held here until it is killed
moments = [datetime.fromisoformat(moment) for moment in sys.argv[3:]]
build_features(Workspace(Path(sys.argv[1])), moments, told)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["events 1", "features 1"])
def test_a_build_that_is_killed_half_way_leaves_the_last_one(given: Given, where: str) -> None:
    small_shop(given.workspace, members=10)
    build_features(given.workspace, [ago(2)])
    last, record = rows_of(given.workspace, ago(2)), BuildRecord.load(given.workspace)
    bought: Row = {
        "event_id": "new", "member_id": "m001", "type": "purchase", "item_id": "i1",
        "unit_price": 9, "occurred_at": ago(2.5),
    }  # fmt: skip
    write_batch(given.workspace, "events", [bought], "b")
    moments = [moment.isoformat() for moment in (ago(1), ago(0))]
    command = [sys.executable, "-c", _BUILD, str(given.workspace.root), where, *moments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as process:
        assert process.stdout is not None
        assert any(line.strip() == where for line in process.stdout)
        os.kill(process.pid, signal.SIGKILL)
    assert BuildRecord.load(given.workspace) == record
    shown = rows_of(given.workspace, ago(2))
    assert all(shown[view].equals(rows) for view, rows in last.items())
    assert set(build_features(given.workspace, [ago(1), ago(0)]).written) == {ago(1), ago(0)}


def test_moments_inside_a_day_see_what_happened_until_then(given: Given) -> None:
    click: Row = {"member_id": "anna", "type": "view", "item_id": "i1"}
    moments = [ago(0), ago(0) + timedelta(hours=9, minutes=30)]
    clicks = [
        {**click, "event_id": "night", "occurred_at": moments[0] + timedelta(hours=1)},
        {**click, "event_id": "edge", "occurred_at": moments[1]},
        {**click, "event_id": "before", "occurred_at": ago(1)},
    ]
    write_batch(given.workspace, "events", clicks)
    build_features(given.workspace, moments)
    views = [rows_of(given.workspace, moment)["clickstream"]["views_7d"] for moment in moments]
    assert [column.to_pylist() for column in views] == [[1.0], [2.0]]
