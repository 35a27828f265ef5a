"""Quarantined rows once more: after a declaration, with a time zone, or mended by hand."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from itertools import islice
from pathlib import Path

import numpy as np

from features.contract import ContractError, Table, check_header
from features.ingest.batch import Batch, staging
from features.ingest.check import check
from features.ingest.chunk import CHUNK_ROWS, Chunk, Rejected, Row, chunk_of_rows
from features.ingest.jsonlines import parse_object
from features.ingest.quarantine import Entry, Origin, read_entries
from features.ingest.report import IngestReport
from features.progress import Progress, silent
from features.rows import RowError
from features.tombstones import MESSAGE, REASON
from features.workspace import Workspace, write_atomically

_ESCAPED = re.compile(r"\\x[0-9a-f]{2}")  # how the quarantine writes a byte that is not UTF-8


def redrive(
    workspace: Workspace,
    table_name: str,
    *,
    timezone: tzinfo | None = None,
    progress: Progress = silent,
) -> IngestReport:
    """Take the quarantined rows of a table through the same path again.

    Rows that are now accepted, or are in the table already, leave the quarantine; the others stay,
    with the reason that holds today. The quarantine files may have been edited: ``text`` is read.

    Args:
        timezone: applied to times without an offset.

    Raises:
        ContractError: there is no such table, or a line of the quarantine does not read; then
            nothing has changed.
    """
    table = workspace.table(table_name)
    with staging(workspace) as folder:
        files = sorted((workspace.quarantine / table.name).glob("*.jsonl"))
        remaining = _Remaining(files)
        with Batch(workspace, table, folder, remaining) as batch:
            number = batch.begin(Origin("quarantine", lambda: ""))
            for done, path in enumerate(files, start=1):
                for chunk in _chunks(table, path, remaining):
                    batch.add(number, check(batch.duckdb, table, chunk, timezone))
                progress("re-driving", done, len(files))
            report = batch.commit()
        remaining.settle()
        return report


@dataclass(slots=True)
class _Remaining:
    """Where the rows go that still do not fit: back to their place in the quarantine.

    first: for each file the number of its first row, counted through all files from 1.
    still: number of a row to why it was rejected this time.
    """

    files: list[Path]
    first: dict[Path, int] = field(default_factory=dict)
    rows: int = 0
    still: dict[int, Rejected] = field(default_factory=dict)

    def put(self, number: int, origin: Origin, rejected: Iterable[Rejected]) -> None:
        self.still.update({row.line: row for row in rejected})

    def drop(self, number: int) -> None:
        self.still.clear()

    def publish(self, batch: str) -> None:
        """Nothing yet: the rows leave the quarantine only once they are in the table."""

    def settle(self) -> None:
        """Rewrite each file with the rows that stay; one that is left empty goes."""
        for path in self.files:
            first = self.first[path]
            left = [
                _again(entry, self.still[number])
                for number, entry in enumerate(read_entries(path), start=first)
                if number in self.still
            ]
            if left:
                write_atomically(path, "".join(entry.to_line() for entry in left).encode())
            else:
                path.unlink()


def _again(entry: Entry, rejected: Rejected) -> Entry:
    """The same row with today's reason. Its text stays what it is, also where it is in conflict;
    of a member who was erased meanwhile nothing stays."""
    told = replace(entry, reason=rejected.reason, column=rejected.column, message=rejected.message)
    return replace(told, text="") if rejected.reason == REASON else told


def _chunks(table: Table, path: Path, remaining: _Remaining) -> Iterator[Chunk]:
    remaining.first[path] = remaining.rows + 1
    entries = read_entries(path)
    while part := list(islice(entries, CHUNK_ROWS)):
        rows: list[Row] = []
        lines: list[int] = []
        rejected: list[Rejected] = []
        for entry in part:
            remaining.rows += 1
            try:
                rows.append(_row(table, entry))
                lines.append(remaining.rows)
            except RowError as error:
                rejected.append(Rejected(remaining.rows, error.code, "", str(error), entry.text))
        yield chunk_of_rows(table, rows, np.array(lines, dtype=np.int64), None, rejected)


def _row(table: Table, entry: Entry) -> Row:
    """The row that an entry's text says today. Raises ``RowError`` where it says none."""
    if entry.reason == REASON:
        raise RowError(REASON, entry.column, MESSAGE)
    if entry.reason == "bad_encoding" and _ESCAPED.search(entry.text):
        raise RowError("bad_encoding", "", "the text still holds bytes that are not UTF-8")
    if entry.columns is None:
        try:
            return parse_object(entry.text)
        except ValueError as error:
            raise RowError("bad_json", "", f"the text is not a JSON object ({error})") from error
    try:
        check_header(table, entry.columns, entry.source)
        fields = next(csv.reader([entry.text], strict=True), [])
    except ContractError as error:
        raise RowError("unknown_column", "", str(error)) from error
    except csv.Error as error:
        raise RowError("bad_csv", "", f"the text is not a CSV row ({error})") from error
    if len(fields) != len(entry.columns):
        message = f"the row has {len(fields)} fields, the header {len(entry.columns)}"
        raise RowError("wrong_fields", "", message)
    return dict(zip(entry.columns, fields, strict=True))


def quarantined(workspace: Workspace, table_name: str) -> Iterator[Entry]:
    """The quarantined rows of a table, or of an import."""
    for path in sorted((workspace.quarantine / table_name).glob("*.jsonl")):
        yield from read_entries(path)
