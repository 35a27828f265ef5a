"""``pushwise experiment report``: what an experiment shows, on one page."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from console.moments import as_of_moment
from console.page_file import PageOption, check_page, write_page
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, load_workspace


def report(
    experiment_id: Annotated[str, typer.Argument(metavar="ID", help="The experiment.")],
    out: PageOption = None,
    as_of: Annotated[
        str | None, typer.Option(help="What was known at that moment; else now.")
    ] = None,
    moments: Annotated[
        int, typer.Option(help="Earlier moments that the curves have beside the planned looks.")
    ] = 8,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Write what an experiment shows as one page that needs nothing else, no network either.

    Takes in first what the scorer has logged since the last time.
    """
    from console.experiment_results import results_of
    from dashboard.experiment_report import experiment_page
    from dashboard.reading import curve_moments, experiment_report

    check_page(out, as_json=as_json)
    opened = load_workspace(workspace, database)
    moment = None if as_of is None else as_of_moment(opened, as_of)
    found = results_of(
        opened, experiment_id, moment, lambda entry, at: curve_moments(entry, at, moments)
    )
    made = experiment_report(found)
    if out is not None:
        write_page(out, experiment_page(made))
    if as_json:
        typer.echo(json.dumps(made.results, ensure_ascii=False, allow_nan=False))
    else:
        typer.echo(made.results["verdict"]["sentence"])
