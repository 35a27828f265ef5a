"""``pushwise experiment power``: before anything is sent, what can be seen at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.experiment_file import named_shares, read_declaration
from console.moments import as_of_moment
from console.progress import bars
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_settings, load_workspace
from experiments.errors import ExperimentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from console.power_shown import Planned
    from experiments.design import Analysis
    from experiments.power import Baseline, Question
    from features.workspace import Workspace
    from training.experiment_history import History

_HALVES = {"control": 0.5, "challenger": 0.5}
_POINTS = 8
_FORMATS = (".png", ".html")


class PowerOptionError(ExperimentError):
    """Options that ask for nothing that can be answered."""


def power(
    lift: Annotated[
        str, typer.Option(help="The lift to see: in the metric's unit, or such as 5%.")
    ] = "",
    file: Annotated[
        Path | None,
        typer.Option(help="An experiment's declaration (TOML or JSON); options go before it."),
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SHARE", help="An arm; may be repeated. Else two halves."),
    ] = None,
    control: Annotated[
        str, typer.Option(help="The arm that others are compared with; else the first.")
    ] = "",
    metric: Annotated[
        str | None, typer.Option(help="gain, margin, revenue or converted, per member; else gain.")
    ] = None,
    window_days: Annotated[
        float | None, typer.Option(help="In which outcomes count; else 14.")
    ] = None,
    before_days: Annotated[
        float | None,
        typer.Option(help="Before them, that serve as covariates (CUPED); 0: none; else 28."),
    ] = None,
    cap: Annotated[
        float | None, typer.Option(help="Most money that one member counts with.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Share of false alarms, two-sided; else 0.05.")
    ] = None,
    chance: Annotated[
        float | None,
        typer.Option("--power", help="Chance of seeing the lift where it is there; else 0.8."),
    ] = None,
    looks: Annotated[
        int | None, typer.Option(help="Planned looks, the last one included; else 1.")
    ] = None,
    always: Annotated[
        bool, typer.Option("--always", help="Looked at any time (confidence sequence).")
    ] = False,
    traffic: Annotated[
        float | None, typer.Option(help="Share of the members that it takes; else all.")
    ] = None,
    per_day: Annotated[
        float | None,
        typer.Option(
            help="Members that come into it a day; else as the log of decisions tells; with "
            "--push all at once."
        ),
    ] = None,
    most_days: Annotated[float | None, typer.Option(help="Longest it may take.")] = None,
    rule: Annotated[str, typer.Option(help="Only members whom this rule picks.")] = "",
    push: Annotated[
        Path | None, typer.Option(help="Only members whom this push may reach: a TOML file.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="End of the history; else the newest day.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw size against lift: a .png, or a .html page.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """How many members and days a lift takes, or the smallest lift that can be seen.

    From what the workspace's own members did lately. Where it cannot be measured, it says why, and
    what can be.
    """
    from console.power_shown import document, draw, show

    if plot is not None and plot.suffix not in _FORMATS:
        raise typer.BadParameter(f"{plot.name} ends in neither .png nor .html", param_hint="--plot")
    given = {
        "metric": metric,
        "window_days": window_days,
        "before_days": before_days,
        "cap": cap,
        "alpha": alpha,
        "power": chance,
        "looks": looks,
        "sequential": "always" if always else None,
    }
    question, share = _question(file, arm or [], control, given)
    question = replace(question, most_days=inf if most_days is None else most_days)
    opened = load_workspace(workspace)
    history = _history(opened, as_of_moment(opened, as_of), question.analysis, rule, push)
    pace = per_day if per_day is not None or push is not None else history.per_day
    baseline = history.baseline(_traffic(share if traffic is None else traffic), pace)
    planned = _planned(history, baseline, question, lift)
    if as_json:
        typer.echo(json.dumps(document(planned)))
    else:
        show(planned)
    if plot is not None:
        draw(planned, plot)


def _question(
    file: Path | None, arms: list[str], control: str, given: dict[str, Any]
) -> tuple[Question, float]:
    """The question of a declaration and of the options ``given`` (None: not), and its traffic."""
    from experiments.design import Analysis
    from experiments.power import Question
    from experiments.readout import candidates

    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    shares = named_shares(arms) or _HALVES
    if file is None:
        return Question(shares, control or next(iter(shares)), Analysis(**said)), 1.0
    declared = read_declaration(file)
    analysis = replace(declared.analysis, **said)
    if arms:
        return Question(shares, control or next(iter(shares)), analysis), declared.traffic
    asked = replace(declared, control=control or declared.control)
    shares = {arm.name: arm.share for arm in asked.arms}
    question = Question(shares, asked.control, analysis, candidates=candidates(asked))
    return question, asked.traffic


def _traffic(share: float) -> float:
    if not 0 < share <= 1:
        raise PowerOptionError(f"--traffic is {share:g}, wanted more than 0, at most 1")
    return share


def _history(
    workspace: Workspace, as_of: datetime, analysis: Analysis, rule: str, push: Path | None
) -> History:
    from training.experiment_history import member_history

    start = as_of - timedelta(days=analysis.window_days)
    return member_history(workspace, as_of, analysis, _eligible(workspace, start, rule, push))


def _eligible(
    workspace: Workspace, start: datetime, rule: str, push: Path | None
) -> NDArray[np.str_] | None:
    """Ids of the members who could have been in an experiment that began at ``start``."""
    if not rule and push is None:
        return None
    import numpy as np

    from console.policy import standing_policy
    from console.push_file import read_push
    from training.eligible_history import features_of, push_members, rule_members

    described = None if push is None else read_push(push).push
    with bars() as progress:
        snapshot = features_of(workspace, start, progress)
    found = rule_members(snapshot, rule) if rule else None
    if described is None:
        return found
    reached = push_members(snapshot, described, standing_policy(workspace, load_settings()))
    return reached if found is None else np.intersect1d(found, reached)


def _planned(history: History, baseline: Baseline, question: Question, lift: str) -> Planned:
    from console.power_shown import Planned
    from experiments.power import curve, detectable, size

    wanted = _amount(lift, baseline.mean) if lift else question.analysis.lift
    asked = bool(lift) or wanted != 0
    answer = size(baseline, question, wanted) if asked else detectable(baseline, question)
    return Planned(history, baseline, question, answer, curve(baseline, question, _POINTS))


def _amount(lift: str, mean: float) -> float:
    relative = lift.endswith("%")
    try:
        number = float(lift.removesuffix("%"))
    except ValueError as error:
        raise PowerOptionError(f"--lift {lift!r}, wanted a number such as 0.4, or 5%") from error
    return number / 100 * mean if relative else number
