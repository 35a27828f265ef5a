"""The notebook runs from the first cell to the last, on its own market and on a given workspace."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from features.workspace import Workspace
from tests.conftest import REPOSITORY
from tests.features.given import small_shop

NOTEBOOK = REPOSITORY / "notebooks" / "explore_features.ipynb"


def as_kept() -> NotebookNode:
    # nbformat says that it is typed, but this function is not.
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call, no-any-return]


def executed(folder: Path) -> NotebookNode:
    """The notebook with its outputs. Raises ``CellExecutionError`` where a cell fails."""
    notebook = as_kept()
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    done: NotebookNode = client.execute()
    return done


def outputs(notebook: NotebookNode, kind: str) -> list[str]:
    return [
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if kind in output.get("data", {})
    ]


def test_is_kept_without_outputs() -> None:
    notebook = as_kept()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.slow
def test_runs_on_a_market_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUSHWISE_WORKSPACE", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = executed(tmp_path)
    assert len(outputs(done, "image/png")) == 6
    tables = "".join(outputs(done, "text/html"))
    for shown in ("lifecycle", "orders_30d", "points_expire_days", "drifted: stability index"):
        assert shown in tables
    said = "".join(o["text"] for cell in done.cells for o in cell.get("outputs", ()) if "text" in o)
    assert "2,000 rows for 2,000 asked" in said


@pytest.mark.slow
def test_runs_on_a_given_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "mine")
    small_shop(workspace)
    monkeypatch.setenv("PUSHWISE_WORKSPACE", str(workspace.root))
    done = executed(tmp_path)
    assert str(workspace.root) in "".join(outputs(done, "text/plain"))
    assert list((workspace.features / "purchases").glob("*.parquet"))
