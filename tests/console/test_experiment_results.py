"""What an experiment shows: from the scorer's log and the tables to the verdict, as of a moment."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.experiment_results import results_of
from console.main import application
from experiments.contrast import Lift
from experiments.errors import ExperimentError
from features.workspace import Workspace
from serving.experiment_errors import UnknownExperiment
from serving.experiments import Book
from serving.log import Log
from serving.readouts import read_results
from tests.console.measured_experiment import EXPERIMENT, MEMBERS, START, arm_of, measured

ID = EXPERIMENT.experiment_id


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("measured"))
    measured(made)
    return made


def test_what_was_logged_and_bought_becomes_the_verdict(workspace: Workspace) -> None:
    found = results_of(workspace, ID)
    members = Counter(arm_of(member) for member in MEMBERS)
    by_arm = {arm.arm: arm for arm in found.readout.arms}
    assert {name: arm.members for name, arm in by_arm.items()} == members
    assert by_arm["nobody"].converted == members["nobody"], "the holdout's purchases count"
    assert (by_arm["nobody"].sends, by_arm["champion"].reached) == (0, members["champion"])
    assert by_arm["champion"].cost == pytest.approx(0.1 * members["champion"])
    primary = found.readout.contrast("challenger", "champion").primary
    assert isinstance(primary, Lift)
    assert primary.difference.low < 10 < primary.difference.high
    assert found.readout.verdict.kind == "promote"
    assert found.funnel["champion"]["delivered"] == members["champion"]
    assert found.funnel["nobody"]["sent"] == 0


def test_an_earlier_look_says_what_was_known_then(workspace: Workspace) -> None:
    first_look = START + timedelta(days=10)
    then = results_of(workspace, ID, first_look)
    assert then.readout.look.number == 1
    early = {arm.arm: arm.converted for arm in then.readout.arms}
    assert early["champion"] == sum(
        arm_of(member) == "champion" and int(member[1:]) % 3 == 0 for member in MEMBERS
    )
    between = results_of(workspace, ID, first_look + timedelta(days=3))
    assert between.readout.verdict.kind == "wait"
    assert between.at_look == then.readout
    assert between.to_json()["at_look"]["verdict"] == then.readout.to_json()["verdict"]


def test_what_comes_in_after_the_last_look_is_shown_and_decides_nothing(
    workspace: Workspace,
) -> None:
    with Log.of(workspace) as log:
        entry = Book(log).find(ID)
    last = START + timedelta(days=5)
    short = replace(EXPERIMENT, analysis=replace(EXPERIMENT.analysis, looks=1, days=5))
    found = read_results(
        workspace, replace(entry, declared=short, looks=(last,)), START + timedelta(days=16)
    )
    assert found.at_look is not None
    assert found.at_look.as_of == last
    now, then = (one.contrast("challenger", "champion") for one in (found.readout, found.at_look))
    assert isinstance(now.primary, Lift)
    assert isinstance(then.primary, Lift)
    assert now.primary.difference.value > 2 * then.primary.difference.value
    assert (now.decided, now.verdict) == (then.decided, then.verdict)
    assert found.readout.verdict == found.at_look.verdict


def test_the_curve_ends_where_the_results_are(workspace: Workspace) -> None:
    as_of = START + timedelta(days=3.5)
    days = [START + timedelta(days=day) for day in (1, 2, 3)]
    found = results_of(workspace, ID, as_of, lambda _entry, _as_of: days)
    assert [one.as_of for one in found.history] == days
    alone = results_of(workspace, ID, found.history[-1].as_of)
    assert alone.readout == found.history[-1]


def test_the_command_tells_the_same_as_the_document(workspace: Workspace) -> None:
    command = ["experiment", "results", ID, "--workspace", str(workspace.root)]
    command += ["--as-of", "2026-03-21"]
    shown = CliRunner().invoke(application(), command)
    assert shown.exit_code == 0, shown.output
    told = CliRunner().invoke(application(), [*command, "--json", "--moments", "1"])
    document = json.loads(told.stdout)
    looks = [one["as_of"] for one in document["history"] if one["look"]["due"]]
    assert looks == ["2026-03-11T00:00:00+00:00"], "the look at the end is the document itself"
    assert shown.stdout.startswith(document["verdict"]["sentence"])
    assert document["verdict"]["kind"] == "promote"
    assert document["as_of"] == "2026-03-21T00:00:00+00:00"
    assert "lifecycle: " in shown.stdout
    assert "intervals in the tables" not in shown.stdout
    early = CliRunner().invoke(application(), [*command[:-1], "2026-03-11"])
    assert "intervals in the tables: 95%, each as if looked at once and alone" in early.stdout


def test_what_cannot_be_read_says_why(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownExperiment):
        results_of(workspace, "other")
    with pytest.raises(ExperimentError, match=r"had not started by .*; it started on 2026"):
        results_of(workspace, ID, START)
    with pytest.raises(ExperimentError, match="lies ahead"):
        results_of(workspace, ID, datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(ExperimentError, match="no scorer's log"):
        results_of(Workspace(tmp_path), ID)
