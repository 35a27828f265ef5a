"""Small shops to train on, written as the ingest would have stored them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from features.workspace import Workspace

OPENED = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = OPENED + timedelta(days=300)


def store(workspace: Workspace, table: str, rows: pd.DataFrame) -> None:
    """Write contract rows as one ingested batch; columns that are left out are null."""
    folder = workspace.tables / table
    folder.mkdir(parents=True, exist_ok=True)
    rows.assign(digest=[f"{table}{row}" for row in range(len(rows))]).to_parquet(
        folder / f"{len(list(folder.iterdir()))}.parquet", coerce_timestamps="us"
    )


def purchases(members: int = 300, days: int = 300, seed: int = 0) -> pd.DataFrame:
    """Events of a shop with two tastes: even members buy items a*, odd ones b*, at steady rates.

    A tenth of the purchases are of the popular item ``bread``.
    """
    random = np.random.default_rng(seed)
    rate = random.gamma(0.8, 0.03, members)  # orders a day
    counts = random.poisson(rate * days)
    member = np.repeat(np.arange(members), counts)
    day = np.sort(random.uniform(0, days, len(member)))
    random.shuffle(member)
    favourite = np.minimum(random.geometric(0.2, len(member)) - 1, 9)
    taste = np.array(["a", "b"])[member % 2]
    item = np.char.add(taste, favourite.astype(str)).astype(object)
    item[random.random(len(member)) < 0.1] = "bread"
    at = pd.Series([OPENED + timedelta(days=float(d)) for d in day], dtype="datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "event_id": [f"e{row}" for row in range(len(member))],
            "member_id": [f"m{number:04d}" for number in member],
            "type": "purchase",
            "occurred_at": at,
            "known_at": at.copy(),  # or who sets one sets the other
            "item_id": item,
            "quantity": 1.0,
            "unit_price": [Decimal(int(price)) for price in random.integers(5, 50, len(member))],
            "order_id": [f"o{row}" for row in range(len(member))],
        }
    )
