"""The answer of ``pushwise experiment power``: as JSON, in a sentence, as tables, as a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from experiments.power import Baseline, CannotMeasure, Question, Sized
    from training.charts import Chart
    from training.experiment_history import History


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
        "candidates": list(question.compared),
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
    lift = "" if answer.wanted is None else f"{_told(planned, answer.wanted)} "
    said = f"{lift}cannot be measured: {'; '.join(answer.reasons)}"
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


def show(planned: Planned) -> None:
    """Print it as people read it."""
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
        typer.echo(f"  {len(planned.question.compared)} comparisons, each at {each:.3g} (Holm)")


def _curve_table(planned: Planned) -> Any:
    from rich.table import Table

    table = Table("members", "smallest lift", "relative", "days", box=None)
    for one in planned.curve:
        lift = f"{100 * one.lift:.2f} points" if planned.baseline.share else _money(one.lift)
        relative = "" if one.relative is None else f"{one.relative:.1%}"
        table.add_row(f"{one.members:,}", lift, relative, f"{one.days:,.0f}")
    return table


def draw(planned: Planned, file: Path) -> None:
    """Size against lift, into a .png or a .html page."""
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
