"""Erased members are known again when met, and no row of theirs is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.importers.online_retail import import_online_retail
from features.ingest.load import ingest
from features.ingest.redrive import quarantined, redrive
from features.tombstones import TombstoneError, Tombstones, erasure_key, mark, remember
from features.workspace import Workspace

HEADER = "event_id,member_id,type,occurred_at,query\n"
KEY = bytes(range(32))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def erase(workspace: Workspace, *members: str) -> None:
    key = erasure_key(workspace.keys)
    remember(workspace, [mark(key, member) for member in members])


def file(folder: Path, *lines: str) -> Path:
    path = folder / "may.csv"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


def stored(workspace: Workspace) -> bytes:
    return b"".join(path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())


def test_rows_of_erased_members_are_counted_and_not_kept(
    workspace: Workspace, tmp_path: Path
) -> None:
    erase(workspace, "gone-1", "gone-2")
    report = ingest(
        workspace,
        "events",
        [
            file(
                tmp_path,
                "e1,stays,search,2026-05-01T09:30:00Z,",
                "e2,gone-1,search,2026-05-01T09:30:00Z,shoes",
                "e3,gone-2,sold,2026-05-01T09:30:00Z,",
                "e4,gone-2,sold",
            )
        ],
    )
    assert (report.rows, report.accepted) == (4, 1)
    assert report.quarantined == {"erased_member": 3}
    assert {entry.text for entry in quarantined(workspace, "events")} == {""}
    assert b"gone-" not in stored(workspace)


def test_an_import_keeps_nothing_of_them_either(workspace: Workspace, tmp_path: Path) -> None:
    erase(workspace, "17850")
    path = tmp_path / "retail.csv"
    path.write_text(
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
        "536365,85123A,LANTERN,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
        "536366,85123A,LANTERN,6,2010-12-01 08:28:00,2.55,13047,United Kingdom\n"
    )
    report = import_online_retail(workspace, [path])
    assert report.sources.quarantined.get("erased_member") == 1
    assert b"17850" not in stored(workspace)


def test_their_quarantined_rows_never_get_in_again(workspace: Workspace, tmp_path: Path) -> None:
    ingest(workspace, "events", [file(tmp_path, "e1,gone,search,2026-05-01 09:30:00,")])
    erase(workspace, "gone")
    for _ in range(2):
        assert redrive(workspace, "events").quarantined == {"erased_member": 1}
        [left] = quarantined(workspace, "events")
        assert (left.reason, left.text) == ("erased_member", "")
    assert b"gone" not in stored(workspace)


def test_without_the_key_nothing_is_taken_in(workspace: Workspace, tmp_path: Path) -> None:
    erase(workspace, "gone")
    (workspace.keys / "erasure.key").unlink()
    with pytest.raises(TombstoneError, match="put it back from a backup"):
        ingest(workspace, "events", [file(tmp_path, "e1,m1,search,2026-05-01T09:30:00Z,")])


def test_the_key_is_for_its_owner_and_stays(workspace: Workspace) -> None:
    key = erasure_key(workspace.keys)
    assert len(key) == 32
    assert erasure_key(workspace.keys) == key
    assert (workspace.keys / "erasure.key").stat().st_mode & 0o077 == 0


@given(member=st.text(st.characters(exclude_characters="\x00"), min_size=1, max_size=40))
def test_any_id_is_found_in_json_and_told_from_others(member: str) -> None:
    erased = Tombstones(KEY, frozenset([mark(KEY, member)]))
    assert erased.among([member, member + "x"]) == {member}
    assert erased.named_in(json.dumps({"member_id": member, "n": 1}))
    assert not erased.named_in(json.dumps({"member_id": member + "x"}))
