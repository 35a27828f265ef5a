"""What a page may see of the quarantine without reading all of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from features.ingest import held
from features.ingest.held import counted, folders, glance
from features.ingest.load import ingest
from features.ingest.quarantine import Entry
from features.workspace import Workspace, open_workspace

HEADER = "event_id,member_id,type,occurred_at"
NAIVE = "e1,m1,view,2026-05-01 09:30:00"
SOLD = "e2,m1,sold,2026-05-01T09:30:00Z"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = open_workspace(tmp_path / "workspace")
    file = tmp_path / "may.csv"
    file.write_text("\n".join([HEADER, NAIVE, SOLD, SOLD.replace("e2", "e3")]) + "\n")
    ingest(made, "events", [file])
    return made


def large(workspace: Workspace, rows: int) -> None:
    entry = Entry("old.csv", 7, "bad_number", "price", "no number", None, "x" * 300)
    path = workspace.quarantine / "events" / "old-1-1.jsonl"
    path.write_text(entry.to_line() * rows)
    os.utime(path, (1, 1))


def test_a_small_quarantine_is_counted_with_samples_of_each_reason(workspace: Workspace) -> None:
    found = glance(workspace, "events", samples=1)
    assert found.counts == {"unknown_enum": 2, "naive_time": 1}
    assert [row.text for row in found.samples["unknown_enum"]] == [SOLD]
    assert [row.line for row in found.samples["naive_time"]] == [2]


def test_a_large_quarantine_is_not_counted_by_a_page_and_the_newest_rows_are_shown(
    workspace: Workspace,
) -> None:
    large(workspace, 10_000)
    found = glance(workspace, "events")
    assert found.counts is None
    assert set(found.samples) == {"unknown_enum", "naive_time", "bad_number"}
    assert counted(workspace, "events") == {
        "bad_number": 10_000, "unknown_enum": 2, "naive_time": 1,
    }  # fmt: skip


def test_a_slip_in_a_quarantine_file_hides_no_other_row(workspace: Workspace) -> None:
    [path] = (workspace.quarantine / "events").glob("*.jsonl")
    path.write_text("{\n" + path.read_text())
    wanted = {"unknown_enum": 2, held.UNREADABLE: 1, "naive_time": 1}
    assert counted(workspace, "events") == wanted
    assert glance(workspace, "events").counts == wanted


def test_a_line_longer_than_a_page_reads_is_one_row(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "_LONGEST_LINE", 20)
    assert glance(workspace, "events").counts == {held.UNREADABLE: 3}


def test_only_what_holds_rows_is_a_folder(workspace: Workspace) -> None:
    (workspace.quarantine / "members").mkdir()
    assert folders(workspace) == ["events"]
    assert folders(Workspace(workspace.root / "elsewhere")) == []
