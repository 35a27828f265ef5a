"""``pushwise experiment results`` of a shadow experiment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner

from console.main import application
from experiments.design import Arm, Experiment
from features.workspace import open_workspace
from serving.experiment_audit import Change
from serving.experiments import Book
from serving.log import Log


def test_results_of_a_shadow_say_what_is_missing_until_members_were_decided(
    tmp_path: Path,
) -> None:
    workspace = open_workspace(tmp_path / "workspace")
    arms = (Arm("champion", 0.5, "champion"), Arm("random", 0.5, "random"))
    with Log.of(workspace) as log:
        change = Change(datetime(2026, 5, 1, tzinfo=UTC), "test")
        Book(log).create(Experiment("dusk", arms, "champion", mode="shadow"), change)
        Book(log).start("dusk", change)
    asked = ["experiment", "results", "dusk", "--workspace", str(workspace.root)]
    told = CliRunner().invoke(application(), asked)
    assert told.exit_code == 0, told.output
    assert "random: 0 members, wanted 100." in told.output
    assert "follows a decision in seconds, while a scorer runs" in told.output
    found = json.loads(CliRunner().invoke(application(), [*asked, "--json"]).stdout)
    assert found["arms"]["random"]["reason"] == "too_few_members"
