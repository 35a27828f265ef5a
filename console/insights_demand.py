"""``pushwise insights demand``: which growing demand the catalogue does not serve."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.moments import as_of_moment
from console.progress import bars
from console.settings import WORKSPACE, AsJson, DatabaseOption, WorkspaceOption, existing_workspace
from features.errors import FeatureError

if TYPE_CHECKING:
    from features.demand import Demand
    from features.demand_findings import DemandReport, Finding

NAME = "demand"
_FORMATS = (".html", ".csv", ".json")
_MEMBER_COLUMNS = ("rank", "member_id", "last_wanted_at", "unmet")


class DemandFileError(FeatureError):
    """A file that cannot be written where it was asked for."""


def demand(
    as_of: Annotated[
        str | None,
        typer.Option(help="What was known at that moment, ISO 8601; else the newest event's day."),
    ] = None,
    window_days: Annotated[
        int, typer.Option(help="Days of each of the two windows compared; whole weeks.")
    ] = 56,
    segment: Annotated[
        list[str] | None,
        typer.Option(
            help="What members are told apart by; may repeat; else lifecycle and value_tier. Also "
            "tier, gender, region, a declared attribute, a built feature that is a category."
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="Most findings to tell.")] = 20,
    out: Annotated[
        Path | None, typer.Option(help="Write the findings here: .html, .csv or .json.")
    ] = None,
    members: Annotated[
        Path | None, typer.Option(help="Write the members of these findings here: .csv.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Find needs (a category at a price) that a segment wants more and more and cannot get.

    Takes in first what the scorer has logged since the last time.
    Asked as it stands, of the newest day and by the usual windows and segments, the answer is also
    what the dashboard shows.
    """
    from console.scorer_log import take_all
    from features.demand import DemandQuestion
    from features.demand import demand as asked
    from features.demand_segments import BY_DEFAULT
    from features.insights.prepared import keep

    _check(out, "--out", _FORMATS)
    _check(members, "--members", (".csv",))
    opened = existing_workspace(workspace, database)
    take_all(opened)
    question = DemandQuestion(
        as_of_moment(opened, as_of), window_days, tuple(segment or BY_DEFAULT), top
    )
    with bars() as progress:
        found = asked(opened, question, progress)
    report = found.report
    if as_of is None and question == DemandQuestion(question.as_of):
        keep(opened, NAME, report.to_json(), as_of=report.as_of, made_at=datetime.now(UTC))
    if out is not None:
        _write(out, report)
        typer.echo(f"demand written to {out}", err=True)
    if members is not None:
        _write_csv(members, _MEMBER_COLUMNS, _members(found))
        typer.echo(f"members written to {members}", err=True)
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        _print(report)


def _check(path: Path | None, option: str, formats: Sequence[str]) -> None:
    """Refuse a target before any work is done for it."""
    if path is None:
        return
    if path.suffix not in formats:
        raise DemandFileError(
            f"{option} {path} ends in {path.suffix!r}, wanted one of {', '.join(formats)}"
        )
    if not path.absolute().parent.is_dir():
        raise DemandFileError(f"{option} {path}: the folder {path.parent} does not exist; make it")


def _write(out: Path, report: DemandReport) -> None:
    from dashboard.demand_report import columns, demand_page, rows

    document = report.to_json()
    if out.suffix == ".csv":
        _write_csv(out, columns(document), rows(document))
    elif out.suffix == ".json":
        out.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    else:
        out.write_text(demand_page(document), encoding="utf-8")


def _members(found: Demand) -> list[list[Any]]:
    return [
        [row["rank"], row["member_id"], row["last_wanted_at"].isoformat(), row["unmet"]]
        for row in found.members.to_pylist()
    ]


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A text that a spreadsheet would run as a formula gets a leading apostrophe."""
    from serving.audience_file import FORMULA

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(
            [f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
             for cell in row]
            for row in rows
        )  # fmt: skip


def _print(report: DemandReport) -> None:
    if report.cannot_say:
        typer.echo(f"cannot say: {report.cannot_say}")
        return
    typer.echo(
        f"as of {report.as_of:%Y-%m-%d %H:%M} UTC, the last {report.window_days} days against as "
        f"many before: all demand × {report.shop_growth:.2f}; {report.tested} needs of 50 members "
        f"or more tested, {report.growing} grow, {report.found} found"
    )
    if report.unmet_cannot_say:
        typer.echo(f"  who goes without cannot be told: {report.unmet_cannot_say}")
    for note in report.notes:
        typer.echo(f"  note: {note}")
    for one in report.findings:
        _print_finding(one)


def _print_finding(one: Finding) -> None:
    from dashboard.demand_report import prices

    who, growth, served = one.evidence, one.growth, one.remedy
    need = f"{one.need.category} at {prices(one.need.low, one.need.high)}"
    typer.echo(f"{one.rank:>3}. {need}: {', '.join(one.segment.values())}")
    typer.echo(
        f"     {who.now} members want it, {who.before} before: × {growth.beyond:.2f} beyond the "
        f"shop ({growth.low:.2f} to {growth.high:.2f}), adjusted p {growth.adjusted_p:.2g}"
    )
    if who.unmet_share is not None and who.mean_unmet is not None:
        typer.echo(
            f"     of {who.judged} judged {who.no_item} found no item, {who.no_stock} no stock, "
            f"{who.not_bought} did not buy, {who.bought} bought: unmet {who.unmet_share:.0%}, all "
            f"needs {who.mean_unmet:.0%}"
        )
    near = "nothing of the category in stock"
    if served.nearest_band is not None:
        near = f"nearest in stock at {prices(served.nearest_low, served.nearest_high)}"
    stake = "" if served.at_stake is None else f"; at stake about {served.at_stake:,.0f}"
    typer.echo(
        f"     items at that price: {served.for_sale} for sale; {served.items_before} wanted "
        f"before, {served.items_gone} of them no more; {near}"
    )
    typer.echo(f"     an order earns {served.margin:,.2f}{stake}")
