"""``pushwise train``: fit the models of a workspace, and show them beside their baselines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.moments import as_of_moment
from console.progress import bars
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace
from features.progress import Progress
from features.workspace import Workspace

if TYPE_CHECKING:
    from training.trained import Trained


class Which(StrEnum):
    PROPENSITY = "propensity"
    RECOMMENDER = "recommender"
    RESPONSE = "response"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class TrainingAsk:
    """What every trainer is given."""

    workspace: Workspace
    as_of: datetime
    horizon_days: int = 30
    seed: int = 0


def _propensity(ask: TrainingAsk, progress: Progress) -> Trained:
    from training.propensity import train_propensity

    return train_propensity(ask.workspace, ask.as_of, ask.horizon_days, ask.seed, progress)


def _recommender(ask: TrainingAsk, progress: Progress) -> Trained:
    from training.recommender import train_recommender

    return train_recommender(ask.workspace, ask.as_of, ask.horizon_days, ask.seed, progress)


def _response(ask: TrainingAsk, progress: Progress) -> Trained:
    from training.response import train_response

    return train_response(ask.workspace, ask.as_of, ask.seed, progress)


TRAINERS: Mapping[Which, Callable[[TrainingAsk, Progress], Trained]] = {
    Which.PROPENSITY: _propensity,
    Which.RECOMMENDER: _recommender,
    Which.RESPONSE: _response,
}


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
        int, typer.Option(min=1, help="Days ahead that propensity and recommender look.")
    ] = 30,
    seed: Annotated[int, typer.Option(help="Same data and seed give the same models.")] = 0,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Fit, measure on a later period beside plain baselines, and register in MLflow."""
    opened = load_workspace(workspace)
    ask = TrainingAsk(opened, as_of_moment(opened, as_of), horizon_days, seed)
    with bars() as progress:
        if which is Which.ALL:
            trained, skipped = train_all(ask, progress)
        else:
            trained, skipped = [TRAINERS[which](ask, progress)], {}
    if as_json:
        typer.echo(json.dumps(_document(ask.as_of, trained, skipped)))
    else:
        _print(trained, skipped)
    if not trained:
        raise typer.Exit(1)  # why not has been printed, model by model


def train_all(ask: TrainingAsk, progress: Progress) -> tuple[list[Trained], dict[str, str]]:
    """Train every model.

    Returns:
        What was trained, and for each model that this workspace cannot train, why not.
    """
    from training.errors import TrainingError

    trained, skipped = [], {}
    for which, trainer in TRAINERS.items():
        try:
            trained.append(trainer(ask, progress))
        except TrainingError as error:
            skipped[which.value] = str(error)
    return trained, skipped


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
                name = f"{one.name} v{one.version.version}" if place == 0 else ""
                others = "\n".join(f"{k} {v:.4f}" for k, v in comparison.baselines.items())
                better = ("yes" if comparison.beaten else "no") if others else ""
                table.add_row(name, comparison.metric, f"{comparison.ours:.4f}", others, better)
        console.print(table)
    for one in trained:
        typer.echo(f"{one.name} v{one.version.version}: {_standing(one)}")
    for name, why in skipped.items():
        typer.echo(f"{name}: not trained, {why}")


def _standing(one: Trained) -> str:
    if one.beats_baseline:
        return "champion"
    worse = f"does not beat its baseline on {one.comparisons[0].metric}"
    return f"champion for want of another, but {worse}" if one.promoted else f"challenger, {worse}"
