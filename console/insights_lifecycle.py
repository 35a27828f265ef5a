"""``pushwise insights lifecycle``: who moves where, who comes back, and what pushes added."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.moments import as_of_moment
from console.page_file import PageError
from console.progress import bars
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, existing_workspace

if TYPE_CHECKING:
    from features.progress import Progress
    from features.workspace import Workspace

_KINDS = (".html", ".csv", ".json")


def lifecycle(
    months: Annotated[int, typer.Option(min=1, max=120, help="So many months back.")] = 12,
    as_of: Annotated[
        str | None,
        typer.Option(help="What was known at that moment, ISO 8601; else the newest event's day."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it here: a .html, a .csv or a .json.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Members between lifecycle stages and value tiers, month by month; who bought again by when;
    new members by cohort; and what each push added beyond the members held out of it.

    Takes in first what the scorer has logged since the last time.
    """
    from console.scorer_log import take_all

    _check(out)
    opened = existing_workspace(workspace, database)
    take_all(opened)
    moment = as_of_moment(opened, as_of)
    with bars() as progress:
        document = lifecycle_document(opened, moment, months, progress)
    if out is not None:
        _write(out, document)
        typer.echo(f"written to {out}", err=True)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    else:
        _print(document)


def lifecycle_document(
    workspace: Workspace, as_of: datetime, months: int, progress: Progress
) -> dict[str, Any]:
    """The four documents as one: ``lifecycle``, ``values``, ``cohorts``, ``pushes``."""
    from features.insights.cohorts import new_members
    from features.insights.flow import lifecycle_flow, value_tiers
    from serving.push_contributions import push_contributions

    return {
        "as_of": as_of.isoformat(),
        "months": months,
        "lifecycle": lifecycle_flow(workspace, as_of, progress, months),
        "values": value_tiers(workspace, as_of, progress, months),
        "cohorts": new_members(workspace, as_of, progress, months),
        "pushes": push_contributions(workspace, as_of, progress),
    }


def _check(out: Path | None) -> None:
    if out is None:
        return
    if out.suffix not in _KINDS:
        raise PageError(f"--out {out} ends in {out.suffix!r}, wanted one of {', '.join(_KINDS)}")
    if not out.absolute().parent.is_dir():
        raise PageError(f"--out {out}: the folder {out.parent} does not exist; make it")


def _write(out: Path, document: dict[str, Any]) -> None:
    from dashboard.insights_report import insights_csv, insights_page

    if out.suffix == ".html":
        text = insights_page(document)
    elif out.suffix == ".csv":
        text = insights_csv(document)
    else:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    out.write_text(text, encoding="utf-8", newline="")


def _print(document: dict[str, Any]) -> None:
    from dashboard.insights_report import insights_sentences

    for sentence in insights_sentences(document):
        typer.echo(sentence)
