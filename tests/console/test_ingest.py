"""What the commands that take data print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from console.ingest import register
from console.main import Told, application

GOOD = (
    "event_id,member_id,type,occurred_at\n"
    "e1,m1,view,2026-05-01T09:30:00Z\n"
    "e2,m1,view,2026-05-01 09:30:00\n"
)


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer(cls=Told)
    register(made)
    return made


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text(GOOD)


def run(app: typer.Typer, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--workspace", "here"])


def test_the_summary_is_a_table_on_stdout(app: typer.Typer) -> None:
    result = run(app, "ingest", "events", "good.csv")
    assert result.exit_code == 0
    assert "rows read" in result.stdout
    assert "naive_time 1" in result.stdout
    assert "quarantined rows, with their text: here/quarantine/events" in result.stdout


def test_json_is_one_document(app: typer.Typer) -> None:
    result = run(app, "ingest", "events", "good.csv", "--json")
    report = json.loads(result.stdout)
    assert (report["rows"], report["accepted"], report["quarantined"]) == (2, 1, {"naive_time": 1})


def test_a_refused_file_is_one_line_on_stderr_and_the_others_go_in(app: typer.Typer) -> None:
    Path("empty.csv").write_text("")
    result = run(app, "ingest", "events", "empty.csv", "good.csv", "--json")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: empty.csv: the file is empty; wanted a header line with column names\n"
    )
    assert json.loads(result.stdout)["accepted"] == 1


def test_quarantined_rows_are_re_driven_with_a_time_zone(app: typer.Typer) -> None:
    run(app, "ingest", "events", "good.csv")
    result = run(app, "ingest", "events", "--redrive", "--timezone", "Asia/Singapore", "--json")
    assert json.loads(result.stdout)["accepted"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["events"], "wanted files to ingest, or --redrive"),
        (["events", "good.csv", "--timezone", "Mars"], "no time zone 'Mars'; wanted a name such"),
        (["orders", "good.csv"], "no table 'orders' in the contract; it has: members"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(
    app: typer.Typer, arguments: list[str], says: str
) -> None:
    result = run(app, "ingest", *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["ingest", "events", "good.csv"], ["keys", "list"]])
def test_a_workspace_that_is_no_folder_is_told_in_one_line(arguments: list[str]) -> None:
    Path("here").write_text("")
    result = run(application(), *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: here/")
    assert result.stderr.count("\n") == 1


def test_an_import_tells_what_became_of_its_sources_and_its_tables(app: typer.Typer) -> None:
    Path("events.csv").write_text(
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1433222276276,599528,transaction,356475,4000\n"
        "1433222276276,599528,like,356475,\n"
    )
    shown = run(app, "import", "retailrocket", "events.csv")
    assert shown.exit_code == 0
    assert "unknown_enum 1" in shown.stdout
    assert "events: 1 new, 0 duplicate, 0 quarantined" in shown.stdout
    again = json.loads(run(app, "import", "retailrocket", "events.csv", "--json").stdout)
    assert (again["rows"], again["duplicate"]) == (2, 1)


def test_an_import_without_its_files_is_told_in_one_line(app: typer.Typer) -> None:
    result = run(app, "import", "starbucks-offers", "nowhere")
    assert result.exit_code == 1
    assert result.stderr == "error: nowhere/portfolio.json: no such file\n"


def test_quarantined_rows_are_shown_by_example_with_a_way_on(tmp_path: Path) -> None:
    source = tmp_path / "events.csv"
    source.write_text(
        "event_id,member_id,type,occurred_at\n"
        "e1,m,view,2026-01-01T00:00:00\n"
        "e2,m,view,2026-01-01T00:00:00\n"
        "e3,m,look,2026-01-01T00:00:00Z\n"
    )
    shown = CliRunner().invoke(
        application(), ["ingest", "events", str(source), "--workspace", str(tmp_path / "ws")]
    )
    assert shown.exit_code == 0
    assert shown.stdout.count("naive_time: events.csv line 2: occurred_at has no offset") == 1
    assert "give --timezone" in shown.stdout
    assert "unknown_enum: events.csv line 4: type is none of view" in shown.stdout
    assert "pushwise ingest events --redrive" in shown.stdout


def test_columns_that_are_not_separated_by_commas_are_told_so(tmp_path: Path) -> None:
    source = tmp_path / "members.csv"
    source.write_text("member_id;tier\nm;gold\n")
    shown = CliRunner().invoke(
        application(), ["ingest", "members", str(source), "--workspace", str(tmp_path / "ws")]
    )
    assert shown.exit_code == 1
    assert "separate columns by commas" in shown.stderr
