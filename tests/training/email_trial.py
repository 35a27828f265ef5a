"""One e-mail test with nothing but what members are: no events, no items, two plain contents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.contract import Kind
from features.ingest.load import ingest
from features.workspace import Conventions, Workspace

SENT = datetime(2026, 3, 2, 9, tzinfo=UTC)
AS_OF = SENT + timedelta(days=30)
ATTRIBUTES: dict[str, Kind] = {
    "spent_before": "number",
    "womens": "number",
    "channel_used": "category",
}


def email_trial(
    folder: Path, members: int, *, seed: int = 0, by_hand: bool = False, strength: float = 1.0
) -> Workspace:
    """A third each got mens, womens or nothing, or (``by_hand``) the big spenders more often.

    Who bought womens before visits more when sent the e-mail on it: 6 points, the rest 1; the other
    e-mail gives everybody 1.5. Big spenders visit more anyway. ``strength`` multiplies effects.
    """
    rng = np.random.default_rng(seed)
    spent, womens = rng.gamma(1.5, 150, members), rng.random(members) < 0.5
    ids = [f"m{n:05d}" for n in range(members)]
    sent = rng.random(members) < (1 / (1 + np.exp(-(spent - 200) / 150)) if by_hand else 2 / 3)
    offer = np.where(sent, np.where(rng.random(members) < 0.5, "mens", "womens"), "")
    effect = np.where(offer == "mens", 0.015, np.where(womens, 0.06, 0.01)) * sent * strength
    visits = rng.random(members) < 0.05 + 0.1 * (spent > 250) + effect
    tables = {
        "members": pd.DataFrame(
            {
                "member_id": ids,
                "joined_at": (SENT - timedelta(days=400)).isoformat(),
                "spent_before": spent.round(2),
                "womens": womens.astype(int),
                "channel_used": rng.choice(["web", "phone"], members),
            }
        ),
        "offers": pd.DataFrame({"offer_id": ["mens", "womens"], "kind": "content"}),
        "pushes": pd.DataFrame(
            {
                "push_id": ["spring"], "channel": "email", "send_at": SENT.isoformat(),
                "offer_ids": "mens|womens", "attribution_days": 14,
            }
        ),
        "decisions": pd.DataFrame(
            {
                "decision_id": [f"d{one}" for one in ids], "push_id": "spring", "member_id": ids,
                "offer_id": offer, "probability": 1.0 if by_hand else 1 / 3,
                "decided_at": SENT.isoformat(),
            }
        ),
        "outcomes": pd.DataFrame(
            {
                "event_id": [f"o{one}" for one in ids], "decision_id": [f"d{one}" for one in ids],
                "type": "converted", "value": 20.0,
                "occurred_at": (SENT + timedelta(days=2)).isoformat(),
            }
        )[visits],
    }  # fmt: skip
    made = Workspace(folder / "workspace", Conventions(attributes=ATTRIBUTES))
    for name, rows in tables.items():
        rows.to_csv(folder / f"{name}.csv", index=False)
        report = ingest(made, name, [folder / f"{name}.csv"])
        assert report.accepted == len(rows), report
    return made
