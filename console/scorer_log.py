"""What the scorer took in and decided, brought into the workspace's tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from features.workspace import Workspace

if TYPE_CHECKING:
    from decisions.catalogue import Offer, Push
    from features.ingest.report import IngestReport
    from serving.catalogue_entry import Kind
    from serving.drain import Exported
    from serving.log import Log

_CATALOGUE: tuple[Kind, ...] = ("offers", "pushes")
_TABLES: tuple[Exported, ...] = ("decisions", "events", "outcomes")


@contextmanager
def scorer_log(workspace: Workspace) -> Iterator[Log | None]:
    """The log of the workspace's scorer; None where none has run."""
    from serving.database import Database
    from serving.log import Log

    if not Database.of(workspace).may_hold_a_log():
        yield None
        return
    with Log.of(workspace) as log:
        yield log


def take_scorer_log(workspace: Workspace) -> list[IngestReport]:
    """Ingest what the scorer acknowledged since the last time, one report a table with news.

    Of the catalogue come the versions of offers, and the pushes that were due: until then a push
    may change. A crash between ingest and mark repeats rows, which the ingest then counts as
    duplicates.
    """
    from features.ingest.load import ingest_rows
    from serving.catalogue import Catalogue
    from serving.drain import mark_exported, newest, waiting

    reports: list[IngestReport] = []
    with scorer_log(workspace) as log:
        if log is None:
            return reports
        for table in _TABLES:
            up_to = newest(log, table)
            rows = waiting(log, table, up_to)
            report = ingest_rows(workspace, table, rows, f"the scorer's {table}")
            mark_exported(log, table, up_to)
            if report.rows:
                reports.append(report)
        catalogue, now = Catalogue(log), datetime.now(UTC)
        for kind in _CATALOGUE:
            settled = catalogue.settled(kind, now)
            if settled:
                given = (one.row for one in settled)
                reports.append(ingest_rows(workspace, kind, given, f"the scorer's {kind}"))
                catalogue.mark(settled)
    return reports


def take_all(workspace: Workspace) -> None:
    """``take_scorer_log``; rows that do not fit are told on stderr, for what is read out then lacks
    them."""
    for report in take_scorer_log(workspace):
        if lost := sum(report.quarantined.values()):
            why = ", ".join(f"{count} {reason}" for reason, count in report.quarantined.items())
            typer.echo(
                f"warning: {lost} rows of the scorer's {report.table} do not fit and are missing "
                f"below ({why}); they lie in {workspace.root / 'quarantine' / report.table}",
                err=True,
            )


@dataclass(frozen=True, slots=True)
class Planned:
    """The newest versions in the scorer's catalogue, of pushes those that lie ahead."""

    pushes: tuple[Push, ...] = ()
    offers: tuple[Offer, ...] = ()


def planned(workspace: Workspace, as_of: datetime) -> Planned:
    """What callers put, for a release made at ``as_of``; it goes before the workspace's tables,
    which get a push only once it was due."""
    from serving.catalogue import Catalogue
    from serving.catalogue_entry import offer_of, push_of

    with scorer_log(workspace) as log:
        if log is None:
            return Planned()
        catalogue = Catalogue(log)
        pushes = [push_of(version.row) for version in catalogue.newest("pushes")]
        offers = [offer_of(version.row) for version in catalogue.newest("offers")]
    return Planned(tuple(push for push in pushes if push.send_at >= as_of), tuple(offers))
