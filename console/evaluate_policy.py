"""``pushwise evaluate policy``: what policies would have earned, by past decisions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.chart_file import check_chart_file, write_chart
from console.moments import as_of_moment
from console.progress import bars
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    from experiments.rule_court import Estimate
    from serving.evaluation_schemas import EvaluationAsked
    from training.evaluation.off_policy import Compared, OffPolicyReport


class Counted(Enum):
    """What counts of the outcomes."""

    MARGIN = "margin"
    REVENUE = "revenue"
    CONVERSIONS = "conversions"


def policy(
    release: Annotated[
        list[str] | None,
        typer.Option(help="A release by its id, or `published`; may be given again."),
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="A rule; its --offer goes to whom it picks.")
    ] = None,
    offer: Annotated[
        list[str] | None, typer.Option(help="The offer of each --rule, in their order.")
    ] = None,
    no_exploration: Annotated[
        bool,
        typer.Option("--no-exploration", help="Releases without their holdout and exploration."),
    ] = False,
    no_limits: Annotated[
        bool, typer.Option("--no-limits", help="Releases without budgets and other limits.")
    ] = False,
    objective: Annotated[Counted, typer.Option(help="What counts.")] = Counted.MARGIN,
    since: Annotated[
        str | None, typer.Option(help="Decisions from this moment on (ISO 8601).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Decisions before this moment.")] = None,
    push: Annotated[
        list[str] | None, typer.Option(help="Decisions of this push; may be given again.")
    ] = None,
    in_sample: Annotated[
        bool,
        typer.Option("--in-sample", help="Also decisions that a release may have learned from."),
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(help="Outcomes known at this moment; else the newest event's day."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a picture: a .png, or a .html page.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """What policies would have earned on past decisions that chance had a part in.

    Releases and rules beside what happened, sending nothing, any offer, and the best single offer.
    Doubly robust values with 95 % intervals; where the log cannot tell, it says so and why.
    """
    from console.evaluation import evaluated

    check_chart_file(plot)
    asked = _asked(
        _policies(release, rule, offer, exploration=not no_exploration, limits=not no_limits),
        objective=objective.value,
        since=_moment("--since", since),
        until=_moment("--until", until),
        push_ids=push or None,
        in_sample=in_sample,
    )
    opened = load_workspace(workspace)
    with bars() as progress:
        found = evaluated(opened, asked, as_of_moment(opened, as_of), progress)
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _print(found)
    if plot is not None:
        _plot(found, plot)


def _policies(
    releases: list[str] | None,
    rules: list[str] | None,
    offers: list[str] | None,
    *,
    exploration: bool,
    limits: bool,
) -> list[dict[str, Any]]:
    if len(rules or ()) != len(offers or ()):
        raise typer.BadParameter("give one --offer for each --rule", param_hint="--offer")
    named = releases or ([] if rules else ["published"])
    found: list[dict[str, Any]] = [
        {
            "kind": "release",
            "release_id": None if one == "published" else one,
            "exploration": exploration,
            "limits": limits,
        }
        for one in named
    ]
    for rule, offer in zip(rules or (), offers or (), strict=True):
        found.append({"kind": "rule", "rule": rule, "offer_id": offer})
    return found + [{"kind": kind} for kind in ("nothing", "random", "best_offer")]


def _asked(policies: list[dict[str, Any]], **parts: Any) -> EvaluationAsked:
    from pydantic import ValidationError

    from serving.evaluation_schemas import EvaluationAsked

    try:
        return EvaluationAsked.model_validate({"policies": policies, **parts})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "policies"
        raise typer.BadParameter(f"{where}: {first['msg']}") from error


def _moment(option: str, given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise typer.BadParameter(
            f"{given!r} is not an ISO 8601 time, such as 2026-05-01", param_hint=option
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _print(found: OffPolicyReport) -> None:
    from rich.console import Console
    from rich.table import Table

    typer.echo(
        f"{found.decisions:,} decisions about {found.members:,} members in {found.pushes} pushes, "
        f"{found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}; {found.objective} per decision, "
        f"and how far above {found.against}"
    )
    table = Table(box=None)
    table.add_column("policy", min_width=14)
    for column in ("value (DR)", "SNIPS", "above", "worth"):
        table.add_column(column, no_wrap=True)
    for name, one in found.policies.items():
        table.add_row(name, *_row(one))
    Console().print(table)
    for name, one in found.policies.items():
        for told in (found.notes.get(name, ""), *_reasons(one), *one.evaluation.warnings):
            if told:
                typer.echo(f"  {name}: {told}")


def _row(one: Compared) -> tuple[str, str, str, str]:
    from experiments.panel import CannotSay

    answer = one.evaluation.answer
    worth = f"{one.evaluation.support.effective:,.0f}"
    if isinstance(answer, CannotSay):
        return "cannot say", "", "", worth
    above = "" if isinstance(one.above, CannotSay) else _told(one.above)
    return _told(answer.dr), f"{answer.snips.mean:.4g}", above, worth


def _reasons(one: Compared) -> tuple[str, ...]:
    from experiments.panel import CannotSay

    answer = one.evaluation.answer
    return answer.reasons if isinstance(answer, CannotSay) else ()


def _told(estimate: Estimate) -> str:
    # On two lines, so that all fits a narrow terminal.
    return f"{estimate.mean:.4g}\n({estimate.low:.3g} to {estimate.high:.3g})"


def _plot(found: OffPolicyReport, file: Path) -> None:
    chart = found.chart()
    if chart.series[0].y:
        write_chart(chart, chart.title, "policies", file)
    else:
        typer.echo("nothing to plot", err=True)
