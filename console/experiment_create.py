"""``pushwise experiment create``: declare what is compared, before anybody is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.experiment_book import change, opened_book
from console.experiment_file import DeclarationError, Shares, default_control, read_declaration
from console.experiment_shown import show
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption

if TYPE_CHECKING:
    from experiments.design import Experiment
    from features.workspace import Workspace


def create(
    experiment_id: Annotated[
        str, typer.Argument(help="Its id, which assigns members; left out with --file.")
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option(help="TOML or JSON that declares it (docs/experiment-lifecycle.md)."),
    ] = None,
    champion: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of the release that is published.")
    ] = None,
    challenger: Annotated[
        list[str] | None,
        typer.Option(metavar="RELEASE=SHARE", help="Another release; may be given several times."),
    ] = None,
    random: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of chance among what is eligible.")
    ] = None,
    holdout: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of those who get nothing.")
    ] = None,
    control: Annotated[
        str, typer.Option(help="The arm the others are compared with; else champion, or the first.")
    ] = "",
    push: Annotated[
        list[str] | None, typer.Option(help="A push that it decides; else all pushes.")
    ] = None,
    layer: Annotated[
        str, typer.Option(help="Its experiments share its members, each in one at most.")
    ] = "default",
    traffic: Annotated[float, typer.Option(help="Share of the layer's members it takes.")] = 1.0,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="The control answers; the others are written down.")
    ] = False,
    metric: Annotated[
        str, typer.Option(help="What decides: gain, margin, revenue or converted.")
    ] = "gain",
    lift: Annotated[float, typer.Option(help="Smallest difference that matters.")] = 0.0,
    cap: Annotated[
        float | None, typer.Option(help="Most money that one member counts with.")
    ] = None,
    looks: Annotated[int, typer.Option(help="Planned looks, equally far apart over --days.")] = 1,
    days: Annotated[float, typer.Option(help="From its start to the last look.")] = 28.0,
    window_days: Annotated[
        float, typer.Option(help="After a member's first decision, in which outcomes count.")
    ] = 14.0,
    always: Annotated[
        bool, typer.Option("--always", help="No planned looks: to be read at any time.")
    ] = False,
    owner: Annotated[str, typer.Option(help="Whose it is.")] = "",
    hypothesis: Annotated[str, typer.Option(help="What it is to show.")] = "",
    revise: Annotated[
        bool, typer.Option("--revise", help="Declare the draft of that id anew.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Declare an experiment, in a file or by options: a draft, which decides nothing yet.

    The same again changes nothing.
    """
    shares = Shares(champion, challenger or (), random, holdout)
    arms = shares.arms()
    if (file is None) == (not arms) or (file is not None and experiment_id):
        raise DeclarationError("wanted an id with arms such as --champion 0.5 --holdout 0.5, or "
                               "--file alone")  # fmt: skip
    if file is not None:
        declared = read_declaration(file)
    else:
        from experiments.design import Analysis, Experiment

        analysis = Analysis(
            metric, window_days, cap=cap, lift=lift, looks=looks, days=days,
            sequential="always" if always else "group",
        )  # fmt: skip
        declared = Experiment(
            experiment_id, arms,
            control or default_control([arm.name for arm in arms]),
            layer=layer, traffic=traffic, push_ids=tuple(push or ()),
            mode="shadow" if shadow else "live", analysis=analysis, owner=owner,
            hypothesis=hypothesis,
        )  # fmt: skip
    with opened_book(workspace, database) as opened:
        if revise:
            entry = opened.book.revise(declared, change())
        else:
            entry = opened.book.create(declared, change()).entry
        _warn(opened.workspace, declared)
    show(entry, as_json)


def _warn(workspace: Workspace, declared: Experiment) -> None:
    """A release may still be built; the draft does not start before it is there."""
    for arm in declared.arms:
        if arm.release and not (workspace.releases / arm.release).is_dir():
            typer.echo(
                f"warning: release {arm.release!r} of arm {arm.name} is not in the workspace, and "
                "without it the draft does not start; `pushwise release list` shows those there "
                "are",
                err=True,
            )
