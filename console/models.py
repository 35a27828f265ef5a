"""``pushwise models``: what is registered, why it serves or does not, and promotion by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    from features.workspace import Workspace
    from training.tracking import Version

app = typer.Typer(name="models", help="What was trained and what serves.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="As `pushwise models list` shows it.")]


@app.command("list")
def list_command(
    name: Annotated[str | None, typer.Argument(help="Versions of one model only.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Show every registered version, newest first: which serves, and the deciding figure."""
    from training.tracking import versions

    found = versions(load_workspace(workspace), name)
    if as_json:
        typer.echo(json.dumps([_document(one) for one in found]))
        return
    if not found:
        typer.echo("no model yet; make one with `pushwise train`")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for column in ("model", "", "trained", "deciding figure", "gates"):
        table.add_column(column, no_wrap=column in ("model", "", "gates"))
    for one in found:
        measured = measured_of(one)
        table.add_row(
            f"{one.name} v{one.tracked.version}",
            ", ".join(one.aliases),
            f"{one.created_at:%Y-%m-%d}",
            _deciding(measured),
            _gates(measured),
        )
    Console().print(table)


@app.command("show")
def show(
    name: NameArgument,
    version: Annotated[
        str | None, typer.Argument(help="Its number; else the champion, else the newest.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Show the model card: purpose, data, figures, gates, limits; and where the charts lie."""
    from training.trained import CARD

    found = registered(load_workspace(workspace), name, version)
    if as_json:
        typer.echo(json.dumps(_document(found)))
        return
    card = found.artifacts / CARD
    typer.echo(f"{found.name} version {found.tracked.version} {' '.join(found.aliases)}".rstrip())
    for line in found.tags.get("promotions", "").splitlines():
        typer.echo(f"promoted {line}")
    typer.echo(f"files: {found.artifacts}\n")
    typer.echo(card.read_text(encoding="utf-8") if card.exists() else "it has no card")


@app.command("promote")
def promote(
    name: NameArgument,
    version: Annotated[str, typer.Argument(help="Its number.")],
    reason: Annotated[str, typer.Option(help="Why, kept with the version.")],
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion whatever the gates say, such as to go back to an earlier one.

    The next release takes it in: `pushwise release build`.
    """
    from training.errors import TrainingError
    from training.tracking import promote as set_champion

    if not reason.strip():
        raise TrainingError("the reason is empty; say why this version is to serve")
    opened = load_workspace(workspace)
    found = registered(opened, name, version)
    set_champion(opened, name, found.tracked, f"by hand: {reason}")
    if as_json:
        typer.echo(json.dumps({"name": name, "version": version, "champion": True}))
    else:
        typer.echo(
            f"{name} version {version} is the champion; `pushwise release build` takes it in"
        )


def registered(workspace: Workspace, name: str, version: str | None) -> Version:
    """The version asked for; without a number the champion, else the newest.

    Raises:
        TrainingError: there is none; the message says which there are.
    """
    from training.errors import TrainingError
    from training.tracking import CHAMPION, versions

    everything = versions(workspace)
    of_it = [one for one in everything if one.name == name]
    if not of_it:
        names = ", ".join(sorted({one.name for one in everything})) or "none yet"
        raise TrainingError(f"no model {name!r} is registered; there are: {names}")
    for one in of_it:
        if one.tracked.version == version or (version is None and CHAMPION in one.aliases):
            return one
    if version is None:
        return of_it[0]
    numbers = ", ".join(one.tracked.version for one in of_it)
    raise TrainingError(f"{name} has no version {version!r}; there are: {numbers}")


def measured_of(version: Version) -> dict[str, Any]:
    """Figures and gates as its run keeps them; empty for a version without."""
    from training.trained import FIGURES

    path = version.artifacts / FIGURES
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _document(version: Version) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.tracked.version,
        "run_id": version.tracked.run_id,
        "aliases": list(version.aliases),
        "created_at": version.created_at.isoformat(),
        "artifacts": str(version.artifacts),
        "facts": dict(version.tags),
        **measured_of(version),
    }


def _deciding(measured: dict[str, Any]) -> str:
    if not measured.get("figures"):
        return ""
    first = measured["figures"][0]
    ours = "none" if first["ours"] is None else f"{first['ours']:.4g}"
    return f"{first['metric']} {ours}"


def _gates(measured: dict[str, Any]) -> str:
    if not measured:
        return ""
    failed = sum(not check["passed"] for check in measured["checks"])
    return f"{failed} failed" if failed else "passed"
