"""``pushwise monitor``: is everything as it should be?"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from time import sleep
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from console.progress import bars
from console.settings import (
    WORKSPACE,
    AsJson,
    DatabaseOption,
    WorkspaceOption,
    existing_workspace,
    load_settings,
)

if TYPE_CHECKING:
    from console.monitor_settings import MonitorSettings
    from console.monitoring import Monitored
    from features.workspace import Workspace

ALERTING = 2  # exit status; 1 is for errors
_SIGNS = {"alert": "ALERT", "warn": "warn", "cannot_say": "cannot say", "ok": "ok"}


def monitor(
    watch: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="Go on, once in so many seconds."),
    ] = None,
    no_alert: Annotated[bool, typer.Option("--no-alert", help="Tell the webhook nothing.")] = False,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="End with status 0 also where something alerts.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Judge feeds, drift, calibration, experiments, unsubscribes, budgets, volume and outcomes.

    Ends with status 2 where something alerts. What changed is told to the webhook that
    pushwise.toml names under monitor; the document is kept for the dashboard and the scorer's
    metrics.
    """
    settings = load_settings().monitor
    opened = existing_workspace(workspace, database)
    if watch is not None:
        _watch(opened, settings, watch, tell=not no_alert, as_json=as_json)
    found = _run(opened, settings, tell=not no_alert)
    _show(found, as_json=as_json)
    if found.alerting and not exit_zero:
        raise typer.Exit(ALERTING)


def _watch(
    workspace: Workspace, settings: MonitorSettings, seconds: float, *, tell: bool, as_json: bool
) -> NoReturn:
    """Again and again. What fails once, such as a log that cannot be read, may be back next time;
    settings that do not fit fail at once."""
    from console.main import TOLD

    settings.webhook()
    while True:
        try:
            _show(_run(workspace, settings, tell=tell), as_json=as_json)
        except TOLD as error:
            typer.echo(f"error: {error}", err=True)
        sleep(seconds)


def _show(found: Monitored, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_shown(found), ensure_ascii=False, allow_nan=False))
    else:
        _print(found)


def _run(workspace: Workspace, settings: MonitorSettings, *, tell: bool) -> Monitored:
    from console.monitoring import run_monitors

    with bars() as progress:
        found = run_monitors(workspace, settings, progress, tell=tell)
    if found.failed:
        typer.echo(f"warning: alerts were not told: {found.failed}", err=True)
    return found


def _shown(found: Monitored) -> dict[str, object]:
    """The document without the numbers that only charts and the next run read."""
    names = ("state", "monitors", "results")
    return {
        **{name: found.document[name] for name in names},
        "told": {"sent": found.sent, "failed": found.failed},
    }


def _print(found: Monitored) -> None:
    """One line a monitor, why nothing can be said, and each subject that is not as it should be."""
    for about in found.document["monitors"]:
        sign, many = _SIGNS[about["state"]], about["subjects"]
        typer.echo(f"{sign:<11} {about['monitor']:<14} {about['title']} ({many})")
        mine = [one for one in found.document["results"] if one["monitor"] == about["monitor"]]
        if about["state"] == "cannot_say" and many > 1:
            why, times = Counter(one["words"] for one in mine).most_common(1)[0]
            typer.echo(f"{'':<11}   {sign}: {times} of {many}: {why}")
        for one in mine:
            if many == 1 or one["state"] in ("alert", "warn"):
                since = f", since {one['since'][:16]}" if one["since"] else ""
                typer.echo(
                    f"{'':<11}   {_SIGNS[one['state']]}: {one['subject']}: {one['words']}{since}"
                )
    now = datetime.now(UTC)
    told = f"; {found.sent} told to the webhook" if found.sent else ""
    typer.echo(f"{_SIGNS[found.document['state']]} as of {now:%Y-%m-%d %H:%M} UTC{told}")
