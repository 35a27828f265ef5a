"""``pushwise insights``: analyses of all members, and the documents that pages read."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from typing import Annotated

import typer

from console.insights_lifecycle import lifecycle
from console.insights_list import INSIGHTS
from console.moments import as_of_moment
from console.progress import bars
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, existing_workspace
from features.errors import FeatureError
from features.insights.insight import STAGE, Insight, Refreshed, refresh
from features.workspace import Workspace

app = typer.Typer(
    name="insights", no_args_is_help=True, help="Who moves where, and what is missing."
)


class UnknownInsightError(FeatureError):
    """A name that no insight has."""


app.command("lifecycle")(lifecycle)


@app.callback()
def insights() -> None:
    """Who moves where, and what the catalogue misses."""


@app.command("refresh")
def refresh_all(
    only: Annotated[list[str] | None, typer.Option(help="Make this one alone; may repeat.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="What was known at that moment, ISO 8601; else the newest event's day."),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Make the documents anew that pages read; status 1 where one could not be made.

    Takes in first what the scorer has logged since the last time. One that fails stops no other,
    and its document of before stays.
    """
    from console.scorer_log import take_all

    wanted = _wanted(INSIGHTS, only)
    opened = existing_workspace(workspace, database)
    ended: list[Refreshed] = []
    with bars() as progress:
        progress(STAGE, 0, len(wanted))
        take_all(opened)
        moment = _moment(opened, as_of)
        for one in refresh(opened, wanted, moment, progress):
            ended.append(one)
            _tell(one, as_json=as_json)
    failed = [one.name for one in ended if one.error is not None]
    if as_json:
        made = [one.name for one in ended if one.error is None]
        errors = {one.name: str(one.error) for one in ended if one.error is not None}
        typer.echo(json.dumps({"as_of": moment.isoformat(), "made": made, "failed": errors}))
    if failed:
        typer.echo(f"error: not made: {', '.join(failed)}; see above", err=True)
        raise typer.Exit(1)


def _moment(workspace: Workspace, given: str | None) -> datetime:
    """Without events the start of today: what needs them says so, and stops no other."""
    from training.errors import TrainingError

    try:
        return as_of_moment(workspace, given)
    except TrainingError:
        return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _wanted(known: tuple[Insight, ...], only: list[str] | None) -> list[Insight]:
    by_name = {insight.name: insight for insight in known}
    for name in only or ():
        if name not in by_name:
            raise UnknownInsightError(f"--only {name!r} is no insight; wanted {', '.join(by_name)}")
    return [by_name[name] for name in dict.fromkeys(only or by_name)]


def _tell(one: Refreshed, *, as_json: bool) -> None:
    from console.main import TOLD

    if one.error is None:
        typer.echo(f"{one.name}: made in {one.seconds:.1f} s", err=as_json)
        return
    if not isinstance(one.error, TOLD):  # a fault of ours: where it lies belongs to the message
        typer.echo("".join(traceback.format_exception(one.error)), err=True)
    typer.echo(f"{one.name}: not made: {one.error}", err=True)
