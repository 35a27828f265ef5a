from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.main import application
from features.insights.prepared import prepared
from features.workspace import Workspace
from serving.log import Log
from tests.features.given import AS_OF, Row, events, write_batch
from tests.features.test_demand import HOSTILE, LONG_AGO, MEMBERS, look, several

ITEMS: Sequence[Row] = [
    {"item_id": f"{HOSTILE}-{price}", "category": HOSTILE, "price": price}
    for price in (10, 20, 30, 40, 50)
]


@dataclass(frozen=True)
class Asked:
    root: Path
    result: Result


def run(root: Path, *options: str) -> Result:
    command = ["insights", "demand", "--workspace", str(root), *options]
    return CliRunner().invoke(application(), command)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """A shop of hostile names whose members turn to what is gone, asked for all there is."""
    folder = tmp_path_factory.mktemp("demand")
    root = folder / "workspace"
    gone = {"delisted_at": AS_OF.replace(year=2025)}
    items = [{**item, **(gone if item["price"] == 30 else {})} for item in ITEMS]
    rows: list[Row] = [LONG_AGO]
    for price in (10, 20, 40, 50):
        for days in (90, 40):
            rows += several(60, days, f"{HOSTILE}-{price}")
    rows += several(20, 90, f"{HOSTILE}-30") + several(80, 40, f"{HOSTILE}-30", first=60)
    rows.append(look("m000", -0.5, f"{HOSTILE}-10"))  # the newest event's day is AS_OF
    workspace = Workspace(root)
    write_batch(workspace, "items", items)
    write_batch(workspace, "members", MEMBERS)
    write_batch(workspace, "events", events(*rows))
    files = [part for kind in ("html", "csv") for part in ("--out", str(folder / f"found.{kind}"))]
    result = run(root, "--json", *files[:2], "--members", str(folder / "members.csv"))
    assert result.exit_code == 0, result.output
    assert run(root, *files[2:]).exit_code == 0
    return Asked(folder, result)


def test_findings_are_told_as_json_and_kept_for_pages(asked: Asked) -> None:
    document = json.loads(asked.result.stdout.splitlines()[-1])
    (found,) = document["findings"]
    assert found["need"]["category"] == HOSTILE
    assert found["evidence"]["no_item"] == 80
    kept = prepared(Workspace(asked.root / "workspace"), "demand")
    assert kept is not None
    assert kept.as_of == AS_OF
    assert kept.document == document


def test_a_page_shows_hostile_names_as_text(asked: Asked) -> None:
    page = (asked.root / "found.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "members want it now" in page


def test_a_spreadsheet_runs_no_name_as_a_formula(asked: Asked) -> None:
    with (asked.root / "found.csv").open(encoding="utf-8", newline="") as file:
        (found,) = csv.DictReader(file)
    assert found["category"] == f"'{HOSTILE}"
    assert found["now"] == "80"
    with (asked.root / "members.csv").open(encoding="utf-8", newline="") as file:
        members = list(csv.DictReader(file))
    assert [row["unmet"] for row in members] == ["True"] * 80
    assert members[0]["member_id"] == "m060"


def test_another_question_leaves_what_pages_show(asked: Asked) -> None:
    root = asked.root / "workspace"
    before = (root / "insights" / "demand.json").read_bytes()
    told = run(root, "--segment", "region", "--window-days", "70")
    assert told.exit_code == 0
    assert (root / "insights" / "demand.json").read_bytes() == before


def test_what_cannot_be_asked_is_one_line(asked: Asked) -> None:
    root = asked.root / "workspace"
    for options, told in (
        (
            ("--out", "found.pdf"),
            "ends in '.pdf', wanted one of .html, .csv, .json",
        ),
        (("--members", "nowhere/m.csv"), "--members nowhere/m.csv: the folder nowhere does not"),
        (("--window-days", "7"), "windows of 7 days, wanted 15 to 366"),
        (("--top", "0"), "wanted 1 or more"),
    ):
        ended = run(root, *options)
        assert ended.exit_code == 1
        assert told in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1


def test_an_empty_workspace_says_what_to_do(tmp_path: Path) -> None:
    ended = run(tmp_path, "--as-of", "2026-05-01")
    assert ended.exit_code == 0
    assert "cannot say: nothing was searched" in ended.stdout


def test_what_the_scorer_has_logged_counts(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    event = {"event_id": "e1", "member_id": "m1", "type": "view", "occurred_at": AS_OF.isoformat()}
    with Log.of(workspace) as log:
        log.keep_events([event], AS_OF)
    result = run(workspace.root, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["as_of"] == AS_OF.isoformat()
