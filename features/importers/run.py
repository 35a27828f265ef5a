"""What every import does: read source files, quarantine what is no contract row, take the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.contract import ContractError, Table, check_header
from features.ingest.batch import batch_name, connect, staging
from features.ingest.check import Checked, check
from features.ingest.chunk import Chunk, Rejected, chunk_of_batch, chunks_of_arrow
from features.ingest.erased import bared
from features.ingest.load import take
from features.ingest.quarantine import Drafts, Origin
from features.ingest.readers import column_names, file_digest, opened
from features.ingest.report import FileReport, IngestReport
from features.progress import Progress
from features.tombstones import Tombstones
from features.workspace import Workspace, remember

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINE = "source line"  # the column of a batch that tells where its rows stand; no contract's name
Prepare = Callable[[pa.RecordBatch], pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    sources: of every source file, what became of its rows: accepted means that the row is now in
        the contract tables.
    tables: what went into each contract table; derived rows are counted here only.
    """

    name: str
    sources: IngestReport
    tables: tuple[IngestReport, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "import": self.name,
            **{key: value for key, value in self.sources.to_json().items() if key != "table"},
            "tables": [table.to_json() for table in self.tables],
        }


@dataclass(slots=True)
class _Source:
    origin: Origin
    rows: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    refused: str = ""


@dataclass(slots=True)
class Import:
    """One import under way, inside ``importing``.

    duckdb: a connection of its own, for the import's own tables.
    """

    name: str
    workspace: Workspace
    folder: Path
    duckdb: DuckDBPyConnection
    progress: Progress
    _drafts: Drafts
    _erased: Tombstones
    _sources: list[_Source] = field(default_factory=list)
    _tables: dict[str, list[IngestReport]] = field(default_factory=dict)

    def begin(self, path: Path) -> int:
        """A new source file; its number."""
        self._sources.append(_Source(Origin(str(path), partial(file_digest, path))))
        return len(self._sources) - 1

    def refuse(self, number: int, error: ContractError) -> None:
        """Leave a source out as a whole: nothing of it was taken."""
        self._sources[number] = replace(_Source(self._sources[number].origin), refused=str(error))
        self._drafts.drop(number)

    def read(
        self,
        number: int,
        shapes: Sequence[Table],
        timezone: tzinfo | None = None,
        prepare: Prepare | None = None,
    ) -> Iterator[Checked]:
        """The rows of a source file, typed after the one of ``shapes`` that its header fits.

        Rows that do not fit are quarantined; all are counted as read.

        Args:
            prepare: applied to the raw columns before the check.

        Raises:
            ContractError: the file cannot be read, or fits no shape.
        """
        path = Path(self._sources[number].origin.name)
        shape = shapes[0] if len(shapes) == 1 else _fitting(path, shapes)
        with opened(path, shape, self.progress) as file:
            for raw in file.chunks:
                chunk = raw if prepare is None else _prepared(raw, prepare)
                checked = check(self.duckdb, shape, chunk, timezone)
                self._sources[number].rows += chunk.read
                self.reject(number, checked.rejected)
                yield checked

    def reject(self, number: int, rejected: Iterable[Rejected]) -> None:
        """Quarantine rows of a source."""
        found = bared(self._erased, rejected)
        if found:
            self._sources[number].quarantined.update(row.reason for row in found)
            self._drafts.put(number, self._sources[number].origin, found)

    def take_source(
        self, number: int, table: str, batches: Iterable[pa.Table | pa.RecordBatch]
    ) -> None:
        """Take rows of a contract table that each stand for one row of a source.

        The batches have a column ``LINE``, which tells which.
        """
        source = self._sources[number]
        report = self._take(table, _lined(batches), source.origin)
        source.accepted += report.accepted
        source.duplicate += report.duplicate
        source.quarantined.update(report.quarantined)

    def take_derived(self, table: str, batches: Iterable[pa.Table | pa.RecordBatch]) -> None:
        """Take rows of a contract table that stand for no one row of a source."""
        name = f"{self.name} {table}"
        self._take(table, chunks_of_arrow(batches), Origin(name, lambda: name.replace(" ", "-")))

    def _take(self, table: str, chunks: Iterable[Chunk], origin: Origin) -> IngestReport:
        report = take(self.workspace, self.folder, table, chunks, origin)
        self._tables.setdefault(table, []).append(report)
        return report

    def finish(self) -> ImportReport:
        """Publish the quarantine, remember the workspace's conventions, and report."""
        reports = tuple(
            FileReport(
                source.origin.name, source.rows, source.accepted, source.duplicate,
                dict(source.quarantined), source.refused,
            )
            for source in self._sources
        )  # fmt: skip
        self._drafts.publish(batch_name())
        remember(self.workspace)
        tables = tuple(
            IngestReport(table, tuple(file for report in found for file in report.files))
            for table, found in self._tables.items()
        )
        return ImportReport(self.name, IngestReport(self.name, reports), tables)


@contextmanager
def importing(workspace: Workspace, name: str, progress: Progress) -> Iterator[Import]:
    """An import called ``name`` under way; its quarantine is ``quarantine/<name>/``."""
    with staging(workspace) as folder, connect(folder) as duckdb:
        drafts, erased = Drafts(workspace, name, folder), Tombstones.of(workspace)
        yield Import(name, workspace, folder, duckdb, progress, drafts, erased)


def public(workspace: Workspace, attributes: Mapping[str, Any] | None = None) -> Workspace:
    """The workspace under the conventions of public data: nobody was asked for consent.

    Args:
        attributes: member columns of the data set, to be declared.
    """
    conventions = workspace.conventions
    return replace(
        workspace,
        conventions=replace(
            conventions,
            attributes={**conventions.attributes, **(attributes or {})},
            consent_when_missing=True,
        ),
    )


def _fitting(path: Path, shapes: Sequence[Table]) -> Table:
    names = set(column_names(path))
    best = max(shapes, key=lambda shape: len(names & set(shape.names)))
    check_header(best, sorted(names), str(path))
    return best


def _prepared(chunk: Chunk, prepare: Prepare) -> Chunk:
    if chunk.columns is None:
        return chunk
    mended = chunk_of_batch(prepare(chunk.columns), chunk.lines)
    return replace(mended, text=chunk.text, rejected=chunk.rejected)


def _lined(batches: Iterable[pa.Table | pa.RecordBatch]) -> Iterator[Chunk]:
    for given in batches:
        table = given if isinstance(given, pa.Table) else pa.Table.from_batches([given])
        for batch in table.combine_chunks().to_batches():
            lines = batch.column(LINE).to_numpy()
            yield chunk_of_batch(batch.drop_columns([LINE]), lines)
