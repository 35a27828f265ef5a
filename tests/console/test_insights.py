"""Insights from the command line: documents, a page, rows, and what could not be made."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.main import application
from dashboard.insights_report import insights_csv, insights_sentences
from features.insights.prepared import prepared
from features.workspace import Workspace
from tests.dashboard.pages import asks_no_network
from tests.features.given import ago, events, write_batch


def run(*words: str) -> Result:
    return CliRunner().invoke(application(), ["insights", *words])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("insights") / "ws")
    rows = [
        {"member_id": f"m{n}", "type": "purchase", "occurred_at": ago(100 - 30 * k)}
        for n in range(60)
        for k in range(1 + n % 3)
    ]
    write_batch(workspace, "events", events(*rows))
    return workspace


def test_a_refresh_keeps_a_document_of_each_insight_and_tells_how_far_it_is(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSHWISE_PROGRESS", "json")
    words = ("--workspace", str(shop.root), "--only", "lifecycle", "--only", "cohorts", "--json")
    result = run("refresh", *words, "--as-of", "2026-05-01")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told == {
        "as_of": "2026-05-01T00:00:00+00:00", "made": ["lifecycle", "cohorts"], "failed": {},
    }  # fmt: skip
    assert "lifecycle: made in" in result.stderr
    lines = [json.loads(one) for one in result.stderr.splitlines() if one.startswith("{")]
    assert lines[0] == {"stage": "insights", "done": 0, "total": 2}
    assert lines[-1] == {"stage": "insights", "done": 2, "total": 2}
    months = [one["done"] for one in lines if one["stage"] == "months"]
    assert (months[0], months[-1]) == (0, 4)
    found = prepared(shop, "lifecycle")
    assert found is not None
    assert found.document["standing"][-1]["members"] == 60


def test_what_cannot_be_made_is_named_and_the_others_are_made(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    write_batch(workspace, "events", events({"member_id": "m", "type": "view",
                                             "occurred_at": ago(9)}))  # fmt: skip
    result = run("refresh", "--workspace", str(workspace.root), "--only", "lifecycle",
                 "--only", "pushes")  # fmt: skip
    assert result.exit_code == 1
    assert "lifecycle: not made: no purchase events in this workspace" in result.stderr
    assert "Traceback" not in result.stderr
    assert "error: not made: lifecycle" in result.stderr
    assert prepared(workspace, "pushes") is not None


def test_an_empty_workspace_has_made_what_needs_no_events(tmp_path: Path) -> None:
    root = tmp_path
    result = run("refresh", "--workspace", str(root), "--only", "models", "--only", "lifecycle")
    assert result.exit_code == 1
    assert "lifecycle: not made: no purchase events in this workspace" in result.stderr
    assert "models: made in" in result.stdout
    assert prepared(Workspace(root), "models") is not None


@pytest.mark.parametrize("command", ["refresh", "lifecycle", "demand"])
def test_a_misspelt_workspace_is_not_made(tmp_path: Path, command: str) -> None:
    ended = run(command, "--workspace", str(tmp_path / "elsewhere"))
    assert ended.exit_code == 1
    assert "elsewhere: no workspace there; name it with --workspace" in ended.output
    assert not (tmp_path / "elsewhere").exists()


def test_an_unknown_insight_lists_those_there_are(shop: Workspace) -> None:
    result = run("refresh", "--workspace", str(shop.root), "--only", "tea")
    assert result.exit_code == 1
    assert "error: --only 'tea' is no insight; wanted lifecycle, values" in result.stderr


def test_lifecycle_comes_as_page_rows_and_json(shop: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "found.html"
    words = ("--workspace", str(shop.root), "--as-of", "2026-05-01", "--months", "2")
    result = run("lifecycle", *words, "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert len(document["lifecycle"]["flows"]) == 2
    assert insights_sentences(document)[0].startswith("60 members as of 2026-05-01")
    page = out.read_text(encoding="utf-8")
    assert "Lifecycle flow" in page
    assert asks_no_network(page)
    moved = [int(row["members"]) for row in csv.DictReader(io.StringIO(insights_csv(document)))
             if row["measure"] == "moved" and row["part"] == "lifecycle"]  # fmt: skip
    assert sum(moved) == 2 * 60


def test_a_file_of_another_kind_is_refused_before_any_work(tmp_path: Path) -> None:
    result = run("lifecycle", "--workspace", str(tmp_path), "--out", "found.pdf")
    assert result.exit_code == 1
    assert "wanted one of .html, .csv, .json" in result.stderr
