from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from console import train
from features.progress import Progress
from features.workspace import Workspace
from models.manifest import TrackedVersion
from training.errors import TrainingError
from training.trained import Comparison, Trained

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)


def app() -> typer.Typer:
    """The command alone."""
    made = typer.Typer()
    made.command("train")(train.train)
    return made


def trained(ask: train.TrainingAsk, progress: Progress) -> Trained:
    progress("propensity", 1, 1)
    comparison = Comparison("auc", 0.78, {"rfm": 0.75, "recency": 0.72})
    window = f"{ask.as_of - timedelta(days=ask.horizon_days):%Y-%m-%d}, seed {ask.seed}"
    version = TrackedVersion("run", "3")
    return Trained("propensity", version, Path(), (comparison,), True, {"data_window": window})


def impossible(ask: train.TrainingAsk, progress: Progress) -> Trained:
    raise TrainingError("no pushes to learn from")


@pytest.fixture
def some_possible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.setattr(
        train,
        "TRAINERS",
        {train.Which.PROPENSITY: trained, train.Which.RESPONSE: impossible},
    )
    return ["--workspace", str(tmp_path), "--as-of", "2026-05-01"]


def test_shows_each_figure_beside_its_baselines_and_says_what_was_left_out(
    some_possible: list[str],
) -> None:
    shown = CliRunner().invoke(app(), some_possible)
    assert shown.exit_code == 0
    assert "0.7800" in shown.stdout
    assert "rfm 0.7500" in shown.stdout
    assert "propensity v3: champion" in shown.stdout
    assert "response: not trained, no pushes to learn from" in shown.stdout


def test_json_is_one_document(some_possible: list[str]) -> None:
    shown = CliRunner().invoke(
        app(), ["all", "--json", "--seed", "7", "--horizon-days", "10", *some_possible]
    )
    document = json.loads(shown.stdout)
    assert document["as_of"] == AS_OF.isoformat()
    assert document["models"][0]["facts"] == {"data_window": "2026-04-21, seed 7"}
    assert document["models"][0]["figures"][0]["baselines"] == {"rfm": 0.75, "recency": 0.72}
    assert document["skipped"] == {"response": "no pushes to learn from"}


def test_one_model_that_cannot_be_trained_is_an_error(some_possible: list[str]) -> None:
    shown = CliRunner().invoke(app(), ["response", *some_possible])
    assert isinstance(shown.exception, TrainingError)


def test_nothing_trained_is_a_failure(
    some_possible: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "TRAINERS", {train.Which.RESPONSE: impossible})
    assert CliRunner().invoke(app(), some_possible).exit_code == 1


def test_every_model_has_a_trainer() -> None:
    assert {*train.TRAINERS, train.Which.ALL} == set(train.Which)


def test_an_empty_workspace_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="ingest some, or give --as-of"):
        train.train(workspace=Workspace(tmp_path).root)
