"""From a file's name to its rows: CSV, JSON lines (both also .gz) and Parquet."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.contract import ContractError, Table, check_header
from features.ingest import delimited, jsonlines
from features.ingest.chunk import CHUNK_ROWS, Chunk, chunk_of_batch
from features.progress import Progress

Format = Literal["csv", "json", "parquet"]
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose columns fit the contract.

    names: the header of a CSV file; empty for the other formats.
    """

    chunks: Iterator[Chunk]
    names: tuple[str, ...] = ()


def format_of(path: Path) -> Format:
    """Raises ``ContractError`` on a name that says none of the formats."""
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    for suffix, found in _SUFFIXES.items():
        if plain.endswith(suffix) and not (found == "parquet" and plain != name):
            return found
    raise ContractError(
        f"{path}: the name does not say what is inside; "
        "wanted .csv, .jsonl or .ndjson (each also .gz), or .parquet"
    )


def file_digest(path: Path) -> str:
    """The same for files of the same content, whatever their name."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def column_names(path: Path) -> tuple[str, ...]:
    """The columns of a CSV or Parquet file, whatever they are.

    Raises:
        ContractError: it has another format, or is missing, empty or unreadable.
    """
    kind = format_of(path)
    with _faults_of(path, kind), ExitStack() as open_files:
        if kind == "parquet":
            return tuple(open_files.enter_context(pq.ParquetFile(path)).schema_arrow.names)
        if kind == "csv":
            stream = _unpacked(path, open_files.enter_context(path.open("rb")), open_files)
            return delimited.header_names(stream, str(path))
    raise ContractError(f"{path}: wanted a .csv, .csv.gz or .parquet file")


@contextmanager
def opened(path: Path, table: Table, progress: Progress) -> Iterator[Opened]:
    """The rows of one file, read as they are asked for.

    Raises:
        ContractError: the file is missing, empty, truncated or unreadable, or its columns do not
            fit. It may come late, after many rows: then none of them counts.
    """
    kind = format_of(path)
    with ExitStack() as open_files:
        with _faults_of(path, kind):
            found = _open(path, kind, table, progress, open_files)
        yield Opened(_guarded(found.chunks, path, kind), found.names)


def _open(
    path: Path, kind: Format, table: Table, progress: Progress, open_files: ExitStack
) -> Opened:
    if kind == "parquet":
        file = open_files.enter_context(pq.ParquetFile(path))
        check_header(table, file.schema_arrow.names, str(path))
        return Opened(_parquet_chunks(file, path, progress))
    plain = open_files.enter_context(path.open("rb"))
    stream = _unpacked(path, plain, open_files)
    told = _Told(path, plain, progress)
    if kind == "json":
        return Opened(told.to_the_end(jsonlines.read_rows(stream, table, str(path), told)))
    names = delimited.header_names(stream, str(path))
    check_header(table, names, str(path))
    return Opened(told.to_the_end(delimited.read_rows(stream, names, str(path), told)), names)


def _unpacked(path: Path, plain: IO[bytes], open_files: ExitStack) -> IO[bytes]:
    if not path.name.lower().endswith(".gz"):
        return plain
    unpacked = gzip.GzipFile(fileobj=plain)
    open_files.callback(unpacked.close)
    return unpacked  # type: ignore[return-value]  # a GzipFile reads like any binary file


def _guarded(chunks: Iterator[Chunk], path: Path, kind: Format) -> Iterator[Chunk]:
    """The chunks; only faults of reading are the file's, not those of whoever takes them."""
    while True:
        with _faults_of(path, kind):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


@contextmanager
def _faults_of(path: Path, kind: Format) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ContractError(f"{path}: no such file") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ContractError(
            f"{path}: the gzip data are truncated or damaged ({_first_line(error)}); nothing of "
            "this file was taken: fetch it again and re-run, which is safe"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise ContractError(
            f"{path}: not readable as {kind} ({_first_line(error)}); nothing of this file was "
            "taken: mend it and re-run, which is safe"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


_TOLD_BYTES = 2**20


class _Told:
    """Tells the progress, in bytes of the file as it lies on disk, once a megabyte."""

    def __init__(self, path: Path, plain: IO[bytes], progress: Progress) -> None:
        self._stage = f"reading {path.name}"
        self._plain = plain
        self._total = path.stat().st_size
        self._progress = progress
        self._untold = 0

    def to_the_end(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """The chunks; tells that the file is done after the last."""
        yield from chunks
        self._progress(self._stage, self._total, self._total)

    def __call__(self, count: int) -> None:
        self._untold += count
        if self._untold >= _TOLD_BYTES:
            self._untold = 0
            self._progress(self._stage, self._plain.tell(), self._total)


def _parquet_chunks(file: pq.ParquetFile, path: Path, progress: Progress) -> Iterator[Chunk]:
    row = 1
    for batch in file.iter_batches(batch_size=CHUNK_ROWS):
        yield chunk_of_batch(batch, np.arange(row, row + batch.num_rows))
        row += batch.num_rows
        progress(f"reading {path.name}", row - 1, file.metadata.num_rows)
