"""``pushwise ingest`` and ``pushwise import``: data in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from console.progress import bars
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace
from features.contract import ContractError

if TYPE_CHECKING:
    from features.importers.run import ImportReport
    from features.ingest.quarantine import Entry
    from features.ingest.report import FileReport, IngestReport

Files = Annotated[list[Path], typer.Argument(help="Source files.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    imports = typer.Typer(help="Turn public data into contract tables.", no_args_is_help=True)
    imports.command("online-retail")(import_online_retail)
    imports.command("starbucks-offers")(import_starbucks_offers)
    imports.command("rees46")(import_rees46)
    imports.command("retailrocket")(import_retailrocket)
    app.command("ingest")(ingest)
    app.add_typer(imports, name="import")


def ingest(
    table: Annotated[
        str, typer.Argument(help="members, items, events, offers, pushes, decisions or outcomes.")
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(help=".csv, .jsonl (each also .gz) or .parquet.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of times without an offset, such as Europe/London.")
    ] = None,
    redrive: Annotated[
        bool, typer.Option("--redrive", help="Take quarantined rows that fit by now.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Take files into one contract table; rows that do not fit are quarantined.

    Running it again is always safe: what is in already comes out as duplicates.
    """
    from features.ingest import load  # heavy imports wait until the command runs
    from features.ingest.redrive import redrive as take_quarantined

    zone, opened = _zone(timezone), load_workspace(workspace)
    if bool(files) == redrive:
        raise ContractError("wanted files to ingest, or --redrive for the quarantined rows")
    with bars() as progress:
        if redrive:
            report = take_quarantined(opened, table, timezone=zone, progress=progress)
        else:
            report = load.ingest(opened, table, files or [], timezone=zone, progress=progress)
    if as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        _show(f"ingest {table}", report)
        _where(opened.quarantine / table, report)
        if report.quarantined:
            typer.echo(f"once they fit: pushwise ingest {table} --redrive")
    _end(report)


def import_online_retail(
    files: Files, workspace: WorkspaceOption = WORKSPACE, as_json: AsJson = False
) -> None:
    """UCI Online Retail: the raw sheets, the joined purchases, or both."""
    from features.importers.online_retail import import_online_retail as run

    with bars() as progress:
        report = run(load_workspace(workspace), files, progress)
    _imported(report, workspace, as_json)


def import_starbucks_offers(
    folder: Annotated[
        Path, typer.Argument(help="With members, offers_received (.parquet) and portfolio.json.")
    ],
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Starbucks Rewards offers (simulated by their publisher)."""
    from features.importers.starbucks_offers import import_starbucks_offers as run

    with bars() as progress:
        report = run(load_workspace(workspace), folder, progress)
    _imported(report, workspace, as_json)


def import_rees46(
    files: Files, workspace: WorkspaceOption = WORKSPACE, as_json: AsJson = False
) -> None:
    """REES46 clickstream: event_time, event_type, product_id, ..., user_session."""
    from features.importers.clickstream import import_rees46 as run

    with bars() as progress:
        report = run(load_workspace(workspace), files, progress)
    _imported(report, workspace, as_json)


def import_retailrocket(
    files: Files, workspace: WorkspaceOption = WORKSPACE, as_json: AsJson = False
) -> None:
    """RetailRocket clickstream: timestamp, visitorid, event, itemid, transactionid."""
    from features.importers.clickstream import import_retailrocket as run

    with bars() as progress:
        report = run(load_workspace(workspace), files, progress)
    _imported(report, workspace, as_json)


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ContractError(
            f"no time zone {name!r}; wanted a name such as Europe/London or UTC"
        ) from error


def _imported(report: ImportReport, workspace: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        _show(f"import {report.name}", report.sources)
        for table in report.tables:
            typer.echo(
                f"{table.table}: {table.accepted:,} new, {table.duplicate:,} duplicate, "
                f"{sum(table.quarantined.values()):,} quarantined"
            )
        _where(workspace / "quarantine" / report.name, report.sources)
    _end(report.sources)


def _show(title: str, report: IngestReport) -> None:
    """A table on stdout: one row a source, and their sum."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title, title_justify="left")
    shown.add_column("source", overflow="fold")
    for heading in ("rows read", "accepted", "duplicate", "quarantined"):
        shown.add_column(heading, justify="right")
    for file in report.files:
        shown.add_row(Path(file.source).name, *_cells(file))
    if len(report.files) > 1:
        shown.add_section()
        shown.add_row("total", *_cells(report))
    Console().print(shown)


def _cells(counted: FileReport | IngestReport) -> tuple[str, str, str, str]:
    return (
        f"{counted.rows:,}",
        f"{counted.accepted:,}",
        f"{counted.duplicate:,}",
        _reasons(counted.quarantined),
    )


def _reasons(quarantined: Mapping[str, int]) -> str:
    lines = [f"{sum(quarantined.values()):,}"]
    return "\n".join(lines + [f"{reason} {count:,}" for reason, count in quarantined.items()])


_HINTS = {
    "naive_time": "give --timezone, such as Europe/London",
    "unknown_column": "declare it under [members.attributes], or drop it",
    "conflict": "the id is known with other content; give the row an id of its own",
}


def _where(folder: Path, report: IngestReport) -> None:
    """Where quarantined rows lie, and one of each reason with what was wrong with it."""
    if not report.quarantined:
        return
    typer.echo(f"quarantined rows, with their text: {folder}")
    for entry in _examples(folder, set(report.quarantined)):
        hint = _HINTS.get(entry.reason)
        typer.echo(
            f"  {entry.reason}: {Path(entry.source).name} line {entry.line}: {entry.message}"
            + (f" ({hint})" if hint else "")
        )


def _examples(folder: Path, reasons: set[str]) -> Iterator[Entry]:
    """The first quarantined row of each reason, from the newest files."""
    from features.ingest.quarantine import read_entries

    left = set(reasons)
    files = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files:
        for entry in read_entries(path):
            if entry.reason in left:
                left.remove(entry.reason)
                yield entry
            if not left:
                return


def _end(report: IngestReport) -> None:
    """Exit with status 1 where a file was refused, with one line for each."""
    for file in report.refused:
        typer.echo(f"error: {file.refused}", err=True)
    if report.refused:
        raise typer.Exit(1)
