"""``pushwise experiment power``: before anything is sent, what can be seen at all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.moments import as_of_moment
from console.progress import bars
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_settings, load_workspace
from experiments.errors import ExperimentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from experiments.design import Analysis
    from experiments.power import Baseline, CannotMeasure, Question, Sized
    from features.workspace import Workspace
    from training.charts import Chart
    from training.experiment_history import History

_HALVES = {"control": 0.5, "challenger": 0.5}
_POINTS = 8
_FORMATS = (".png", ".html")


class PowerOptionError(ExperimentError):
    """Options that ask for nothing that can be answered."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A question with its answer. curve: smallest lifts of fewer members, fewest first."""

    history: History
    baseline: Baseline
    question: Question
    answer: Sized | CannotMeasure
    curve: tuple[Sized, ...]

    @property
    def unit(self) -> str:
        """What a lift is counted in."""
        return "of members converting" if self.baseline.share else f"{self.history.metric} a member"


def power(
    lift: Annotated[
        str, typer.Option(help="The lift to see: in the metric's unit, or such as 5%.")
    ] = "",
    metric: Annotated[
        str, typer.Option(help="gain, margin, revenue or converted, per member assigned.")
    ] = "gain",
    arm: Annotated[
        list[str] | None, typer.Option(metavar="NAME=SHARE", help="An arm; may be repeated.")
    ] = None,
    control: Annotated[
        str, typer.Option(help="The arm that others are compared with; else the first.")
    ] = "",
    window: Annotated[float, typer.Option(help="Days in which outcomes count.")] = 14.0,
    before: Annotated[
        float, typer.Option(help="Days before it that serve as covariates (CUPED); 0: none.")
    ] = 28.0,
    cap: Annotated[
        float | None, typer.Option(help="Most money that one member counts with.")
    ] = None,
    alpha: Annotated[float, typer.Option(help="Share of false alarms, two-sided.")] = 0.05,
    chance: Annotated[
        float, typer.Option("--power", help="Chance of seeing the lift where it is there.")
    ] = 0.8,
    looks: Annotated[int, typer.Option(help="Planned looks, the last one included.")] = 1,
    always: Annotated[
        bool, typer.Option("--always", help="Looked at any time (confidence sequence).")
    ] = False,
    traffic: Annotated[float, typer.Option(help="Share of the members that it takes.")] = 1.0,
    per_day: Annotated[
        float | None,
        typer.Option(
            help="Members that come into it a day; else as the log of decisions tells; with "
            "--push all at once."
        ),
    ] = None,
    most_days: Annotated[float | None, typer.Option(help="Longest it may take, in days.")] = None,
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
    from experiments.design import Analysis

    if plot is not None and plot.suffix not in _FORMATS:
        raise typer.BadParameter(f"{plot.name} ends in neither .png nor .html", param_hint="--plot")
    analysis = Analysis(
        metric=metric,
        window_days=window,
        before_days=before,
        cap=cap,
        alpha=alpha,
        power=chance,
        looks=looks,
        sequential="always" if always else "group",
    )
    shares = _shares(arm or [])
    opened = load_workspace(workspace)
    moment = as_of_moment(opened, as_of)
    history = _history(opened, moment, analysis, rule, push)
    pace = per_day if per_day is not None or push is not None else history.per_day
    question = _question(shares, control, analysis, most_days)
    planned = _planned(history, history.baseline(_share(traffic), pace), question, lift)
    if as_json:
        typer.echo(json.dumps(document(planned)))
    else:
        _print(planned)
    if plot is not None:
        _plot(planned, plot)


def _shares(given: list[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for one in given:
        name, _, share = one.partition("=")
        try:
            shares[name] = float(share)
        except ValueError as error:
            raise PowerOptionError(
                f"--arm {one!r}, wanted a name and its share, such as challenger=0.4"
            ) from error
    return shares or _HALVES


def _share(traffic: float) -> float:
    if not 0 < traffic <= 1:
        raise PowerOptionError(f"--traffic is {traffic:g}, wanted more than 0, at most 1")
    return traffic


def _question(
    shares: dict[str, float], control: str, analysis: Analysis, most_days: float | None
) -> Question:
    from experiments.power import Question

    most = inf if most_days is None else most_days
    return Question(shares, control or next(iter(shares)), analysis, most_days=most)


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
    from experiments.power import curve, detectable, size

    if lift:
        answer = size(baseline, question, _amount(lift, baseline.mean))
    else:
        answer = detectable(baseline, question)
    return Planned(history, baseline, question, answer, curve(baseline, question, _POINTS))


def _amount(lift: str, mean: float) -> float:
    relative = lift.endswith("%")
    try:
        number = float(lift.removesuffix("%"))
    except ValueError as error:
        raise PowerOptionError(f"--lift {lift!r}, wanted a number such as 0.4, or 5%") from error
    return number / 100 * mean if relative else number


def document(planned: Planned) -> dict[str, Any]:
    """The answer as JSON."""
    from experiments.power import Sized

    history, baseline, question = planned.history, planned.baseline, planned.question
    answer = planned.answer
    wanted, within = (
        (answer, None) if isinstance(answer, Sized) else (answer.wanted, answer.within_reach)
    )
    reasons = [] if isinstance(answer, Sized) else list(answer.reasons)
    return {
        "baseline": {
            "metric": question.analysis.metric,
            "from": history.start.isoformat(),
            "to": history.end.isoformat(),
            "mean": baseline.mean,
            "variance": baseline.variance,
            "correlation": baseline.correlation,
            "members": baseline.members,
            "per_day": baseline.per_day,
        },
        "shares": dict(question.shares),
        "control": question.control,
        "alpha": question.analysis.alpha,
        "alpha_each": question.alpha,
        "power": question.analysis.power,
        "looks": question.analysis.looks,
        "sequential": question.analysis.sequential,
        "measurable": not reasons,
        "reasons": reasons,
        "needed": None if wanted is None else asdict(wanted),
        "within_reach": None if within is None else asdict(within),
        "curve": [asdict(one) for one in planned.curve],
        "verdict": verdict(planned),
    }


def verdict(planned: Planned) -> str:
    """The answer in a sentence."""
    from experiments.power import Sized

    answer = planned.answer
    if isinstance(answer, Sized):
        return f"{_told(planned, answer)} can be seen: {_taken(planned, answer)}"
    said = f"cannot be measured: {'; '.join(answer.reasons)}"
    if answer.within_reach is not None:
        reached = answer.within_reach
        said += f"; what can be seen is {_told(planned, reached)}: {_taken(planned, reached)}"
    return said


def _told(planned: Planned, sized: Sized) -> str:
    relative = "" if sized.relative is None else f" ({sized.relative:+.1%})"
    amount = (
        f"{100 * sized.lift:+.2f} points" if planned.baseline.share else _money(sized.lift, "+")
    )
    return f"a lift of {amount} {planned.unit}{relative}"


def _money(amount: float, sign: str = "") -> str:
    digits = ",.2f" if abs(amount) >= 0.1 else ",.3g"
    return format(amount, sign + digits)


def _taken(planned: Planned, sized: Sized) -> str:
    chance = planned.question.analysis.power
    return f"{sized.members:,} members, {sized.days:,.0f} days, with a chance of {chance:.0%}"


def _print(planned: Planned) -> None:
    from rich.console import Console
    from rich.table import Table

    from experiments.power import Sized

    baseline, history = planned.baseline, planned.history
    typer.echo(verdict(planned))
    pace = "all at once" if baseline.per_day is None else f"{baseline.per_day:,.0f} a day"
    mean = f"{baseline.mean:.2%} converted" if baseline.share else f"{baseline.mean:,.4g} mean"
    typer.echo(
        f"{baseline.members:,} members can be in it, {pace}; {mean}, standard deviation "
        f"{baseline.variance**0.5:,.4g} over {history.start:%Y-%m-%d} to {history.end:%Y-%m-%d}; "
        f"what they did before explains {baseline.correlation**2:.0%} of it"
    )
    _notes(planned)
    arms, curve = Table("arm", "share", "members", box=None), _curve_table(planned)
    for arm, share in planned.question.shares.items():
        of = " (compared with)" if arm == planned.question.control else ""
        members = f"{planned.answer.arms[arm]:,}" if isinstance(planned.answer, Sized) else ""
        arms.add_row(f"{arm}{of}", f"{share:.1%}", members)
    for table in (arms, curve):
        Console().print(table)


def _notes(planned: Planned) -> None:
    analysis, each = planned.question.analysis, planned.question.alpha
    if analysis.metric == "gain":
        typer.echo("  gain: the margin of the past; what sends will cost is not in it")
    if each < analysis.alpha:
        typer.echo(f"  {len(planned.question.shares) - 1} comparisons, each at {each:.3g} (Holm)")


def _curve_table(planned: Planned) -> Any:
    from rich.table import Table

    table = Table("members", "smallest lift", "relative", "days", box=None)
    for one in planned.curve:
        lift = f"{100 * one.lift:.2f} points" if planned.baseline.share else _money(one.lift)
        relative = "" if one.relative is None else f"{one.relative:.1%}"
        table.add_row(f"{one.members:,}", lift, relative, f"{one.days:,.0f}")
    return table


def _plot(planned: Planned, file: Path) -> None:
    from training.charts import page

    if not planned.curve:
        typer.echo("nothing to plot", err=True)
        return
    chart = _chart(planned)
    if file.suffix == ".png":
        chart.figure().savefig(file, dpi=100)
    else:
        file.write_text(page(verdict(planned), {"power": chart}), encoding="utf-8")
    typer.echo(f"plot written to {file}", err=True)


def _chart(planned: Planned) -> Chart:
    from experiments.power import Sized
    from training.charts import Chart, Series

    times = 100.0 if planned.baseline.share else 1.0
    series = [
        Series(
            "smallest lift that shows",
            [float(one.members) for one in planned.curve],
            [times * one.lift for one in planned.curve],
        )
    ]
    answer = planned.answer
    asked = answer if isinstance(answer, Sized) else answer.wanted
    if asked is not None:
        name = f"the lift asked for: {asked.members:,} members"
        series.append(Series(name, [float(asked.members)], [times * asked.lift], "points"))
    unit = "percentage points" if planned.baseline.share else planned.unit
    return Chart("What can be seen", "members in all arms", f"lift, {unit}", tuple(series))
