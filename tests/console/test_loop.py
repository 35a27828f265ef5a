"""The learning loop: once in earnest on a tiny market, and what it says of what it found."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyarrow import dataset
from rich.console import Console
from typer.testing import CliRunner, Result

from console.loop_result import ArmFound, Found, Week, arms_table, summary, weeks_table
from console.main import application
from features.workspace import Workspace
from serving.experiments import Book
from serving.log import Log

ARMS = {"champion", "challenger", "rule", "random", "holdout"}


def pushwise(*arguments: str) -> Result:
    return CliRunner().invoke(application(), list(arguments))


@dataclass(frozen=True)
class Played:
    """A loop of two weeks. found: its document. curve: its page."""

    workspace: Workspace
    found: dict[str, Any]
    curve: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("loop") / "loop"
    size = ("--weeks", "2", "--members", "2000", "--seed", "1")
    result = pushwise("loop", *size, "--workspace", str(folder), "--json")
    assert result.exit_code == 0, result.output
    page = (folder / "curve.html").read_text(encoding="utf-8")
    return Played(Workspace(folder / "workspace"), json.loads(result.stdout), page)


@pytest.mark.slow
def test_each_week_has_its_arms_and_from_the_second_on_a_challenger(played: Played) -> None:
    first, second = played.found["weeks"]
    assert set(first["arms"]) == ARMS - {"challenger"}
    assert set(second["arms"]) == ARMS
    for week in (first, second):
        members = {name: arm["members"] for name, arm in week["arms"].items()}
        assert sum(members.values()) > 1_500  # who consents, and is still subscribed
        assert members["champion"] > members["holdout"] > 100
        assert week["arms"]["random"]["sent"] > 0
    assert second["challenger"] != second["release"]


@pytest.mark.slow
def test_no_arm_earns_more_than_the_oracle_and_the_holdout_earns_nothing(played: Played) -> None:
    for week in played.found["weeks"]:
        assert week["arms"]["holdout"] == {
            "members": week["arms"]["holdout"]["members"],
            "sent": 0, "gain": 0.0, "estimate": None, "interval": None,
        }  # fmt: skip
        assert 0 < week["told"] <= week["oracle"]
        assert week["arms"]["champion"]["gain"] <= week["oracle"]
        for name in set(week["arms"]) - {"holdout"}:
            low, high = week["arms"][name]["interval"]
            assert low < week["arms"][name]["estimate"] < high


@pytest.mark.slow
def test_what_the_scorer_decided_is_what_is_learned_from(played: Played) -> None:
    table = dataset.dataset(played.workspace.root / "tables" / "decisions").to_table()
    rows = [row for row in table.to_pylist() if row["experiment"]]
    assert {row["experiment"] for row in rows} == {"loop-week-01-hualien", "loop-week-02-kyoto"}
    by_arm = {arm: [row for row in rows if row["arm"] == arm] for arm in ARMS}
    assert all(row["offer_id"] is None for row in by_arm["holdout"])
    assert all(0 < row["probability"] <= 1 for row in rows)
    # Other arms may have sent something else to the same members: no choice was certain.
    sent = [row["probability"] for row in rows if row["offer_id"]]
    assert max(sent) < 1


@pytest.mark.slow
def test_every_experiment_is_decided_and_says_why(played: Played) -> None:
    with closing(Log.of(played.workspace)) as log:
        entries = Book(log).page("", 10)
    assert [entry.state for entry in entries] == ["decided", "decided"]
    # One that is stopped at its start has no look, and its verdict says nothing of what came.
    assert all(entry.stopped_at == entry.looks[-1] for entry in entries)
    first, second = (entry.decision for entry in entries)
    assert first is not None
    assert second is not None
    assert first.arm == "champion"  # there was no challenger yet
    verdict = played.found["weeks"][1]["verdict"]
    assert verdict.startswith("promoted" if second.arm == "challenger" else "left")


@pytest.mark.slow
def test_the_curve_needs_no_network(played: Played) -> None:
    assert "best that features tell" in played.curve
    assert "<script src" not in played.curve


def week(number: int, gain: float) -> Week:
    arms = {
        "champion": ArmFound(600, 200, gain, gain + 0.1, (gain - 0.4, gain + 0.6)),
        "rule": ArmFound(100, 5, 0.01, None, None),
        "holdout": ArmFound(100, 0, 0.0, None, None),
    }
    return Week(number, f"week-{number}", arms, 0.8, 0.6, "r1", "", "promoted: better")


FOUND = Found(3, 1_000, 0.3, 61.2, (week(1, 0.4), week(2, 0.54)))


def test_gains_add_up_over_the_weeks() -> None:
    assert FOUND.cumulative("champion") == pytest.approx([0.4, 0.94])
    assert FOUND.cumulative("oracle") == pytest.approx([0.8, 1.6])
    (ours,) = (one for one in FOUND.chart().series if one.name == "champion")
    assert list(ours.y) == pytest.approx([0.0, 0.4, 0.94])


def test_both_yardsticks_are_told_with_the_goal() -> None:
    said = summary(FOUND)
    assert "68% of what an oracle earns that knows every effect (goal 85% missed)" in said
    assert "90% of the best that features tell (goal 85% reached)" in said
    assert FOUND.to_json()["share_of_oracle"] == pytest.approx(0.675)


def test_tables_show_every_arm_and_week() -> None:
    console = Console(width=200, record=True)
    console.print(arms_table(FOUND), weeks_table(FOUND))
    text = console.export_text()
    assert text.count("holdout") >= 2
    assert "0.640 (0.140 to 1.140)" in text
    assert "promoted: better" in text


def test_a_folder_that_no_loop_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = pushwise("loop", "--workspace", str(tmp_path))
    assert result.exit_code == 1
    assert "holds something that no loop made" in result.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_curve_in_an_unknown_format_is_refused_before_any_work(tmp_path: Path) -> None:
    result = pushwise("loop", "--plot", str(tmp_path / "a.pdf"), "--workspace", str(tmp_path / "w"))
    assert result.exit_code == 1
    assert "is no .html or .png" in result.stderr
    assert not (tmp_path / "w").exists()
