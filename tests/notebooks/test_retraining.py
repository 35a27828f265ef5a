"""The notebooks that retrain run from the first cell to the last, and promote or say why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from features.workspace import Workspace
from tests.conftest import MarketWorkspace
from tests.notebooks.kept import FOLDER, as_kept, executed, outputs, printed
from training.tracking import versions


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.ipynb")))
def test_is_kept_without_outputs(name: str) -> None:
    notebook = as_kept(name)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.fixture
def served(released: MarketWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of the market whose models serve, as the workspace that a notebook is given."""
    shutil.copytree(released.workspace.root, tmp_path / "mine")
    monkeypatch.setenv("PUSHWISE_WORKSPACE", str(tmp_path / "mine"))
    return Workspace(tmp_path / "mine")


@pytest.mark.slow
def test_the_propensity_is_retrained_and_compared(served: Workspace, tmp_path: Path) -> None:
    before = len(versions(served, "propensity"))
    done = executed("retrain_propensity", tmp_path)
    after = versions(served, "propensity")
    assert len(after) == before + 1
    verdict = "is the champion" if "champion" in after[0].aliases else "stays challenger: "
    assert verdict in printed(done)
    assert len(outputs(done, "image/png")) == 5
    assert "# Model card: propensity" in "".join(outputs(done, "text/markdown"))
    assert "not below the champion" in "".join(outputs(done, "text/html"))


@pytest.mark.slow
def test_the_recommender_is_retrained_and_its_lists_are_shown(
    served: Workspace, tmp_path: Path
) -> None:
    before = len(versions(served, "recommender"))
    done = executed("retrain_recommender", tmp_path)
    after = versions(served, "recommender")
    assert len(after) == before + 1
    verdict = "is the champion" if "champion" in after[0].aliases else "stays challenger: "
    assert verdict in printed(done)
    shown = "".join(outputs(done, "text/html"))
    for said in ("recall@10 explore", "popularity", "would get", "kyoto-"):
        assert said in shown
    assert "# Model card: recommender" in "".join(outputs(done, "text/markdown"))


@pytest.mark.slow
def test_the_response_model_is_retrained_and_says_whether_to_personalise(
    served: Workspace, tmp_path: Path
) -> None:
    before = len(versions(served, "response"))
    done = executed("retrain_response", tmp_path)
    after = versions(served, "response")
    assert len(after) == before + 1
    verdict = "is the champion" if "champion" in after[0].aliases else "stays challenger: "
    assert verdict in printed(done)
    shown = "".join(outputs(done, "text/html"))
    for said in ("heterogeneity", "best_offer", "not below the champion", "best for"):
        assert said in shown
    assert "# Model card: response" in "".join(outputs(done, "text/markdown"))
