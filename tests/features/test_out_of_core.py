"""A shop larger than the memory that a build may use."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.shop import AS_OF, lay_out
from features.build import build_features
from features.engine import EngineSettings
from features.record import view_file

EVENTS = 1_000_000


@pytest.mark.slow
def test_a_build_within_little_memory_gives_what_one_within_plenty_gives(tmp_path: Path) -> None:
    shop = lay_out(tmp_path, EVENTS)
    shown = {}
    for limit in ("2GB", "128MB"):
        workspace = replace(shop, engine=EngineSettings("duckdb", limit))
        written = build_features(workspace, [AS_OF]).written[AS_OF]
        assert written["clickstream"] == EVENTS // 100
        shown[limit] = {
            view: pq.read_table(view_file(workspace, view, AS_OF)).drop_columns("created")
            for view in written
        }
        vocabulary = (workspace.features / "vocabulary.json").read_bytes()
        shutil.rmtree(workspace.features)
        workspace.features.mkdir()
        (workspace.features / "vocabulary.json").write_bytes(vocabulary)
    assert all(shown["128MB"][view].equals(rows) for view, rows in shown["2GB"].items())
