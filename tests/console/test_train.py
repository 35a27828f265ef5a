from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from console import train, trainers
from console.trainers import TrainingAsk, Which
from features.progress import Progress
from features.workspace import Workspace
from models.manifest import TrackedVersion
from training.errors import TrainingError
from training.trained import Check, Comparison, Trained

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)


def app() -> typer.Typer:
    """The command alone."""
    made = typer.Typer()
    made.command("train")(train.train)
    return made


def trained(ask: TrainingAsk, progress: Progress) -> Trained:
    progress("propensity", 1, 1)
    comparison = Comparison("auc", 0.78, {"rfm": 0.75, "recency": 0.72})
    window = f"{ask.as_of - timedelta(days=ask.horizon_days or 30):%Y-%m-%d}, seed {ask.seed}"
    version = TrackedVersion("run", "3")
    facts = {"data_window": window}
    return Trained("propensity", version, Path(), (comparison,), ask.promote, facts)


def held_back(ask: TrainingAsk, progress: Progress) -> Trained:
    comparison = Comparison("recall@10", 0.1, {"popularity": 0.2}, True, 0.15)
    failed = Check("better than the plain baselines", False, "recall@10 0.1 beside popularity 0.2")
    return Trained(
        "repeat", TrackedVersion("run", "4"), Path(), (comparison,), False, {}, (failed,)
    )


def impossible(ask: TrainingAsk, progress: Progress) -> Trained:
    raise TrainingError("no pushes to learn from")


@pytest.fixture
def some_possible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.setattr(
        trainers,
        "TRAINERS",
        {Which.PROPENSITY: trained, Which.RESPONSE: impossible},
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


def test_what_stopped_a_model_is_told_with_what_was_found(
    some_possible: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers, "TRAINERS", {Which.REPEAT: held_back})
    shown = CliRunner().invoke(app(), ["repeat", *some_possible])
    assert shown.exit_code == 0
    assert "repeat v4: challenger, not past the gates: better than the plain" in shown.stdout
    assert "recall@10 0.1 beside popularity 0.2" in shown.stdout
    document = json.loads(CliRunner().invoke(app(), ["repeat", "--json", *some_possible]).stdout)
    assert document["models"][0]["champion"] is False
    assert document["models"][0]["checks"][0]["passed"] is False
    assert document["models"][0]["figures"][0]["champion"] == 0.15


def test_no_promote_leaves_a_good_model_challenger(some_possible: list[str]) -> None:
    shown = CliRunner().invoke(app(), ["propensity", "--no-promote", *some_possible])
    assert "propensity v3: challenger, past every gate (--no-promote)" in shown.stdout


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
    monkeypatch.setattr(trainers, "TRAINERS", {Which.RESPONSE: impossible})
    assert CliRunner().invoke(app(), some_possible).exit_code == 1


def test_every_model_has_a_trainer() -> None:
    assert {*trainers.TRAINERS, Which.ALL} == set(Which)


def test_an_empty_workspace_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="ingest some, or give --as-of"):
        train.train(workspace=Workspace(tmp_path).root)
