"""A release of many members: the tiny one of ``conftest`` with more rows in its snapshot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from features.snapshot import Snapshot
from models.lifetime_values import FOLDER, LifetimeValues
from serving.release import golden


def enlarge(folder: Path, members: int) -> None:
    """Give the unsealed release in ``folder`` so many members, and new golden answers."""
    small = Snapshot.load(folder / "snapshot")
    rows = np.arange(members) % len(small.values)
    values = small.values[rows].copy()
    values[:, :2] *= np.random.default_rng(8).uniform(0.5, 1.5, (members, 2)).astype(np.float32)
    ids = np.array([f"m{number:07d}".encode() for number in range(members)])
    Snapshot(small.as_of, small.encoding, ids, values).save(folder / "snapshot")
    if (folder / FOLDER).is_dir():
        LifetimeValues.load(folder / FOLDER).of_rows(rows).save(folder / FOLDER)
    asked = [
        {"push_id": "spring", "at": small.as_of.isoformat(), "member_ids": ["m0000001", "stranger"]}
    ]
    (folder / "golden.json").write_text(json.dumps(golden(folder, asked)))
