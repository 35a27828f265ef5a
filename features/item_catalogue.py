"""What the newest versions of the items say, for whoever reads events one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from features.moments import newest
from features.tables import opened, table_files
from features.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Listed:
    """price: currency."""

    category: str | None
    price: float | None


class ItemCatalogue:
    """The ingested items of a workspace, read anew when their files have changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._looked: datetime | None = None
        self._seen: list[tuple[Path, int]] | None = None
        self._items: dict[str, Listed] = {}

    def __getitem__(self, item_id: str) -> Listed:
        """An item that was never ingested has neither category nor price."""
        return self._items.get(item_id, _UNKNOWN)

    def refresh(self, now: datetime) -> None:
        """Bring it to the versions known at ``now``, if there are other files than last time.

        Looks every ten seconds at most, so that it may be called at any time.
        """
        if self._looked is not None and now - self._looked < _PAUSE:
            return
        self._looked = now
        files = table_files(self._workspace, "items")
        found = [(path, path.stat().st_mtime_ns) for path in files]
        if found == self._seen:
            return
        with opened(self._workspace) as tables:
            versions = newest(tables.items, "item_id", now)
            rows = versions.select(
                "item_id", "category", price=versions.price.cast("float64")
            ).to_pyarrow()
        self._items = {
            item: Listed(category, price)
            for item, category, price in zip(
                *(rows[name].to_pylist() for name in ("item_id", "category", "price")), strict=True
            )
        }
        self._seen = found


_UNKNOWN = Listed(None, None)
_PAUSE = timedelta(seconds=10)
