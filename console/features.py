"""``pushwise features``: build the feature views, report on them, check what was served."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.moments import as_of_moment
from console.progress import bars
from console.scorer_log import take_scorer_log
from console.settings import WORKSPACE, AsJson, WorkspaceOption, load_settings, load_workspace
from features.workspace import write_atomically

if TYPE_CHECKING:
    from console.skew import SkewReport
    from features.build import BuildReport
    from features.ingest.report import IngestReport

app = typer.Typer(name="features", help="What is known of every member.", no_args_is_help=True)


@app.callback()
def features() -> None:
    """What is known of every member, as of a moment."""


@app.command("build")
def build(
    as_of: Annotated[
        list[str] | None,
        typer.Option(help="A moment, ISO 8601; may repeat; else the newest event's day."),
    ] = None,
    materialize: Annotated[
        bool, typer.Option("--materialize", help="Put the latest of them in the online store.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Build every feature view that the ingested tables allow; what is unchanged stays.

    What the scorer took in since the last time is ingested first.
    """
    from features.build import build_features  # heavy imports wait until the command runs
    from features.store import apply
    from features.store import materialize as materialize_online

    opened = load_workspace(workspace)
    taken = take_scorer_log(opened)
    moments = [as_of_moment(opened, given) for given in as_of or (None,)]
    with bars() as progress:
        report = build_features(opened, moments, progress)
        views = apply(opened)
        if materialize:
            materialize_online(opened, max(moments))
    if as_json:
        document = {
            "written": {moment.isoformat(): dict(rows) for moment, rows in report.written.items()},
            "unchanged": [moment.isoformat() for moment in report.unchanged],
            "views": list(views),
            "absent": dict(report.absent),
            "from_scorer": [one.to_json() for one in taken],
            "materialized": max(moments).isoformat() if materialize else None,
        }
        typer.echo(json.dumps(document))
        return
    _print(report, taken)
    if materialize:
        typer.echo(f"online store: as of {max(moments).isoformat()}")


def _print(report: BuildReport, taken: Sequence[IngestReport]) -> None:
    for one in taken:
        typer.echo(f"from the scorer: {one.accepted} new rows of {one.table}")
    if taken:
        typer.echo(
            "  features show what had come in by their moment: give a later --as-of for these"
        )
    for moment, rows in report.written.items():
        counts = ", ".join(f"{view} {count}" for view, count in rows.items())
        typer.echo(f"built as of {moment.isoformat()}: {counts}")
    for moment in report.unchanged:
        typer.echo(f"unchanged as of {moment.isoformat()}")
    for view, reason in report.absent.items():
        typer.echo(f"no {view}: {reason}")


@app.command("report")
def report(
    as_of: Annotated[
        str | None, typer.Option(help="A built moment, ISO 8601; else the newest one built.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="A built moment to compare with; may repeat; else those that the champion "
            "learned from; without one, all built before."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the page with plots here: .html.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="End with status 1 where something is found.")
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Show missing values, ranges, drift, freshness and coverage of what was built.

    Limits stand in pushwise.toml under quality.
    """
    from console.quality_reference import reference_moments  # heavy imports wait for the command
    from features.quality import Limits, quality
    from features.quality_page import quality_page
    from features.record import BuildRecord

    opened = load_workspace(workspace)
    built = sorted(BuildRecord.load(opened).moments)
    moment = built[-1] if built and as_of is None else as_of_moment(opened, as_of)
    given = [as_of_moment(opened, text) for text in against or ()]
    reference = reference_moments(opened, moment, built, given)
    limits = Limits(**load_settings().quality.model_dump())
    found = quality(opened, moment, reference.moments, limits, reference.words)
    if out is not None:
        write_atomically(out, quality_page(found).encode())
    if as_json:
        typer.echo(json.dumps(found.to_json(), default=str))
    else:
        typer.echo(f"{len(found.features)} features as of {moment.isoformat()}")
        if found.reference:
            typer.echo(f"  compared with {len(found.reference)} {found.compared_with}")
        for finding in found.findings:
            typer.echo(f"  {finding.subject}: {finding.text}")
        if not found.findings:
            typer.echo("  no findings")
        if out is not None:
            typer.echo(f"page written to {out}")
    if check and found.findings:
        raise typer.Exit(1)


@app.command("check")
def check(
    build: Annotated[
        bool,
        typer.Option("--build", help="First build again what the releases' moments are missing."),
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Recompute the feature vectors that the scorer logged; status 1 where one differs.

    The scorer keeps the vectors of a share of its decisions (`pushwise serve --vector-sample`).
    """
    from console.skew import check_served  # heavy imports wait until the command runs

    with bars() as progress:
        found = check_served(load_workspace(workspace), build, progress)
    if as_json:
        typer.echo(json.dumps(found.to_json(), default=str))
    else:
        _print_skew(found)
    if found.differing or (found.sampled and not found.compared):
        raise typer.Exit(1)


def _print_skew(found: SkewReport) -> None:
    if not found.sampled:
        typer.echo(
            "nothing to check: the scorer's log holds no vectors yet; it keeps those of a share of "
            "the decisions (`pushwise serve --vector-sample`)"
        )
        return
    for one in found.unchecked:
        typer.echo(f"release {one.release}: {one.vectors} vectors not checked: {one.why}")
    for differing in found.differing:
        text = f"{differing.name}: {differing.mismatches} of {differing.compared} differ"
        if example := differing.example:
            text += (
                f", such as member {example.member_id} of release {example.release}: served "
                f"{example.served}, offline {example.offline} as of {example.as_of.isoformat()}"
            )
        typer.echo(text)
    if found.differing:
        typer.echo(
            "either what served is not what the features say, or rows with an earlier time of "
            "knowledge were ingested after the release and its moment was built again"
        )
    elif found.compared:
        typer.echo(
            f"{found.compared} vectors of {len(found.features)} features are the same offline"
        )
