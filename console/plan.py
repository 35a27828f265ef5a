"""``pushwise plan``: who gets what in a push, inside its limits, as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.progress import bars
from console.push_file import read_push
from console.scorer_log import scorer_log
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_workspace

if TYPE_CHECKING:
    from decisions.promise import Promise
    from decisions.rivals import Rival
    from features.workspace import Workspace
    from serving.audience_summary import Summary
    from serving.release import Release


_FUNNEL = {"explored": "explored, drawn: no send"}
_ASSUMED = {
    "observational": (
        "the effect of a send was learned from sends that nobody drew at random, and may be "
        "wrong in ways that no data show: keep a holdout, and train on what comes back"
    ),
    "prior": (
        "the effect of a send is assumed here, not measured: keep a holdout and some "
        "exploration, and train on what comes back"
    ),
}


def plan(
    push: Annotated[Path, typer.Argument(help="The push: a TOML file.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the audience here: .parquet, .csv or .ndjson.")
    ] = None,
    rule: Annotated[str, typer.Option(help="Compare with the members whom this rule picks.")] = "",
    frontier: Annotated[
        Path | None,
        typer.Option(help="Write what more or less money would bring: .html, .png, .csv, .json."),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Decide a push for everybody, from the published release: ranked members with their offers."""
    from console.frontier_plot import check_frontier_target, write_frontier
    from decisions.frontier import frontier as frontier_of
    from serving.audience_file import check_target, write_audience
    from serving.audience_summary import summarised
    from serving.planning import plan_for_all

    if out is not None:
        check_target(out)
    if frontier is not None:
        check_frontier_target(frontier)
    opened = load_workspace(workspace)
    described = read_push(push)
    release = published_release(opened)
    with scorer_log(opened) as log, bars() as progress:
        made = plan_for_all(
            release,
            described.push,
            log,
            described.offers,
            lambda done, total: progress("members", done, total),
        )
    summary = summarised(release.versions.release, made, release.estimator.reliability, rule)
    if out is not None:
        write_audience(out, made.problem.ask, made.plan)
    if frontier is not None:
        traced = frontier_of(made.problem, release.estimator.reliability)
        write_frontier(frontier, traced, summary.expected)
        typer.echo(f"frontier written to {frontier}", err=True)
    if as_json:
        typer.echo(json.dumps({**summary.to_json(), "out": str(out) if out else None}))
    else:
        show(summary, out)


def published_release(workspace: Workspace) -> Release:
    """The release that the scorer serves, verified like there."""
    from models.keys import PUBLIC, trusted_keys
    from serving.pointer import current
    from serving.release import load_release
    from serving.verify import ReleaseError

    release_id = current(workspace.releases)
    if release_id is None:
        raise ReleaseError(
            f"nothing is published in {workspace.releases}; run `pushwise release build --publish`"
        )
    return load_release(workspace.releases / release_id, trusted_keys(workspace.keys / PUBLIC))


def suppressed_members(workspace: Workspace) -> frozenset[str]:
    """Members whom the scorer's log says must not be contacted."""
    with scorer_log(workspace) as log:
        return frozenset() if log is None else log.all_suppressed()


def show(summary: Summary, out: Path | None) -> None:
    """Print a summary as people read it."""
    from rich.console import Console
    from rich.table import Table

    expected = summary.expected
    typer.echo(
        f"push {summary.push_id}: {expected.members:,} members, {_gain(summary)}, cost "
        f"{expected.cost:,.2f}"
        + ("" if summary.budget is None else f" of a budget of {summary.budget:,.2f}")
    )
    typer.echo(
        f"  {expected.orders:,.1f} conversions that would not happen without it; evidence: "
        f"{', '.join(f'{name} {count:,}' for name, count in expected.evidence.items()) or 'none'}"
    )
    typer.echo(
        f"  no choice within the limits can gain more than {summary.gain_bound:,.2f} by the same "
        f"estimates (gap {summary.gap:.1e})"
    )
    if summary.explored:
        typer.echo(
            f"  {summary.explored:,} of them were drawn at random to learn from, expected gain "
            f"{summary.explored_gain:,.2f}"
        )
    for sentence in summary.worth:
        typer.echo(f"  {sentence}")
    typer.echo(f"  {summary.measurable.verdict}")
    for grade, warning in _ASSUMED.items():
        if grade in expected.evidence:
            typer.echo(f"  {warning}")
    beside = Table("at the same size", "members", "gain", "cost", box=None)
    compared: dict[str, Promise | Rival] = {"this plan": expected, **summary.beside}
    for name, one in compared.items():
        beside.add_row(name, f"{one.members:,}", f"{one.gain:,.2f}", f"{one.cost:,.2f}")
    funnel = Table("what became of the members", "members", box=None)
    for reason, count in summary.funnel["members"].items():
        funnel.add_row(_FUNNEL.get(reason, reason), f"{count:,}")
    for table in (beside, funnel):
        Console().print(table)
    if out is not None:
        typer.echo(f"audience written to {out}")


def _gain(summary: Summary) -> str:
    unit = "more conversions" if summary.objective == "conversions" else "more in money"
    return f"expected gain {summary.expected.gain:,.2f} {unit}{_certain(summary.expected)}"


def _certain(expected: Promise) -> str:
    if expected.interval is None or expected.calibrated is None:
        return ""
    low, high = expected.interval
    return (
        f" ({expected.calibrated:,.2f} as such estimates come true, {expected.confidence:.0%} "
        f"interval {low:,.2f} to {high:,.2f})"
    )
