"""A shop that sends pushes: some members open, some of these click, and all buy in two tastes."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from features.workspace import Workspace
from tests.training.shops import OPENED, purchases, store

PUSHES = 7
DAYS_BETWEEN = 20
FAILED = "m0001"  # nothing ever reaches this member


def reacting_shop(made: Workspace, members: int = 150, seed: int = 0) -> None:
    """Everybody is sent every push; who opens does so within a day, by an openness of their own."""
    events = purchases(members, seed=seed)
    store(made, "events", events)
    items = np.unique(events.item_id.astype(str))
    category = ["bread" if item == "bread" else item[0] for item in items]
    store(made, "items", pd.DataFrame({"item_id": items, "category": category}))
    random = np.random.default_rng(seed)
    openness = random.choice([0.05, 0.7], members)
    sent_at = [OPENED + timedelta(days=50 + DAYS_BETWEEN * n) for n in range(PUSHES)]
    push = np.repeat(np.arange(PUSHES), members)
    member = np.tile(np.arange(members), PUSHES)
    at = pd.Series([sent_at[n] for n in push], dtype="datetime64[us, UTC]")
    ids = [f"m{n:04d}" for n in member]
    offer = pd.DataFrame({"offer_id": ["news"], "kind": ["content"]})
    store(made, "offers", offer.assign(known_at=pd.Timestamp(OPENED)))
    store(
        made,
        "pushes",
        pd.DataFrame(
            {
                "push_id": [f"p{n}" for n in range(PUSHES)],
                "channel": "push",
                "send_at": pd.Series(sent_at, dtype="datetime64[us, UTC]"),
                "offer_ids": [["news"]] * PUSHES,
                "attribution_days": 5.0,
            }
        ),
    )
    decisions = pd.DataFrame(
        {
            "decision_id": [f"d{row}" for row in range(len(push))],
            "push_id": [f"p{n}" for n in push],
            "member_id": ids,
            "offer_id": "news",
            "probability": 0.5,
            "decided_at": at,
            "known_at": at,
        }
    )
    store(made, "decisions", decisions)
    opened = random.random(len(push)) < openness[member]
    clicked = opened & (random.random(len(push)) < 0.5)
    late = random.random(len(push)) < 0.1  # heard of only after the window
    parts = [
        _outcomes(decisions[opened & ~late], "opened", 12),
        _outcomes(decisions[clicked & ~late], "clicked", 14),
        _outcomes(decisions[opened & late], "opened", 144),
        _outcomes(decisions[decisions.member_id == FAILED], "failed", 2),
    ]
    told = pd.concat(parts, ignore_index=True)
    store(made, "outcomes", told.assign(event_id=[f"o{row}" for row in range(len(told))]))


def _outcomes(decisions: pd.DataFrame, kind: str, hours: int) -> pd.DataFrame:
    at = decisions.decided_at + pd.Timedelta(hours=hours)
    return pd.DataFrame(
        {
            "decision_id": decisions.decision_id,
            "type": kind,
            "occurred_at": at,
            "known_at": at,
        }
    )
