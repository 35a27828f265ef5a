"""Category and price of an item, for whoever reads events one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from features.item_catalogue import ItemCatalogue, Listed
from features.workspace import Workspace
from tests.features.given import write_batch

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)


def test_the_newest_version_counts_once_its_file_is_seen(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    items = ItemCatalogue(workspace)
    items.refresh(NOW)
    assert items["boots"] == Listed(None, None)
    write_batch(workspace, "items", [{"item_id": "boots", "category": "shoes", "price": 80}], "a")
    changed = {"item_id": "boots", "category": "sale", "price": 49.5, "known_at": NOW}
    items.refresh(NOW + timedelta(seconds=1))  # too soon to look again
    assert items["boots"] == Listed(None, None)
    items.refresh(NOW + timedelta(seconds=10))
    assert items["boots"] == Listed("shoes", 80.0)
    write_batch(workspace, "items", [changed], "b")
    items.refresh(NOW + timedelta(seconds=20))
    assert items["boots"] == Listed("sale", 49.5)
