"""The notebook runs from the first cell to the last, on its own market and on a given workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.workspace import Workspace
from tests.features.given import small_shop
from tests.notebooks.kept import executed, outputs, printed

NOTEBOOK = "explore_features"


@pytest.mark.slow
def test_runs_on_a_market_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUSHWISE_WORKSPACE", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = executed(NOTEBOOK, tmp_path)
    assert len(outputs(done, "image/png")) == 6
    tables = "".join(outputs(done, "text/html"))
    for shown in ("lifecycle", "orders_30d", "popularity.trend", "drifted: stability index"):
        assert shown in tables
    assert "2,000 rows for 2,000 asked" in printed(done)


@pytest.mark.slow
def test_runs_on_a_given_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "mine")
    small_shop(workspace)
    monkeypatch.setenv("PUSHWISE_WORKSPACE", str(workspace.root))
    done = executed(NOTEBOOK, tmp_path)
    assert str(workspace.root) in "".join(outputs(done, "text/plain"))
    assert list((workspace.features / "purchases").glob("*.parquet"))
