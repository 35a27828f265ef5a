"""What the scorer acknowledged reaches the tables, once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from console.scorer_log import take_scorer_log
from features.tables import opened
from features.workspace import Workspace
from serving.log import Log

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_events_given_to_the_scorer_are_ingested_once(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    event = {"event_id": "e1", "member_id": "m1", "type": "view", "occurred_at": NOW.isoformat()}
    with Log(workspace.serving_log) as log:
        assert log.keep_events([event], NOW).accepted == 1
    first, second = take_scorer_log(workspace), take_scorer_log(workspace)
    assert [(one.table, one.accepted) for one in first] == [("events", 1)]
    assert second == []
    with opened(workspace) as tables:
        assert tables.events.member_id.execute().tolist() == ["m1"]


def test_a_workspace_without_a_scorer_has_nothing_to_take(tmp_path: Path) -> None:
    assert take_scorer_log(Workspace(tmp_path)) == []
    assert not (tmp_path / "serving").exists()
