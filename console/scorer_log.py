"""What the scorer took in and decided, brought into the workspace's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.workspace import Workspace

if TYPE_CHECKING:
    from features.ingest.report import IngestReport
    from serving.drain import Exported

_TABLES: tuple[Exported, ...] = ("decisions", "events", "outcomes")


def take_scorer_log(workspace: Workspace) -> list[IngestReport]:
    """Ingest what the scorer acknowledged since the last time, one report a table with news.

    A crash between ingest and mark repeats rows, which the ingest then counts as duplicates.
    """
    from features.ingest.load import ingest_rows
    from serving.drain import mark_exported, newest, waiting
    from serving.log import Log

    if not workspace.serving_log.exists():
        return []
    reports = []
    with Log(workspace.serving_log) as log:
        for table in _TABLES:
            up_to = newest(log, table)
            rows = waiting(log, table, up_to)
            report = ingest_rows(workspace, table, rows, f"the scorer's {table}")
            mark_exported(log, table, up_to)
            if report.rows:
                reports.append(report)
    return reports
