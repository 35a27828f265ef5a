"""``pushwise experiment``: from a draft to a decision, and what is told when something is wrong."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from console.experiment_trail import show_trail
from console.main import application
from features.workspace import Workspace
from models.keys import PUBLIC, trainer_key, trusted_keys
from models.manifest import TrackedVersion
from serving.api_keys import Keys, NewKey
from serving.experiment_audit import Audited, Change
from serving.experiments import Book
from serving.log import Log
from serving.pointer import current, publish
from serving.release import seal
from tests.conftest import REPOSITORY
from tests.console.measured_experiment import EXPERIMENT, measured

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
UNFINISHED_RULE = """
experiment_id = "x"
control = "b"
arms = [
    {name = "a", share = 0.5, kind = "rule", rule = "recency_days <", offer = "ten"},
    {name = "b", share = 0.5, kind = "holdout"},
]
"""
PLAIN = ("create", "spring", "--champion", "0.45", "--challenger", "r2=0.45", "--holdout", "0.1")


@pytest.fixture
def workspace(tmp_path: Path, candidate: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """With the releases r1, published, and r2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    found = Workspace(tmp_path / "workspace")
    for name in ("r1", "r2"):
        shutil.copytree(candidate, found.releases / name)
        folder, key = found.releases / name, trainer_key(found.keys)
        seal(folder, name, AS_OF, {"prior": TrackedVersion("run", "1")}, key)
    publish(found.releases, "r1", trusted_keys(found.keys / PUBLIC))
    return found


@cache
def whole() -> Typer:
    """Putting it together takes longer than a command."""
    return application()


def pushwise(workspace: Workspace, *words: str) -> Result:
    where = ("--workspace", str(workspace.root))
    return CliRunner().invoke(whole(), ["experiment", *words, *where])


def told(workspace: Workspace, *words: str) -> dict[str, Any]:
    done = pushwise(workspace, *words, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(workspace: Workspace, *words: str) -> str:
    done = pushwise(workspace, *words)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.output
    return done.stderr


def test_an_experiment_goes_its_way(workspace: Workspace) -> None:
    made = told(workspace, *PLAIN, "--push", "spring", "--looks", "2", "--lift", "0.05")
    assert (made["state"], made["experiment"]["control"]) == ("draft", "champion")
    assert told(workspace, *PLAIN, "--push", "spring", "--looks", "2", "--lift", "0.05") == made
    started = told(workspace, "start", "spring", "--why", "agreed")
    assert (started["state"], len(started["looks"])) == ("running", 2)
    shares = ("champion=0.3", "challenger=0.6", "holdout=0.1")
    changed = told(workspace, "shares", "spring", *shares)
    assert [arm["share"] for arm in changed["experiment"]["arms"]] == [0.3, 0.6, 0.1]
    stopped = told(workspace, "stop", "spring")
    assert told(workspace, "show", "spring") == stopped
    assert stopped["state"] == "stopped"
    found = json.loads(pushwise(workspace, "audit", "spring", "--json").stdout)
    assert [one["action"] for one in found] == [
        "created", "started", "shares_changed", "stopped",
    ]  # fmt: skip
    assert {one["by"] for one in found} == {"command line: ann"}


def test_a_draft_can_be_deleted_and_leaves_its_trail(workspace: Workspace) -> None:
    told(workspace, *PLAIN, "--push", "spring")
    assert told(workspace, "delete", "spring", "--why", "a slip") == {"deleted": "spring"}
    assert json.loads(pushwise(workspace, "list", "--json").stdout) == []
    found = json.loads(pushwise(workspace, "audit", "spring", "--json").stdout)
    assert [(one["action"], one["why"]) for one in found] == [
        ("created", ""),
        ("discarded", "a slip"),
    ]
    assert "no experiment" in refused(workspace, "audit", "autumn")


@pytest.mark.slow
def test_the_winner_of_the_last_look_is_published(workspace: Workspace) -> None:
    measured(workspace)
    name = EXPERIMENT.experiment_id
    pushwise(workspace, "stop", name)
    worse = refused(workspace, "promote", name, "--arm", "nobody")
    assert worse.startswith("error: the readout does not allow it: Promote challenger: ")
    assert "; it allows challenger or champion, the control; name such an arm with --arm" in worse
    against = refused(workspace, "promote", name, "--arm", "nobody", "--anyway")
    assert "say with --why what the decision rests on" in against
    decision = told(workspace, "promote", name, "--arm", "challenger")["decision"]
    assert (decision["verdict"]["kind"], decision["anyway"]) == ("promote", False)
    assert (decision["published"], current(workspace.releases)) == ("r2", "r2")
    assert decision["verdict"]["sentence"] in pushwise(workspace, "show", name).stdout


def test_people_read_what_is_compared_and_who_changed_it(workspace: Workspace) -> None:
    pushwise(workspace, *PLAIN, "--hypothesis", "The new model earns more.")
    pushwise(workspace, "start", "spring", "--why", "agreed")
    shown = pushwise(workspace, "show", "spring").stdout
    assert "spring: running, version 2" in shown
    assert "The new model earns more." in shown
    assert "  challenger            45.00%  release r2" in shown
    assert "  champion              45.00%  the published release  (control)" in shown
    trail = pushwise(workspace, "audit", "spring").stdout
    assert '  started         command line: ann  "agreed"' in trail
    assert "   state: draft -> running" in trail
    assert "   slots: 0.00% of the layer -> 100.00% of the layer" in trail
    pushwise(workspace, "shares", "spring", "champion=0.3", "challenger=0.6", "holdout=0.1")
    moved = "   arms: champion 45% -> 30%, challenger 45% -> 60%\n"
    assert moved in pushwise(workspace, "audit", "spring").stdout
    pushwise(workspace, "shares", "spring", "champion=0.45", "challenger=0.45", "holdout=0.1")
    listed = pushwise(workspace, "list").stdout
    assert listed.split() == [
        "spring", "running", "champion", "45.0%,", "challenger", "45.0%,", "holdout", "10.0%",
    ]  # fmt: skip
    assert "no experiment yet" in pushwise(workspace, "list", "--state", "decided").stdout
    with Log.of(workspace) as log:
        key = Keys(log).create(NewKey("live", ("admin",), "product team"), AS_OF).split("_")[2]
        Book(log).stop("spring", Change(AS_OF, key))
    assert f"stopped         {key} (product team)" in pushwise(workspace, "audit", "spring").stdout


def test_what_callers_wrote_cannot_pass_for_a_line_of_the_trail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    why = "agreed\n9  2026-01-01 00:00 UTC  decided  ann\x1b[2J\x9b1A"
    show_trail([Audited(1, 2, AS_OF, "key", "started", {}, why)], {}, as_json=False)
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert shown.rstrip("\n").isprintable()
    assert r'"agreed\n9  2026-01-01' in shown


def test_the_file_of_the_page_about_it_declares_an_experiment(workspace: Workspace) -> None:
    page = (REPOSITORY / "docs" / "experiment-lifecycle.md").read_text()
    text = page.partition("```toml\n")[2].partition("```")[0]
    Path("spring.toml").write_text(text)
    made = told(workspace, "create", "--file", "spring.toml")["experiment"]
    assert (made["experiment_id"], made["analysis"]["looks"]) == ("spring-model", 4)
    Path("spring.json").write_text(json.dumps(made))
    assert told(workspace, "create", "--file", "spring.json")["experiment"] == made
    Path("spring.json").write_text(json.dumps({**made, "owner": "ann"}))
    taken = refused(workspace, "create", "--file", "spring.json")
    assert "taken by an experiment" in taken
    assert "--revise" in taken
    revised = told(workspace, "create", "--file", "spring.json", "--revise")
    assert (revised["experiment"]["owner"], revised["version"]) == ("ann", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("control = ", "spring.toml: not TOML"),
        ('controll = "a"', "spring.toml: experiment has no field 'controll'"),
        ('experiment_id = "x"', "spring.toml: experiment lacks the field 'arms'"),
        (UNFINISHED_RULE, "spring.toml: "),
    ],
)
def test_a_file_that_declares_nothing_is_refused_by_name(
    workspace: Workspace, text: str, message: str
) -> None:
    Path("spring.toml").write_text(text)
    assert refused(workspace, "create", "--file", "spring.toml").startswith(f"error: {message}")
    assert "cannot be read" in refused(workspace, "create", "--file", "none.toml")


def test_what_cannot_be_is_told_in_one_line_that_says_what_helps(workspace: Workspace) -> None:
    def error(*words: str) -> str:
        return refused(workspace, *words).removeprefix("error: ")

    assert error("create", "x").startswith("wanted an id with arms")
    assert "shares of the arms add up to 0.9" in error("create", "x", *PLAIN[2:6])
    assert error("create", "x", "--challenger", "r2").startswith("'r2' is not NAME=SHARE")
    assert error("show", "spring") == (
        "there is no experiment with this experiment_id; GET /v1/experiments, or "
        "`pushwise experiment list`, shows those there are\n"
    )
    pushwise(workspace, *PLAIN)
    assert error("stop", "spring").startswith("the experiment is draft, wanted running; ")
    pushwise(workspace, "start", "spring")
    assert "arms are champion, challenger, holdout" in error("shares", "spring", "champion=1")
    assert error("shares", "spring", "champion=a").startswith("'champion=a' is not NAME=SHARE")
    pushwise(workspace, "create", "next", *PLAIN[2:])
    assert error("start", "next").startswith("the layer has 0.00% of its members left")
    pushwise(workspace, "stop", "spring")
    assert "experiment's arms: champion, challenger, holdout;" in error(
        "promote", "spring", "--arm", "best"
    )
    shutil.rmtree(workspace.releases / "r2")
    assert f"{workspace.releases / 'r2'}" in error("start", "next")
    gone = Workspace(workspace.root / "elsewhere")
    assert "no workspace there" in refused(gone, "list")
    assert not gone.root.exists()


def test_a_file_that_names_no_control_has_the_one_of_the_options(workspace: Workspace) -> None:
    made = told(workspace, *PLAIN)["experiment"]
    del made["control"]
    Path("spring.json").write_text(json.dumps(made))
    assert told(workspace, "create", "--file", "spring.json")["version"] == 1, "it is as it was"


def test_a_release_that_is_not_there_is_named_when_it_is_declared(workspace: Workspace) -> None:
    done = pushwise(workspace, "create", "next", "--champion", "0.5", "--challenger", "r9=0.5")
    assert done.exit_code == 0
    assert "warning: release 'r9' of arm challenger is not in the workspace" in done.stderr
    assert "warning" not in pushwise(workspace, *PLAIN).stderr


def test_a_decision_and_what_was_declared_anew_are_told_in_words(workspace: Workspace) -> None:
    pushwise(workspace, *PLAIN)
    pushwise(workspace, *PLAIN, "--lift", "0.05", "--push", "spring", "--revise")
    pushwise(workspace, "start", "spring")
    pushwise(workspace, "stop", "spring")
    pushwise(workspace, "promote", "spring", "--arm", "challenger", "--anyway", "--why", "bets")
    trail = pushwise(workspace, "audit", "spring").stdout
    for change in (
        "push_ids: none -> spring",
        "analysis: lift 0 -> 0.05",
        "decision: undecided -> challenger goes on against the verdict",
        "published",
    ):
        assert change in trail
    assert "{" not in trail


def test_looks_are_told_with_their_hours_where_a_day_has_several(workspace: Workspace) -> None:
    shown = pushwise(workspace, *PLAIN).stdout
    assert "read once, after 28 days" in shown
    pushwise(workspace, *PLAIN, "--looks", "2", "--days", "0.002", "--revise")
    shown = pushwise(workspace, "start", "spring").stdout
    assert shown.partition("read on ")[2].partition("\n")[0].count(" UTC") == 2


def test_keys_may_have_the_scope(workspace: Workspace) -> None:
    with Log.of(workspace):
        pass
    words = ["keys", "create", "--scope", "experiments", "--workspace", str(workspace.root)]
    assert CliRunner().invoke(application(), words).exit_code == 0
