"""One batch: checked rows staged on disk, repeats found, one new file in the table.

The staging folder lies in the workspace. Until the last step, which moves finished files in place,
nothing outside it has changed; a batch that dies leaves it behind, and the next batch removes it.
"""

from __future__ import annotations

import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.contract import Table
from features.ingest.check import PLACE, Checked
from features.ingest.chunk import CHUNK_ROWS, Rejected, row_text
from features.ingest.erased import without_erased
from features.ingest.fast import literal, quoted
from features.ingest.quarantine import Origin, publish_file
from features.ingest.report import FileReport, IngestReport, LostRowsError
from features.ingest.schema import TIME, stored_schema
from features.ingest.seal import digest_sql, known_at
from features.ingest.settle import KEYS, settle
from features.tombstones import Tombstones
from features.workspace import Workspace, one_at_a_time

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT = "2GB"
# Names with a space are no contract's and no attribute's.
_SOURCE = '"from source"'
_LINE = '"from line"'


class Rejects(Protocol):
    """Where a batch's quarantined rows go."""

    def put(self, number: int, origin: Origin, rejected: Iterable[Rejected]) -> None: ...

    def drop(self, number: int) -> None: ...

    def publish(self, batch: str) -> None: ...


@dataclass(slots=True)
class _Source:
    origin: Origin
    rows: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    refused: str = ""


def _repeating(table: Table) -> list[str]:
    """Parquet paths of the columns whose values repeat, so that a dictionary makes them small."""
    kinds = {"id": "", "category": "", "enum": "", "list": ".list.element"}
    return [
        column.name + kinds[column.kind]
        for column in table.columns
        if column.kind in kinds and column.name != table.key
    ]


@contextmanager
def staging(workspace: Workspace) -> Iterator[Path]:
    """A fresh folder; the only one, since the batches of a workspace wait in line."""
    root = workspace.root / "staging"
    with one_at_a_time(root / "lock"):
        for left_behind in root.iterdir():
            if left_behind.is_dir():
                shutil.rmtree(left_behind)
        folder = root / batch_name()
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def batch_name() -> str:
    """A new name; names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"


def connect(folder: Path) -> DuckDBPyConnection:
    """A connection of its own, in UTC, that spills into ``folder``."""
    import duckdb

    connection = duckdb.connect(
        config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder / "spill")}
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


class Batch:
    """Rows of some sources on their way into one table; a context manager, inside ``staging``."""

    def __init__(self, workspace: Workspace, table: Table, folder: Path, rejects: Rejects) -> None:
        self.table = table
        self.duckdb = connect(folder)
        self._folder = folder
        self._target = workspace.tables / table.name
        self._rejects = rejects
        self._erased = Tombstones.of(workspace)
        self._sources: list[_Source] = []
        self._staged = folder / "rows.parquet"
        self._writer = pq.ParquetWriter(
            self._staged,
            stored_schema(table),
            use_dictionary=_repeating(table),
        )
        self._rows = 0
        self.duckdb.execute(KEYS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()
        self.duckdb.close()

    def begin(self, origin: Origin) -> int:
        """A new source; its number."""
        self._sources.append(_Source(origin))
        return len(self._sources) - 1

    def name_columns(self, number: int, columns: Sequence[str]) -> None:
        """Note the header of source ``number``; empty where its texts are JSON."""
        source = self._sources[number]
        source.origin = replace(source.origin, columns=columns or None)

    def add(self, number: int, checked: Checked) -> None:
        """Stage the checked rows of source ``number``."""
        checked = without_erased(self._erased, self.table, checked)
        source = self._sources[number]
        source.rows += len(checked.lines) + len(checked.rejected)
        self._quarantine(number, checked.rejected)
        if not len(checked.lines):
            return
        places = np.arange(self._rows, self._rows + len(checked.lines))
        self._rows += len(places)
        rows = checked.rows.append_column(PLACE, pa.array(places))
        self.duckdb.register("checked", rows)
        digests = self.duckdb.sql(
            f"SELECT {digest_sql(self.table)} AS digest FROM checked ORDER BY {quoted(PLACE)}"
        ).to_arrow_table()
        self.duckdb.unregister("checked")
        moments = known_at(self.table, checked.rows)
        self._writer.write_table(
            checked.rows.append_column("known_at", moments).append_column(
                stored_schema(self.table).field("digest"), digests["digest"]
            )
        )
        self._remember(number, places, checked, digests["digest"])

    def refuse(self, number: int, message: str) -> None:
        """Leave source ``number`` out as a whole, whatever of it was staged."""
        self._sources[number] = _Source(self._sources[number].origin, refused=message)
        self._rejects.drop(number)
        self.duckdb.execute("DELETE FROM keys WHERE source = ?", [number])

    def commit(self) -> IngestReport:
        """Settle which rows are new, move them in place, and say what became of every row."""
        self._writer.close()
        settle(self.duckdb, self.table, self._target)
        self._quarantine_conflicts()
        counts = self._counts()
        reports = tuple(
            FileReport(
                source.origin.name,
                source.rows,
                *counts.get(number, (0, 0)),
                quarantined=dict(source.quarantined),
                refused=source.refused,
            )
            for number, source in enumerate(self._sources)
        )
        report = IngestReport(self.table.name, reports)
        finished = self._finished(report.accepted)
        self._rejects.publish(self._folder.name)
        if finished is not None:
            self._target.mkdir(parents=True, exist_ok=True)
            publish_file(finished, self._target / f"{self._folder.name}.parquet")
        return report

    def _quarantine(self, number: int, rejected: Iterable[Rejected]) -> None:
        found = list(rejected)
        if found:
            self._sources[number].quarantined.update(row.reason for row in found)
            self._rejects.put(number, self._sources[number].origin, found)

    def _remember(
        self, number: int, places: NDArray[np.int64], checked: Checked, digests: pa.ChunkedArray
    ) -> None:
        """Note the rows' keys, by which repeats are found."""
        dated = "updated_at" in self.table.names
        noted = pa.table(
            {
                "place": places,
                "source": pa.array(np.full(len(places), number, dtype=np.int32)),
                "line": checked.lines,
                "key": checked.rows[self.table.key],
                "digest": digests,
                "updated_at": checked.rows["updated_at"] if dated else pa.nulls(len(places), TIME),
            }
        )
        self.duckdb.register("noted", noted)
        self.duckdb.execute("INSERT INTO keys SELECT * FROM noted")
        self.duckdb.unregister("noted")

    def _quarantine_conflicts(self) -> None:
        if self._count("ended WHERE NOT same") == 0:
            return
        rows = self.duckdb.sql(
            f"SELECT staged.*, source AS {_SOURCE}, line AS {_LINE} "
            f"FROM {self._staged_sql()} JOIN ended ON place = {quoted(PLACE)} "
            "WHERE NOT same ORDER BY place"
        )
        for part in rows.to_arrow_reader(CHUNK_ROWS):
            conflicts: dict[int, list[Rejected]] = {}
            for row in part.to_pylist():
                conflicts.setdefault(row["from source"], []).append(self._conflict(row))
            for number, found in conflicts.items():
                self._quarantine(number, found)

    def _conflict(self, row: dict[str, Any]) -> Rejected:
        key = self.table.key
        content = {name: row[name] for name in self.table.names if row[name] is not None}
        message = f"{key} {row[key]!r} is already there with other content; the first is kept"
        return Rejected(row["from line"], "conflict", key, message, row_text(content))

    def _counts(self) -> dict[int, tuple[int, int]]:
        """Accepted rows and duplicates of each source."""
        rows = self.duckdb.execute(
            "SELECT keys.source, count(*) FILTER (ended.place IS NULL), "
            "count(*) FILTER (ended.same) "
            "FROM keys LEFT JOIN ended USING (place) GROUP BY keys.source"
        ).fetchall()
        return {source: (accepted, duplicate) for source, accepted, duplicate in rows}

    def _finished(self, accepted: int) -> Path | None:
        """The file of accepted rows: the staged one where all of it is new."""
        if not accepted:
            return None
        if accepted == self._rows and self._count("later") == 0:
            return self._staged
        finished = self._folder / "accepted.parquet"
        place = quoted(PLACE)
        names = ", ".join(f"staged.{quoted(name)}" for name in self.table.names)
        self.duckdb.execute(
            f"COPY (SELECT {names}, coalesce(later.known_at, staged.known_at) AS known_at, digest "
            f"FROM {self._staged_sql()} LEFT JOIN later ON later.place = {place} "
            f"WHERE {place} IN (SELECT place FROM keys WHERE place NOT IN "
            "(SELECT place FROM ended))) "
            f"TO {literal(str(finished))} (FORMAT parquet)"
        )
        written = pq.read_metadata(finished).num_rows
        if written != accepted:
            raise LostRowsError(
                f"{self.table.name}: {accepted} rows accepted, but {written} written"
            )
        return finished

    def _count(self, rows: str) -> int:
        found = self.duckdb.execute(f"SELECT count(*) FROM {rows}").fetchone()
        return int(found[0])

    def _staged_sql(self) -> str:
        return (
            f"(SELECT * RENAME (file_row_number AS {quoted(PLACE)}) "
            f"FROM read_parquet({literal(str(self._staged))}, file_row_number = true)) AS staged"
        )
