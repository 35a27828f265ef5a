"""What the scorer acknowledged reaches the tables, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.scorer_log import planned, take_scorer_log
from features.contract import contract_table
from features.rows import parse_row
from features.tables import opened
from features.workspace import Workspace
from serving.catalogue import Catalogue, Given
from serving.catalogue_entry import Kind
from serving.log import Log
from serving.preconditions import Conditions

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


def put(log: Log, table: Kind, **given: object) -> None:
    row = parse_row(contract_table(table), given)
    entry_id = str(row[contract_table(table).key])
    Catalogue(log).put(Given(table, entry_id, row, NOW, "key"), Conditions())


def test_offers_are_taken_version_by_version_and_pushes_once_they_were_due(tmp_path: Path) -> None:
    workspace, ahead = Workspace(tmp_path), datetime.now(UTC) + timedelta(days=2)
    with Log(workspace.serving_log) as log:
        for value in (5, 10, 5):
            put(log, "offers", offer_id="ten", kind="percent_off", value=value)
        for name, moment in (("over", NOW), ("ahead", ahead)):
            put(log, "pushes", push_id=name, channel="push", send_at=moment, offer_ids="ten")
    first, second = take_scorer_log(workspace), take_scorer_log(workspace)
    assert [(one.table, one.accepted) for one in first] == [("offers", 2), ("pushes", 1)]
    assert second == []
    with opened(workspace) as tables:
        assert tables.pushes.push_id.execute().tolist() == ["over"]
    put_by_then = planned(workspace, NOW + timedelta(days=1))
    assert [push.push_id for push in put_by_then.pushes] == ["ahead"]
    assert [offer.value for offer in put_by_then.offers] == [5.0]  # the newest, though not new
