"""``pushwise experiment results``: what an experiment shows, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from console.moments import as_of_moment
from console.readout_shown import print_figures
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, load_workspace
from experiments.errors import ExperimentError

if TYPE_CHECKING:
    from experiments.shadow import ShadowReadout
    from features.workspace import Workspace
    from serving.experiment_entry import Entry
    from serving.log import Log
    from serving.readouts import Results


def results(
    experiment_id: Annotated[str, typer.Argument(metavar="ID", help="The experiment.")],
    as_of: Annotated[
        str | None, typer.Option(help="What was known at that moment; else now.")
    ] = None,
    moments: Annotated[
        int,
        typer.Option(min=0, max=50, help="With --json: earlier moments beside the planned looks."),
    ] = 0,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """What the arms of an experiment earned, and whether one may go on.

    Takes in first what the scorer has logged since the last time.
    """
    opened = load_workspace(workspace, database)
    moment = None if as_of is None else as_of_moment(opened, as_of)
    shadow = _shadow_of(opened, experiment_id, moment)
    if shadow is not None:
        _print_shadow(shadow, as_json)
        return
    found = results_of(opened, experiment_id, moment, _curve(moments))
    if as_json:
        document = found.to_json()
        if moments:
            document["history"] = [one.to_json() for one in found.history]
        typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    else:
        _print(found)


def results_of(
    workspace: Workspace,
    experiment_id: str,
    as_of: datetime | None = None,
    curve: Callable[[Entry, datetime], Sequence[datetime]] = lambda _entry, _as_of: (),
) -> Results:
    """Take the scorer's log over into the tables, and read the experiment out.

    Args:
        as_of: None for now. curve: earlier moments that are read too.

    Raises:
        ExperimentError: no scorer has run here, ``as_of`` lies ahead or before the start, or a
            shadow experiment.
        UnknownExperiment, WrongState.
    """
    from console.scorer_log import take_all
    from serving.experiments import Book
    from serving.readouts import read_results

    moment = _past(as_of)
    with _log(workspace) as log:
        entry = Book(log).find(experiment_id)
    take_all(workspace)
    return read_results(workspace, entry, moment, curve(entry, moment))


def _curve(most: int) -> Callable[[Entry, datetime], Sequence[datetime]]:
    from dashboard.reading import curve_moments

    return lambda entry, as_of: curve_moments(entry, as_of, most) if most else ()


def _shadow_of(
    workspace: Workspace, experiment_id: str, as_of: datetime | None
) -> ShadowReadout | None:
    """What a shadow experiment shows; None of a live one."""
    from serving.experiments import Book
    from serving.shadow_results import shadow_results

    with _log(workspace) as log:
        entry = Book(log).find(experiment_id)
        if entry.declared.mode == "live":
            return None
        return shadow_results(log, entry, _past(as_of))


@contextmanager
def _log(workspace: Workspace) -> Iterator[Log]:
    from console.scorer_log import scorer_log

    with scorer_log(workspace) as log:
        if log is None:
            raise ExperimentError(
                f"no experiments in {workspace.root}: no scorer's log is there; name its folder "
                "with --workspace"
            )
        yield log


def _past(as_of: datetime | None) -> datetime:
    now = datetime.now(UTC)
    if as_of is not None and as_of > now:
        raise ExperimentError(f"--as-of {as_of.isoformat()} lies ahead; name a moment that is past")
    return as_of or now


def _print_shadow(found: ShadowReadout, as_json: bool) -> None:
    from experiments.contrast import Untold

    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False))
        return
    few = False
    for arm, shadow in found.arms.items():
        few = few or isinstance(shadow, Untold)
        said = f"{arm}: {shadow.told}." if isinstance(shadow, Untold) else shadow.sentence
        typer.echo(said)
    if few:
        typer.echo(
            "what arms would have decided follows a decision in seconds, while a scorer runs"
        )
    typer.echo(f"shadow, as of {found.as_of:%Y-%m-%d %H:%M} UTC; nobody got what arms decided")


def _print(found: Results) -> None:
    readout = found.readout
    typer.echo(readout.verdict.sentence)
    if found.at_look is not None and found.at_look != readout:
        look, said = found.at_look.look, found.at_look.verdict.sentence
        typer.echo(f"At look {look.number} of {look.of}, {found.at_look.as_of:%Y-%m-%d}: {said}")
    print_figures(readout)
    typer.echo(f"{found.entry.state}, as of {readout.as_of:%Y-%m-%d %H:%M} UTC")
