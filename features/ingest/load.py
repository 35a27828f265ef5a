"""The ways in: files, rows in Python, Arrow batches. All take one path.

Whatever the way, every row ends as accepted, duplicate or quarantined, and a batch that dies leaves
the table as it was: running it again is always safe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from features.contract import ContractError, check_header
from features.ingest.batch import Batch, batch_name, staging
from features.ingest.check import check
from features.ingest.chunk import Chunk, Row, chunks_of_arrow, chunks_of_rows
from features.ingest.quarantine import Drafts, Origin
from features.ingest.readers import file_digest, opened
from features.ingest.report import IngestReport
from features.progress import Progress, silent
from features.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa


def ingest(
    workspace: Workspace,
    table_name: str,
    paths: Sequence[Path],
    *,
    timezone: tzinfo | None = None,
    progress: Progress = silent,
) -> IngestReport:
    """Take files into one table as one batch.

    A file that cannot be read, or whose columns do not fit, is refused as a whole; the report says
    why, and the other files still go in.

    Args:
        paths: .csv, .jsonl or .ndjson (each also .gz), or .parquet.
        timezone: applied to times without an offset; without it they are quarantined.

    Raises:
        ContractError: there is no such table.
    """
    table = workspace.table(table_name)
    with staging(workspace) as folder:
        drafts = Drafts(workspace, table.name, folder)
        with Batch(workspace, table, folder, drafts) as batch:
            for path in paths:
                number = batch.begin(Origin(str(path), partial(file_digest, path)))
                try:
                    with opened(path, table, progress) as file:
                        batch.name_columns(number, file.names)
                        for chunk in file.chunks:
                            batch.add(number, check(batch.duckdb, table, chunk, timezone))
                except ContractError as error:
                    batch.refuse(number, str(error))
            progress(f"taking {table.name}", 0, 1)
            report = batch.commit()
            progress(f"taking {table.name}", 1, 1)
            return report


def ingest_rows(
    workspace: Workspace,
    table_name: str,
    rows: Iterable[Row],
    source: str,
    *,
    timezone: tzinfo | None = None,
) -> IngestReport:
    """Take rows that are already in Python: column name to text, JSON value, time or decimal.

    source: what the report and the quarantine call them; a row's line is its number.
    """
    chunks = chunks_of_rows(workspace.table(table_name), rows)
    with staging(workspace) as folder:
        return take(workspace, folder, table_name, chunks, Origin(source, _named(source)), timezone)


def ingest_arrow(
    workspace: Workspace,
    table_name: str,
    batches: Iterable[pa.RecordBatch | pa.Table],
    source: str,
    *,
    timezone: tzinfo | None = None,
) -> IngestReport:
    """Take Arrow batches with columns of the table, like ``ingest_rows``.

    Raises:
        ContractError: a batch has a column that is not in the contract, or misses a required one.
    """
    table = workspace.table(table_name)

    def fitting() -> Iterable[pa.RecordBatch | pa.Table]:
        for batch in batches:
            check_header(table, batch.schema.names, source)
            yield batch

    chunks = chunks_of_arrow(fitting())
    with staging(workspace) as folder:
        return take(workspace, folder, table_name, chunks, Origin(source, _named(source)), timezone)


def _named(source: str) -> Callable[[], str]:
    return lambda: hashlib.sha256(source.encode()).hexdigest()


def take(
    workspace: Workspace,
    folder: Path,
    table_name: str,
    chunks: Iterable[Chunk],
    origin: Origin,
    timezone: tzinfo | None = None,
) -> IngestReport:
    """Take chunks of one source as one batch, inside ``staging``, whose folder is ``folder``."""
    table = workspace.table(table_name)
    own = folder / batch_name()
    own.mkdir()
    with Batch(workspace, table, own, Drafts(workspace, table.name, own)) as batch:
        number = batch.begin(origin)
        for chunk in chunks:
            batch.add(number, check(batch.duckdb, table, chunk, timezone))
        return batch.commit()
