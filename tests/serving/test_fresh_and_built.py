"""What is fresh and what is built of the same events agree."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from console.scorer_log import take_scorer_log
from features.build import build_features
from features.fresh_state import FreshState
from features.item_catalogue import ItemCatalogue
from features.record import view_file
from features.workspace import Workspace
from serving.follow import Follower
from serving.log import Log
from tests.features.given import write_batch
from tests.serving.test_follow import FakeStore

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)
KINDS = ("view", "add_to_cart", "remove_from_cart", "purchase", "search")


@pytest.mark.slow
def test_the_open_cart_is_what_a_build_calls_abandoned(tmp_path: Path) -> None:
    rng = random.Random(7)
    workspace, store = Workspace(tmp_path), FakeStore()
    write_batch(workspace, "items", [{"item_id": "i1", "category": "shoes", "price": 12.5}])
    rows: list[dict[str, Any]] = [
        {"event_id": f"e{number}", "member_id": f"m{rng.randrange(12)}", "type": rng.choice(KINDS),
         "item_id": f"i{rng.randrange(6)}", "quantity": 2,
         "occurred_at": (NOW - timedelta(minutes=rng.randrange(40 * 1440))).isoformat()}
        for number in range(400)
    ]  # fmt: skip
    for row in rows:  # a price each item keeps, and one that only the catalogue knows
        if row["item_id"] != "i1":
            row["unit_price"] = str(5 + int(row["item_id"][1:]))
    with Log(workspace.serving_log) as log, closing(FreshState(workspace.fresh_state)) as state:
        assert log.keep_events(rows, NOW).accepted == len(rows)
        items = ItemCatalogue(workspace)
        items.refresh(NOW)
        Follower(log, state, store, items, lambda: NOW).step()
    take_scorer_log(workspace)
    as_of = NOW + timedelta(microseconds=1)
    build_features(workspace, (as_of,))
    built = pd.read_parquet(view_file(workspace, "clickstream", as_of)).set_index("member_id")
    assert len(built) == len(store.rows) == 12
    for member, fresh in store.rows.items():
        assert fresh.open_cart_items == built.loc[member, "abandoned_carts_30d"]
        assert fresh.open_cart_value == pytest.approx(built.loc[member, "abandoned_value_30d"])
    assert built["abandoned_carts_30d"].nunique() > 2
