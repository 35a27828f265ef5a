"""``pushwise train``: fit the models of a workspace, and show them beside their baselines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from features.progress import Progress
    from features.workspace import Workspace
    from training.trained import Trained

app = typer.Typer(name="train")


class Which(StrEnum):
    PROPENSITY = "propensity"
    RECOMMENDER = "recommender"
    RESPONSE = "response"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Ask:
    """What every trainer is given."""

    workspace: Workspace
    as_of: datetime
    horizon_days: int
    seed: int
    progress: Progress


def _propensity(ask: Ask) -> Trained:
    from training.propensity import train_propensity

    return train_propensity(ask.workspace, ask.as_of, ask.horizon_days, ask.seed, ask.progress)


def _recommender(ask: Ask) -> Trained:
    from training.recommender import train_recommender

    return train_recommender(ask.workspace, ask.as_of, ask.horizon_days, ask.seed, ask.progress)


def _response(ask: Ask) -> Trained:
    from training.response import train_response

    return train_response(ask.workspace, ask.as_of, ask.seed, ask.progress)


TRAINERS: Mapping[Which, Callable[[Ask], Trained]] = {
    Which.PROPENSITY: _propensity,
    Which.RECOMMENDER: _recommender,
    Which.RESPONSE: _response,
}


@app.command("train")
def train(
    which: Annotated[Which, typer.Argument(help="One model, or all that the data allow.")] = (
        Which.ALL
    ),
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Train on what was known at this moment (ISO 8601, UTC unless it says otherwise); "
            "else at the start of the newest event's day."
        ),
    ] = None,
    horizon_days: Annotated[
        int, typer.Option(min=1, help="Days ahead that propensity and recommender look.")
    ] = 30,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same models.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    workspace: Annotated[
        Path,
        typer.Option("--workspace", envvar="PUSHWISE_WORKSPACE", help="The workspace's folder."),
    ] = Path(".pushwise"),
) -> None:
    """Fit, measure on a later period beside plain baselines, and register in MLflow."""
    from features.errors import FeatureError
    from features.workspace import open_workspace
    from models.errors import ModelError
    from training.errors import TrainingError
    from training.frames import newest_day

    try:
        opened = open_workspace(workspace)
        moment = newest_day(opened) if as_of is None else _moment(as_of)
        chosen = tuple(TRAINERS) if which is Which.ALL else (which,)
        trained, skipped = train_models(opened, chosen, moment, horizon_days, seed)
    except (FeatureError, ModelError, TrainingError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(_document(moment, trained, skipped)))
    else:
        _print(trained, skipped)
    if not trained:
        raise typer.Exit(1)  # every reason was printed


def train_models(
    workspace: Workspace,
    chosen: tuple[Which, ...],
    as_of: datetime,
    horizon_days: int,
    seed: int,
) -> tuple[list[Trained], dict[str, str]]:
    """Train each of ``chosen``, with bars on stderr.

    Returns:
        What was trained, and for each of several models that could not be, why not.

    Raises:
        TrainingError: the one model that was asked for cannot be trained.
    """
    from training.errors import TrainingError

    trained, skipped = [], {}
    with _bars() as progress:
        for which in chosen:
            try:
                asked = Ask(workspace, as_of, horizon_days, seed, progress)
                trained.append(TRAINERS[which](asked))
            except TrainingError as error:
                if len(chosen) == 1:
                    raise
                skipped[which.value] = str(error)
    return trained, skipped


def _moment(text: str) -> datetime:
    from training.errors import TrainingError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TrainingError(
            f"--as-of {text!r} is no ISO 8601 time, such as 2026-05-01 or 2026-05-01T09:00+08:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def _bars() -> Iterator[Progress]:
    """A bar on stderr for each stage."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bars:

        def progress(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield progress


def _document(
    as_of: datetime, trained: Sequence[Trained], skipped: Mapping[str, str]
) -> dict[str, Any]:
    models = [
        {
            "name": one.name,
            **asdict(one.version),
            "champion": one.promoted,
            "beats_baseline": one.beats_baseline,
            "figures": [asdict(comparison) for comparison in one.comparisons],
            "facts": dict(one.facts),
        }
        for one in trained
    ]
    return {"as_of": as_of.isoformat(), "models": models, "skipped": dict(skipped)}


def _print(trained: Sequence[Trained], skipped: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if trained:
        table = Table("model", "figure", "ours", "baselines", "better", title="On a later period")
        for one in trained:
            for place, comparison in enumerate(one.comparisons):
                others = ", ".join(f"{k} {v:.4f}" for k, v in comparison.baselines.items())
                better = "" if not comparison.baselines else "yes" if comparison.beaten else "no"
                name = f"{one.name} v{one.version.version}" if place == 0 else ""
                table.add_row(name, comparison.metric, f"{comparison.ours:.4f}", others, better)
        console.print(table)
    for one in trained:
        role = "champion" if one.promoted else "challenger: does not beat its baseline"
        console.print(f"{one.name} v{one.version.version}: {role}", soft_wrap=True)
    for name, why in skipped.items():
        console.print(f"{name}: not trained, {why}", soft_wrap=True, markup=False)
