"""The page about all members: it shows what was prepared, and how to prepare the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.insights.cohorts import new_members
from features.insights.flow import lifecycle_flow, value_tiers
from features.insights.prepared import keep
from features.workspace import Workspace
from tests.dashboard.web.conftest import Opens
from tests.features.given import AS_OF, ago, events, write_batch

HOSTILE = "<script>alert(1)</script>"
ESTIMATE = {"value": 1.2, "low": 0.8, "high": 1.6}
PUSHES: dict[str, Any] = {
    "pushes": 60,
    "shown": [
        {"push_id": HOSTILE, "send_at": "2026-04-01T09:00:00+00:00", "sent": 400, "held": 390,
         "whole": True, "margin": ESTIMATE, "cost": ESTIMATE, "gain": ESTIMATE,
         "total_gain": {"reason": "too_few_members", "told": "one has bought"}},
        {"push_id": "all", "send_at": "2026-03-01T09:00:00+00:00",
         "cannot_say": {"reason": "no_holdout", "told": "give the next a holdout"}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("segments"))
    members = [{"member_id": f"m{n}", "joined_at": ago(160 - n)} for n in range(100)]
    rows = [
        {"member_id": f"m{n}", "type": "purchase", "occurred_at": ago(150 - n - 30 * k),
         "unit_price": 10 + n}
        for n in range(100) for k in range(n % 4) if 150 - n - 30 * k > 0
    ]  # fmt: skip
    early = {"member_id": "m1", "type": "purchase", "occurred_at": ago(400), "unit_price": 1}
    write_batch(workspace, "members", members)
    write_batch(workspace, "events", events(early, *rows))
    made = {
        "lifecycle": lifecycle_flow(workspace, AS_OF),
        "values": value_tiers(workspace, AS_OF),
        "cohorts": new_members(workspace, AS_OF),
        "pushes": PUSHES,
    }
    for name, document in made.items():
        keep(workspace, name, document, as_of=AS_OF, made_at=datetime(2026, 5, 2, tzinfo=UTC))
    return workspace


def test_an_empty_workspace_says_what_counts_it(house: Opens) -> None:
    reader = house().reader("viewer")
    assert "pushwise insights refresh --workspace" in reader.text("/segments")


def test_the_page_shows_every_part(house: Opens, counted: Workspace) -> None:
    reader = house(counted).reader("viewer")
    answer, text = reader.get("/segments"), reader.text("/segments")
    assert answer.status_code == 200
    for part in ("Lifecycle flow", "Movement between value tiers", "Buying again",
                 "First purchase by cohort", "Second purchase by cohort"):  # fmt: skip
        assert part in text
    assert text.count("These data as CSV") == 8
    assert "nobody was held out by chance" in text
    assert "The last 2 of 60 pushes." in text
    assert 'id="lifecycle"' in answer.text


def test_names_of_pushes_are_text(house: Opens, counted: Workspace) -> None:
    page = house(counted).reader("viewer").get("/segments").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_the_page_speaks_chinese(house: Opens, counted: Workspace) -> None:
    text = house(counted).reader("viewer", "zh-TW").text("/segments")
    for part in ("生命週期流向", "價值等級之間的移動", "無法判斷：沒有隨機保留的對照會員", "新客"):
        assert part in text


def test_one_part_that_is_missing_says_how_to_count_it(house: Opens, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    keep(workspace, "pushes", {"pushes": 0, "shown": []}, as_of=AS_OF, made_at=AS_OF)
    text = house(workspace).reader("viewer").text("/segments")
    assert "--only lifecycle" in text
    assert "--only pushes" not in text
    assert "No push was decided yet." in text


def test_only_an_editor_starts_the_counting(house: Opens, counted: Workspace) -> None:
    opened = house(counted)
    assert "Refresh" not in opened.reader("viewer").text("/segments")
    assert opened.reader("viewer").send("/segments/refresh", {}).status_code == 403
    editor = opened.reader("editor")
    assert "Refresh" in editor.text("/segments")
    page = editor.send("/segments/refresh", {})
    assert page.url.path.startswith("/jobs/w_")
    job = opened.ground.work.newest("Count all members anew")
    assert job is not None
    assert job.then == "/segments"
    assert "Count all members anew" in editor.text("/segments")
    opened.ground.work.cancel(job.job_id)
