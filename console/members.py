"""``pushwise members``: erase members everywhere, or show what is held of one."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.progress import bars
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, existing_workspace
from features.errors import FeatureError

if TYPE_CHECKING:
    from serving.erasures import Erasure

app = typer.Typer(name="members", help="The rights of members.", no_args_is_help=True)


class NobodyNamedError(FeatureError):
    """An erasure of nobody, or of somebody and of what waits at once."""


@app.command("erase")
def erase(
    member: Annotated[list[str] | None, typer.Argument(help="Their ids.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="More ids, one a line. The file itself is yours.")
    ] = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="Carry out what was recorded over HTTP.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Forget members for good, in every file; what is ingested again of them is refused.

    Interrupted, it goes on with `--pending`. What you exported (plans, audiences, reports) stays
    with you.
    """
    from console.erasure import carry_out, read_ids
    from serving.erasures import Erasures
    from serving.log import Log

    ids = [*(member or []), *(read_ids(file) if file else [])]
    if bool(ids) == pending:
        raise NobodyNamedError("wanted member ids, a --file of them, or --pending")
    opened = existing_workspace(workspace, database)
    with Log.of(opened) as log, bars() as progress:
        erasures = Erasures(log)
        wanted = [erasures.ask(ids, datetime.now(UTC))] if ids else erasures.pending()
        done = [carry_out(opened, log, one, progress) for one in wanted]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in done], default=str))
        return
    for one in done:
        _show(one)
    if not done:
        typer.echo("nothing waits")


def _show(done: Erasure) -> None:
    from console.erasure import LEFT

    removed = dict(done.removed)
    left = removed.pop(LEFT, [])
    typer.echo(f"{done.erasure_id}: {done.members:,} members erased")
    for place, count in removed.items():
        if count:
            typer.echo(f"  {place}: {count:,}")
    for what in left:
        typer.echo(f"  left: {what}")


@app.command("export")
def export(
    member: Annotated[str, typer.Argument(help="The member's id.")],
    out: Annotated[Path | None, typer.Option(help="File to write; else stdout.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
) -> None:
    """Show everything that is held of a member, as JSON by place."""
    from console.erasure import everything_of
    from features.workspace import write_atomically
    from serving.log import Log

    opened = existing_workspace(workspace, database)
    with Log.of(opened) as log:
        held = everything_of(opened, log, member)
    text = json.dumps({"member_id": member, "held": held}, ensure_ascii=False, indent=1)
    if out is None:
        typer.echo(text)
    else:
        write_atomically(out, text.encode(), secret=True)
