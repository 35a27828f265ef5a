"""What a training kept of members who were erased meanwhile is in no release."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from features.tombstones import erasure_key, mark, remember
from features.workspace import Workspace
from models.forget import known_members
from models.recommender import AlsRecommender
from training.release import without_erased


def test_a_release_holds_nobody_who_was_erased_while_a_model_was_trained(tmp_path: Path) -> None:
    workspace, folder = Workspace(tmp_path / "workspace"), tmp_path / "release"
    ids = np.array([b"m1", b"m2", b"m3"])
    factors = np.eye(3, dtype=np.float32)
    model = AlsRecommender(ids, np.array([b"i1"]), factors, factors[:1], np.ones(1, np.float32))
    model.save(folder / "recommender")
    without_erased(workspace, folder)
    assert known_members(folder / "recommender") == ["m1", "m2", "m3"]
    remember(workspace, [mark(erasure_key(workspace.keys), "m2")])
    without_erased(workspace, folder)
    assert known_members(folder / "recommender") == ["m1", "m3"]
