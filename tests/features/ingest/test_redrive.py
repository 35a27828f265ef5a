"""Quarantined rows get in once they fit, and stay until then."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from features.contract import ContractError
from features.ingest.load import ingest, ingest_rows
from features.ingest.quarantine import Entry
from features.ingest.redrive import quarantined, redrive
from features.workspace import Conventions, Workspace, one_at_a_time, open_workspace

HEADER = "event_id,member_id,type,occurred_at,query"
NAIVE = "e1,m1,search,2026-05-01 09:30:00,"
SOLD = "e2,m1,sold,2026-05-01T09:30:00Z,"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path / "workspace")


def taken(workspace: Workspace, folder: Path, *lines: str) -> None:
    path = folder / "may.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="latin-1")
    ingest(workspace, "events", [path])


def entries(workspace: Workspace) -> list[Entry]:
    return list(quarantined(workspace, "events"))


def edit(workspace: Workspace, before: str, after: str) -> None:
    [path] = (workspace.quarantine / "events").glob("*.jsonl")
    path.write_text(path.read_text().replace(before, after))


def test_a_time_zone_lets_naive_times_in_and_leaves_the_rest(
    workspace: Workspace, tmp_path: Path
) -> None:
    taken(workspace, tmp_path, NAIVE, SOLD)
    report = redrive(workspace, "events", timezone=ZoneInfo("Asia/Singapore"))
    assert (report.rows, report.accepted, report.quarantined) == (2, 1, {"unknown_enum": 1})
    [left] = entries(workspace)
    assert (left.line, left.text) == (3, SOLD)


def test_an_edited_row_gets_in_and_an_empty_quarantine_file_goes(
    workspace: Workspace, tmp_path: Path
) -> None:
    taken(workspace, tmp_path, SOLD)
    edit(workspace, "sold", "purchase")
    assert redrive(workspace, "events").accepted == 1
    assert list((workspace.quarantine / "events").iterdir()) == []


def test_a_declared_attribute_lets_json_rows_in(workspace: Workspace) -> None:
    ingest_rows(workspace, "members", [{"member_id": "m1", "income": 7}], "crm")
    assert redrive(workspace, "members").quarantined == {"unknown_column": 1}
    declared = Workspace(workspace.root, Conventions({"income": "number"}))
    assert redrive(declared, "members").accepted == 1
    [path] = (workspace.tables / "members").glob("*.parquet")
    assert pq.read_table(path)["income"].to_pylist() == [7.0]


def test_a_row_that_got_in_meanwhile_is_a_duplicate_and_leaves(
    workspace: Workspace, tmp_path: Path
) -> None:
    taken(workspace, tmp_path, NAIVE)
    ingest(workspace, "events", [tmp_path / "may.csv"], timezone=ZoneInfo("UTC"))
    report = redrive(workspace, "events", timezone=ZoneInfo("UTC"))
    assert (report.rows, report.duplicate, report.quarantined) == (1, 1, {})
    assert entries(workspace) == []


def test_a_conflict_stays_until_its_row_is_edited(workspace: Workspace) -> None:
    row = {"event_id": "e1", "member_id": "m1", "type": "view", "occurred_at": "2026-05-01T00:00Z"}
    ingest_rows(workspace, "events", [row, row | {"member_id": "m2"}], "log")
    assert redrive(workspace, "events").quarantined == {"conflict": 1}
    assert redrive(workspace, "events").quarantined == {"conflict": 1}
    edit(workspace, '\\"e1\\"', '\\"e9\\"')
    assert redrive(workspace, "events").accepted == 1
    assert entries(workspace) == []


def test_bytes_that_are_not_utf8_never_get_in_as_their_escapes(
    workspace: Workspace, tmp_path: Path
) -> None:
    taken(workspace, tmp_path, "e3,m1,search,2026-05-01T09:30:00Z,café")
    assert redrive(workspace, "events").quarantined == {"bad_encoding": 1}
    edit(workspace, "caf\\\\xe9", "café")
    assert redrive(workspace, "events").accepted == 1


@pytest.mark.parametrize(
    ("after", "reason"),
    [("e2,m1", "wrong_fields"), ('e2,"m1', "bad_csv"), ("e2,,sold,,", "missing_value")],
)
def test_a_slip_while_editing_keeps_the_row_with_todays_reason(
    workspace: Workspace, tmp_path: Path, after: str, reason: str
) -> None:
    taken(workspace, tmp_path, SOLD)
    edit(workspace, json.dumps(SOLD), json.dumps(after))
    assert redrive(workspace, "events").quarantined == {reason: 1}
    assert [(entry.reason, entry.text) for entry in entries(workspace)] == [(reason, after)]


def test_a_quarantine_file_that_does_not_read_is_named_and_nothing_changes(
    workspace: Workspace, tmp_path: Path
) -> None:
    taken(workspace, tmp_path, NAIVE, SOLD)
    edit(workspace, '"line": 3', '"line" 3')
    with pytest.raises(ContractError, match=r"jsonl, line 2: not a quarantined row .* mend"):
        redrive(workspace, "events", timezone=ZoneInfo("UTC"))
    assert not (workspace.tables / "events").exists()


def test_nothing_quarantined_is_nothing_to_do(workspace: Workspace) -> None:
    assert redrive(workspace, "offers").rows == 0


def test_what_another_redrive_took_meanwhile_is_not_looked_for(
    workspace: Workspace, tmp_path: Path
) -> None:
    taken(workspace, tmp_path, SOLD)
    [path] = (workspace.quarantine / "events").glob("*.jsonl")
    with ThreadPoolExecutor(1) as pool:
        with one_at_a_time(workspace.root / "staging" / "lock"):
            waiting = pool.submit(redrive, workspace, "events")
            time.sleep(0.2)  # it may look at the quarantine only when its turn has come
            path.unlink()
        assert waiting.result().rows == 0
