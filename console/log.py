"""``pushwise log migrate|status``: the tables of the scorer's log."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import typer

from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, load_workspace

log = typer.Typer(name="log", help="The tables of the scorer's log.", no_args_is_help=True)


@log.command("migrate")
def migrate(
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Bring the tables to the newest revision; an SQLite file is copied first."""
    from serving.database import Database
    from serving.migrate import migrate as run

    done = run(Database.of(load_workspace(workspace, database)), datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(asdict(done), default=str))
        return
    before = "a new log" if done.before is None else f"from revision {done.before}"
    typer.echo(f"{done.database}: at revision {done.revision}, {before}")
    if done.backup is not None:
        typer.echo(f"the log as it was: {done.backup}; it holds member ids, delete it when done")


@log.command("status")
def status(
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the revision of the tables; status 1 where a scorer would refuse them."""
    from serving.database import Database
    from serving.migrate import status as read

    found = read(Database.of(load_workspace(workspace, database)))
    if as_json:
        typer.echo(json.dumps({**asdict(found), "current": found.current}))
    else:
        stands = "no log yet" if found.revision is None else f"at revision {found.revision}"
        typer.echo(f"{found.database}: {stands}, wanted {found.wanted}")
        if not found.synced:
            typer.echo("the server runs with fsync off: what it acknowledged may be lost", err=True)
    if not found.current:
        raise typer.Exit(1)
