"""The page about data: what is fresh and steady, and what was not taken."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from features.ingest.load import ingest
from features.insights.prepared import keep
from features.workspace import Workspace, open_workspace
from tests.dashboard.web.conftest import House, Opens
from tests.dashboard.web.reading import Reader, text_of
from tests.features.given import AS_OF, ago

HOSTILE = "<script>alert(1)</script>"
HEADER = "event_id,member_id,type,occurred_at"
ROWS = ["e1,m1,view,2026-05-01 09:30:00", f"e2,{HOSTILE},sold,2026-05-01T09:30:00Z"]


def feature(name: str, psi: float, **parts: Any) -> dict[str, Any]:
    """One as ``console.insight_quality`` tells it."""
    return {
        "view": "purchases", "name": name, "kind": "number", "rows": 10, "missing": 0.25,
        "missing_before": 0.1, "psi": psi, "low": 0.0, "middle": 1.0, "high": 2.0,
        "histogram": [0.1] * 10, "histogram_before": [0.1] * 10, "values": None,
        "values_before": {}, "span": [0.0, 2.0], **parts,
    }  # fmt: skip


def document() -> dict[str, Any]:
    device = feature("device", 0.01, kind="category", values={HOSTILE: 0.6, "web": 0.4},
                     values_before={"tv": 1.0}, span=None, histogram=[], low=None)  # fmt: skip
    report = {
        "as_of": AS_OF.isoformat(), "reference": [ago(30).isoformat()],
        "compared_with": "moments built before",
        "limits": {"psi": 0.25, "age_days": 3.0}, "behind_days": 1.5, "absent": {"taste": "none"},
        "features": [feature("spend", 0.7), device],
        "feeds": [
            {"table": "events", "rows": 9, "newest": ago(5).isoformat(), "age_days": 5.0},
            {"table": "outcomes", "rows": 0, "newest": None, "age_days": None},
        ],
        "coverage": [{"name": "listed", "text": "", "count": 3, "of": 4, "share": 0.75},
                     {"name": "purchases", "text": "", "count": 4, "of": 4, "share": 1.0}],
        "findings": [{"subject": "spend", "text": "drifted: 0.70", "kind": "drift"}],
    }  # fmt: skip
    example = {"release": "r1", "as_of": AS_OF.isoformat(), "served": 1.0, "offline": None}
    skew = {
        "sampled": 20, "compared": 15, "unchecked": [{"release": "r0", "vectors": 5, "why": "old"}],
        "features": [
            {"name": "spend", "compared": 15, "mismatches": 2, "example": example},
            {"name": "device", "compared": 15, "mismatches": 0, "example": None},
        ],
    }  # fmt: skip
    tables = [{"table": "events", "rows": 1234, "batches": 2, "newest_batch": AS_OF.isoformat()}]
    quarantine = {"events": {"bad_time": 5000}}
    newest = {"events": ago(5).isoformat(), "outcomes": None}
    return {"features": report, "why": "", "newest": newest, "skew": skew, "tables": tables,
            "quarantine": quarantine}  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = open_workspace(tmp_path / "ws")
    file = tmp_path / "may.csv"
    file.write_text("\n".join([HEADER, *ROWS]) + "\n")
    ingest(made, "events", [file])
    return made


@pytest.fixture
def examined(house: Opens, workspace: Workspace) -> House:
    keep(workspace, "quality", document(), as_of=AS_OF, made_at=AS_OF)
    return house(workspace)


def ended(reader: Reader, page: str) -> str:
    """The page of long work once it is done, as its own page looks again and again."""
    path = page[page.index("/jobs/") :].split("/cancel", maxsplit=1)[0].split('"', maxsplit=1)[0]
    for _ in range(600):
        text = reader.text(path)
        if "under way" not in text:
            return text
        time.sleep(0.2)
    raise AssertionError(text)


def test_an_empty_workspace_says_what_to_do_and_an_editor_may_start_it(house: Opens) -> None:
    opened = house()
    page = opened.reader("viewer").get("/data").text
    assert "pushwise insights refresh --only quality" in text_of(page)
    assert "/data/refresh" not in page
    assert 'action="/data/refresh"' in opened.reader("editor").get("/data").text


def test_without_features_the_page_says_how_to_build_them(
    house: Opens, workspace: Workspace
) -> None:
    bare = {**document(), "features": None, "why": "none"}
    keep(workspace, "quality", bare, as_of=AS_OF, made_at=AS_OF)
    page = house(workspace).reader("editor").get("/data").text
    assert "pushwise features build" in text_of(page)
    assert 'action="/data/build"' in page
    assert "1,234" in page


def test_freshness_nulls_drift_skew_and_coverage_are_shown(examined: House) -> None:
    text = examined.reader("viewer").text("/data")
    assert "spend ⚠ drifted drifted: 0.70" in text
    assert "⚠ late" in text
    assert "… nothing yet" in text
    assert "1.50 days later than these features" in text
    assert "spend 25.00% 10.00% ⚠ 0.700" in text
    assert "15 of 20 sampled vectors" in text
    assert "✗ 1 features differ" in text
    assert "Release r0: 5 vectors not compared: old" in text
    assert "have a row in the view Purchases" in text


@pytest.mark.parametrize(("last", "said"), [(5, "⚠ late"), (-6, "✓ fresh")])
def test_a_feed_is_late_once_nothing_newer_comes_in_and_not_because_features_are_old(
    house: Opens, workspace: Workspace, last: float, said: str
) -> None:
    found = document()
    found["features"]["feeds"][0]["age_days"] = 0.1
    found["newest"]["events"] = ago(last).isoformat()
    keep(workspace, "quality", found, as_of=AS_OF, made_at=ago(-7))
    text = house(workspace).reader("viewer").text("/data")
    assert {one for one in ("⚠ late", "✓ fresh") if one in text} == {said}


def test_a_feature_is_shown_beside_its_reference_with_its_data(examined: House) -> None:
    reader = examined.reader("viewer")
    page = reader.get("/data/features/purchases/spend").text
    assert 'download="purchases-spend.csv"' in page
    assert "⚠ drifted" in text_of(page)
    page = reader.get("/data/features/purchases/device").text
    assert HOSTILE not in page
    assert "tv" in text_of(page)
    assert reader.get("/data/features/purchases/nothing").status_code == 404


def test_quarantine_is_counted_by_reason_and_its_rows_are_for_editors(examined: House) -> None:
    viewer, editor = (examined.reader(role) for role in ("viewer", "editor"))
    assert "a time without an offset ( 1 )" in viewer.text("/data")
    seen = viewer.get("/data/quarantine/events").text
    assert "naive_time" in seen
    for secret in ("m1", "may.csv", "alert(1)"):
        assert secret not in seen
    assert "/redrive" not in seen
    page = editor.get("/data/quarantine/events").text
    text = text_of(page)
    assert "may.csv 2 occurred_at" in text
    assert ROWS[1] in text
    assert HOSTILE not in page


def test_a_large_quarantine_shows_the_counts_of_the_last_examination(
    examined: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.ingest.held._MOST_BYTES", 0)
    text = examined.reader("editor").text("/data/quarantine/events")
    assert "no time bad_time 5,000" in text
    assert "these counts are from when the data were examined" in text


def test_only_a_table_can_be_taken_again_and_only_by_an_editor(examined: House) -> None:
    path = "/data/quarantine/events/redrive"
    assert examined.reader("viewer").send(path).status_code == 403
    editor = examined.reader("editor")
    assert editor.send("/data/quarantine/nothing/redrive").status_code == 404
    assert editor.get("/data/quarantine/..%2fkeys").status_code == 404
    assert editor.send(path, {"timezone": "--json"}).status_code == 422
    assert editor.send(path, {"timezone": "../../etc/passwd"}).status_code == 422


@pytest.mark.slow
def test_rows_that_fit_by_now_are_taken_and_the_page_tells_what_came_of_it(
    examined: House,
) -> None:
    reader = examined.reader("editor")
    page = reader.send("/data/quarantine/events/redrive", {"timezone": "Asia/Taipei"})
    assert "done" in ended(reader, page.text)
    text = reader.text("/data/quarantine/events")
    assert "2 rows tried again 1 accepted 0 were in already 1 still do not fit" in text
    assert "naive_time" not in text


def test_the_pages_speak_chinese(examined: House) -> None:
    reader = examined.reader("viewer", "zh-TW")
    text = reader.text("/data")
    assert "線上與離線一致" in text
    assert "時間沒有時區" in text
    assert "隔離區：事件" in reader.text("/data/quarantine/events")
