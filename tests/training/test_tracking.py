from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from features.workspace import Workspace
from training.errors import TrainingError
from training.plots import lift_plot
from training.tracking import Run, champion, promote, register, tracked


@pytest.fixture
def workspace(tmp_path: Path, empty_record: Path) -> Workspace:
    made = Workspace(tmp_path / "shop")
    shutil.copytree(empty_record, made.mlflow)
    return made


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "propensity"
    folder.mkdir()
    (folder / "booster.txt").write_text("trees")
    return folder


def one_run(workspace: Workspace, model: Path) -> tuple[Run, Path]:
    with tracked(workspace, "propensity", "a run") as run:
        kept = run.folder(model)
    return run, kept


def kept(workspace: Workspace, question: str) -> dict[str, object]:
    with sqlite3.connect(workspace.mlflow / "mlflow.db") as record:
        return dict(record.execute(question).fetchall())


def test_a_run_keeps_what_went_in_and_what_came_out(workspace: Workspace, model: Path) -> None:
    with tracked(workspace, "propensity", "a run") as run:
        run.params({"rounds": 300})
        run.metrics({"auc": 0.78})
        run.tags({"data_window": "2011"})
        run.charts("lift", {"lift": lift_plot(np.array([True, False]), np.array([0.9, 0.1]))})
        folder = run.folder(model)
    assert kept(workspace, "select key, value from params") == {"rounds": "300"}
    assert kept(workspace, "select key, value from metrics") == {"auc": 0.78}
    tags = kept(workspace, "select key, value from tags")
    assert tags["data_window"] == "2011"
    assert tags["code_version"]
    assert kept(workspace, "select name, status from runs") == {"a run": "FINISHED"}
    assert (run.artifacts / "plots" / "lift.png").exists()
    rows = (run.artifacts / "plots" / "lift.csv").read_text().splitlines()
    assert rows[:2] == ["series,x,y,low,high", "model,1.0,10.0,,"]
    assert json.loads((run.artifacts / "charts.json").read_text())["lift"][0]["series"] == "model"
    assert (folder / "booster.txt").read_text() == "trees"


def test_a_run_that_breaks_is_kept_as_failed(workspace: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), tracked(workspace, "propensity", "a run"):
        raise ZeroDivisionError
    assert kept(workspace, "select name, status from runs") == {"a run": "FAILED"}


def test_nothing_promoted_is_no_champion(workspace: Workspace, model: Path) -> None:
    assert champion(workspace, "propensity") is None
    register(workspace, "propensity", *one_run(workspace, model))
    assert champion(workspace, "propensity") is None


def test_the_champion_stays_until_another_is_promoted(workspace: Workspace, model: Path) -> None:
    run, folder = one_run(workspace, model)
    first = register(workspace, "propensity", run, folder)
    promote(workspace, "propensity", first)
    second = register(workspace, "propensity", *one_run(workspace, model))
    assert (first.version, second.version) == ("1", "2")
    assert champion(workspace, "propensity") == (first, folder)
    promote(workspace, "propensity", second)
    found = champion(workspace, "propensity")
    assert found is not None
    assert found[0] == second


def test_a_workspace_may_be_moved(workspace: Workspace, model: Path, tmp_path: Path) -> None:
    version = register(workspace, "propensity", *one_run(workspace, model))
    promote(workspace, "propensity", version)
    workspace.root.rename(tmp_path / "moved")
    found = champion(Workspace(tmp_path / "moved"), "propensity")
    assert found is not None
    assert found[0] == version
    assert (found[1] / "booster.txt").exists()


def test_asking_for_a_champion_makes_no_record(tmp_path: Path) -> None:
    assert champion(Workspace(tmp_path / "new"), "propensity") is None
    assert not (tmp_path / "new").exists()


def test_two_workspaces_never_mix(
    workspace: Workspace, model: Path, tmp_path: Path, empty_record: Path
) -> None:
    promote(workspace, "propensity", register(workspace, "propensity", *one_run(workspace, model)))
    other = Workspace(tmp_path / "other")
    shutil.copytree(empty_record, other.mlflow)
    version = register(other, "propensity", *one_run(other, model))
    assert version.version == "1"
    assert champion(other, "propensity") is None


def test_only_what_the_run_kept_can_be_registered(workspace: Workspace, model: Path) -> None:
    run, _ = one_run(workspace, model)
    with pytest.raises(TrainingError, match="not an artifact of run"):
        register(workspace, "propensity", run, model)


def test_a_figure_that_was_not_measured_is_refused(workspace: Workspace) -> None:
    with (
        pytest.raises(TrainingError, match="metric auc is nan"),
        tracked(workspace, "propensity", "a run") as run,
    ):
        run.metrics({"auc": float("nan")})


def test_a_champion_whose_files_are_gone_is_named(workspace: Workspace, model: Path) -> None:
    run, folder = one_run(workspace, model)
    promote(workspace, "propensity", register(workspace, "propensity", run, folder))
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(TrainingError, match=r"version 1 should lie in .* train again"):
        champion(workspace, "propensity")


def test_an_unknown_version_cannot_be_promoted(workspace: Workspace, model: Path) -> None:
    version = register(workspace, "propensity", *one_run(workspace, model))
    with pytest.raises(TrainingError, match="the training record"):
        promote(workspace, "response", version)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.mlflow.mkdir()
    (workspace.mlflow / "mlflow.db").write_text("not a database")
    with pytest.raises(TrainingError, match=r"the training record .*mlflow"):
        champion(workspace, "propensity")
