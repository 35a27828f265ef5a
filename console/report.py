"""``pushwise report``: what a push changed, on one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.moments import as_of_moment
from console.page_file import PageError, PageOption, check_page, write_page
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, existing_workspace

if TYPE_CHECKING:
    from dashboard.push_report import PushReport
    from features.workspace import Workspace
    from serving.log import Log

_PROMISED = (
    "contacts", "expected_orders", "expected_cost", "expected_gain", "calibrated_gain", "interval",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """What was planned, as files tell it: see ``dashboard.push_report.PushReport``."""

    plan: Mapping[str, Any] | None = None
    frontier: Mapping[str, Any] | None = None


NOTHING = Given()
app = typer.Typer(name="report", no_args_is_help=True, help="What pushes changed, on one page.")


@app.callback()
def report() -> None:
    """What pushes changed, on one page."""


@app.command("push")
def push(
    push_id: Annotated[str, typer.Argument(metavar="PUSH_ID", help="The push.")],
    out: PageOption = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="What had been planned: the file that `pushwise plan --json` printed."),
    ] = None,
    frontier: Annotated[
        Path | None,
        typer.Option(help="Its frontier: the .json that `pushwise plan --frontier` wrote."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="What was known at that moment; else now.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """What a push earned beyond the members held out, beside what had been promised of it.

    Takes in first what the scorer has logged since the last time.
    """
    from dashboard.push_report import push_page

    check_page(out, as_json=as_json)
    opened = existing_workspace(workspace, database)
    moment = datetime.now(UTC) if as_of is None else as_of_moment(opened, as_of)
    given = Given(
        None if plan is None else _plan(plan, push_id),
        None if frontier is None else _frontier(frontier),
    )
    made = push_report_of(opened, push_id, moment, given)
    if out is not None:
        write_page(out, push_page(made))
    if as_json:
        typer.echo(json.dumps(made.to_json(), ensure_ascii=False, allow_nan=False))
    else:
        typer.echo(made.sentence)


def push_report_of(
    workspace: Workspace, push_id: str, as_of: datetime, given: Given = NOTHING
) -> PushReport:
    """Take the scorer's log over into the tables, and read the push out.

    Args:
        given: goes before what the scorer's log knows of the plan.

    Raises:
        PushTrialError: no such push, it lies ahead, or nobody was left out of it by chance.
    """
    from console.scorer_log import scorer_log, take_all
    from dashboard.reading import push_report
    from serving.audience_folder import AudienceFolder
    from serving.errors import AudienceGone
    from serving.push_promise import logged_promise, planned_promise
    from serving.push_readouts import read_push

    take_all(workspace)
    with scorer_log(workspace) as log:
        if log is not None:
            _check_due(log, push_id)
        logged = None if log is None else logged_promise(log, push_id)
        planned = None if log is None or given.plan else planned_promise(log, push_id)
    plan, frontier = given.plan, given.frontier
    if planned is not None:
        plan = planned.summary
        # The files of an audience may go before its summary does.
        with suppress(AudienceGone):
            folder = AudienceFolder.open(workspace.audiences / planned.audience_id)
            frontier = frontier or folder.frontier()
    return push_report(read_push(workspace, push_id, as_of), plan, logged, frontier)


def _check_due(log: Log, push_id: str) -> None:
    """A push of the catalogue is in no table before it is due, so nothing could be said of it."""
    from features.push_experiment import PushTrialError
    from serving.catalogue import Catalogue

    put = Catalogue(log).find("pushes", push_id)
    due = None if put is None else put.row["send_at"]
    if isinstance(due, datetime) and due > datetime.now(UTC):
        raise PushTrialError(
            f"push {push_id!r} is in the catalogue and sends at {due:%Y-%m-%d %H:%M} UTC; there "
            "is nothing to report before"
        )


def _plan(path: Path, push_id: str) -> Mapping[str, Any]:
    found = _json(path, "plan", "what `pushwise plan --json` printed", _PROMISED)
    if found.get("push_id") != push_id:
        raise PageError(f"--plan {path} is of push {found.get('push_id')!r}, wanted {push_id!r}")
    return found


def _frontier(path: Path) -> Mapping[str, Any]:
    return _json(path, "frontier", "the .json of `pushwise plan --frontier`", ("along", "points"))


def _json(path: Path, option: str, wanted: str, names: Sequence[str]) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PageError(f"--{option} {path} is no JSON; give {wanted}") from error
    missing = [name for name in names if not isinstance(found, dict) or name not in found]
    if missing:
        raise PageError(f"--{option} {path} has no {missing[0]!r}; give {wanted}")
    read: Mapping[str, Any] = found
    return read
