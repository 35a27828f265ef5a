"""``pushwise train``: fit models, measure them beside baselines and champions, promote the good."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import trainers
from console.moments import as_of_moment
from console.progress import bars
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace
from console.trainers import TrainingAsk, Which

if TYPE_CHECKING:
    from training.comparison import Comparison
    from training.trained import Trained


def train(
    which: Annotated[Which, typer.Argument(help="One model, or all that the data allow.")] = (
        Which.ALL
    ),
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Train on what was known at this moment (ISO 8601); else the newest event's day."
        ),
    ] = None,
    horizon_days: Annotated[
        int | None,
        typer.Option(min=1, help="Days that models look ahead; else 30, and 90 for clv."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same models.")] = 0,
    observational: Annotated[
        bool,
        typer.Option(
            "--observational",
            help="Let the response model learn from sends that were not drawn at random.",
        ),
    ] = False,
    no_promote: Annotated[
        bool, typer.Option("--no-promote", help="Leave the champions as they are.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Fit, measure on a later period beside baselines and champion, and register in MLflow.

    What passes every gate becomes the champion; of the rest, it is told what they failed.
    """
    opened = load_workspace(workspace)
    moment = as_of_moment(opened, as_of)
    ask = TrainingAsk(opened, moment, horizon_days, seed, observational, not no_promote)
    with bars() as progress:
        if which is Which.ALL:
            trained, skipped = trainers.train_all(ask, progress, trainers.TRAINERS)
        else:
            trained, skipped = [trainers.TRAINERS[which](ask, progress)], {}
    if as_json:
        typer.echo(json.dumps(_document(ask.as_of, trained, skipped)))
    else:
        _print(trained, skipped, promote=ask.promote)
    if not trained:
        raise typer.Exit(1)  # why not has been printed, model by model


def _document(
    as_of: datetime, trained: Sequence[Trained], skipped: Mapping[str, str]
) -> dict[str, Any]:
    from training.trained import figures_document

    models = [
        {
            "name": one.name,
            **asdict(one.version),
            "champion": one.promoted,
            "beats_baseline": one.beats_baseline,
            **figures_document(one.comparisons, one.checks),
            "facts": dict(one.facts),
        }
        for one in trained
    ]
    return {"as_of": as_of.isoformat(), "models": models, "skipped": dict(skipped)}


def _print(trained: Sequence[Trained], skipped: Mapping[str, str], *, promote: bool) -> None:
    if trained:
        _print_figures(trained)
    for one in trained:
        typer.echo(f"{one.name} v{one.version.version}: {standing_of(one, promote=promote)}")
    for name, why in skipped.items():
        typer.echo(f"{name}: not trained, {why}")


def _print_figures(trained: Sequence[Trained]) -> None:
    """Every figure beside its baselines and the champion's, a section for each model."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title="On a later period; of each model the first figure decides", box=box.SIMPLE)
    for column in ("figure", "ours", "baselines", "champion", "better"):
        table.add_column(column, no_wrap=True)
    for one in trained:
        table.add_section()
        table.add_row(f"{one.name} v{one.version.version}", style="bold")
        for comparison in one.comparisons:
            table.add_row(*_row(comparison))
    Console().print(table)


def _row(comparison: Comparison) -> tuple[str, str, str, str, str]:
    others = "\n".join(f"{name} {value:.4f}" for name, value in comparison.baselines.items())
    better = ("yes" if comparison.beaten else "no") if others else ""
    champion = "" if comparison.champion is None else f"{comparison.champion:.4f}"
    return comparison.metric, f"{comparison.ours:.4f}", others, champion, better


def standing_of(one: Trained, *, promote: bool = True) -> str:
    """Whether ``one`` serves, and if not, what stopped it."""
    if one.promoted:
        return "champion"
    if one.failed:
        return f"challenger, not past the gates: {in_words(one)}"
    return "challenger, past every gate" + ("" if promote else " (--no-promote)")


def in_words(one: Trained) -> str:
    """The gates that ``one`` did not pass, with what was found."""
    return "; ".join(f"{check.name} ({check.found})" for check in one.failed)
