"""``pushwise rules``: what hand-written rules are worth."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.chart_file import check_chart_file, write_chart
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    from experiments.rule_court import Estimate, Findings, Group
    from serving.court import Audit, Mistake, Pool

app = typer.Typer(name="rules", no_args_is_help=True, help="What hand-written rules are worth.")


class Wanted(Enum):
    """What decides over a rule: money, or conversions."""

    MARGIN = "margin"
    CONVERSIONS = "conversions"


@app.callback()
def rules() -> None:
    """What hand-written rules are worth."""


@app.command("audit")
def audit(
    rule: Annotated[str, typer.Argument(help="Such as: seen_days__hualien <= 30")],
    offer: Annotated[str | None, typer.Option(help="The offer that the rule sends.")] = None,
    scope: Annotated[
        bool, typer.Option("--scope", help="Pool all past offers whose scope meets the offer's.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Pool all past offers.")] = False,
    in_scope: Annotated[
        bool,
        typer.Option(
            "--in-scope",
            help="Count only purchases that the past push was about: far less chance is in them.",
        ),
    ] = False,
    objective: Annotated[Wanted, typer.Option(help="What decides.")] = Wanted.MARGIN,
    plot: Annotated[
        Path | None, typer.Option(help="Write a picture: a .png, or a .html page.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """What a rule earns against no send, its opposite, and as many members of the model's choice.

    By past pushes that chance had a part in, as the last training of the response model scored
    them. Where they cannot tell, it says so and why.
    """
    from serving.court import Court, Question
    from training.rule_evidence import court_folder

    pool = _pool(offer, scope=scope, every=every)
    check_chart_file(plot)
    court = Court.load(court_folder(load_workspace(workspace)))
    found = court.audit(Question(rule, offer, pool, in_scope, objective.value))
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _print(found)
    if plot is not None:
        _plot(found, plot)


def _pool(offer: str | None, *, scope: bool, every: bool) -> Pool:
    if scope and every:
        raise typer.BadParameter("name one of --scope and --all")
    if offer is None and not every:
        raise typer.BadParameter("name the --offer that the rule sends, or pool --all")
    return "all" if every else "scope" if scope else "offer"


def _print(found: Audit) -> None:
    from experiments.panel import CannotSay

    ruling, answer = found.ruling, found.ruling.answer
    typer.echo(ruling.verdict)
    counted = "purchases in scope" if found.question.in_scope else "all purchases"
    typer.echo(
        f"{ruling.decisions:,} decisions about {ruling.members:,} members in {ruling.pushes} "
        f"pushes, {ruling.picked:,} by the rule; {counted}; offers: "
        f"{', '.join(found.offers) or 'none'}"
    )
    for warning in ruling.warnings:
        typer.echo(f"  {warning}")
    if isinstance(answer, CannotSay):
        if found.question.pool != "all":
            typer.echo("  more decisions: --scope pools the offers of one scope, --all every offer")
        return
    _table(answer)
    _wrong("picked, though a send earns nothing or loses", found.picked_in_vain)
    _wrong("left out, though among as many that the model picks", found.left_out_in_vain)


def _table(answer: Findings) -> None:
    from rich.console import Console
    from rich.table import Table

    from dashboard.rule_charts import DIFFERENCES, GROUPS

    table = Table("members", "decisions", "gain per contact", "more conversions in 1,000", box=None)
    for name, words in GROUPS.items():
        group: Group = getattr(answer, name)
        table.add_row(
            words, f"{group.decisions:,}", group.gain.told(), group.conversions.told(1000)
        )
    money = answer.objective == "margin"
    for name, words in DIFFERENCES.items():
        less: Estimate = getattr(answer, name)
        row = (less.told(), "") if money else ("", less.told(1000))
        table.add_row(words, "", *row)
    Console().print(table)


def _wrong(words: str, mistake: Mistake | None) -> None:
    if mistake is None:
        return
    share = mistake.decisions / max(mistake.of, 1)
    typer.echo(f"{words}: {mistake.decisions:,} of {mistake.of:,} ({share:.0%})")
    for trait in mistake.traits:
        typer.echo(f"  {trait.told}")


def _plot(found: Audit, file: Path) -> None:
    from experiments.panel import CannotSay

    if isinstance(found.ruling.answer, CannotSay):
        typer.echo("nothing to plot", err=True)
        return
    from dashboard.rule_charts import verdict_chart

    chart = verdict_chart(found.ruling.answer, found.question.rule)
    write_chart(chart, found.ruling.verdict, "rule", file)
