"""CSV files: blocks of whole lines, parsed many rows at once where a block is clean."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from features.contract import ContractError
from features.ingest.chunk import Chunk, Rejected

BLOCK_BYTES = 8 * 2**20
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_UTF8_MARK = b"\xef\xbb\xbf"


def header_names(stream: IO[bytes], where: str) -> tuple[str, ...]:
    """Take the header line off ``stream``.

    Raises:
        ContractError: the file is empty, or not UTF-8.
    """
    line = stream.readline()
    if not line:
        raise ContractError(f"{where}: the file is empty; wanted a header line with column names")
    for mark, encoding in _MARKS.items():
        if line.startswith(mark):
            raise ContractError(f"{where}: the file is {encoding}; save it as UTF-8")
    try:
        text = line.removeprefix(_UTF8_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContractError(
            f"{where}: the header is not UTF-8 ({error}); save the file as UTF-8"
        ) from None
    return tuple(next(csv.reader([text]), []))


def read_rows(
    stream: IO[bytes], names: Sequence[str], where: str, read: Callable[[int], None]
) -> Iterator[Chunk]:
    """The rows after the header. ``read`` is told how many bytes each block had.

    A row with another number of fields than the header, one that is not UTF-8 and one with an
    unclosed quote are rejected; lines without any text are not rows.
    """
    line = 2
    for block in _blocks(stream, where):
        read(len(block))
        ends = block.count(b"\n") + (not block.endswith(b"\n"))
        yield _fast(block, names, line, ends) or _slow(block, names, line)
        line += ends


def _blocks(stream: IO[bytes], where: str) -> Iterator[bytes]:
    """Blocks of whole lines, cut where the quotes so far are in pairs.

    Where they stay odd (a stray quote) the block is cut anyway once it is four times as long, and
    the row-by-row parser sorts it out.
    """
    kept = b""
    while data := stream.read(BLOCK_BYTES):
        kept += data
        cut = kept.rfind(b"\n") + 1
        if cut and (kept.count(b'"', 0, cut) % 2 == 0 or len(kept) >= 4 * BLOCK_BYTES):
            yield kept[:cut]
            kept = kept[cut:]
        elif len(kept) >= 4 * BLOCK_BYTES:
            raise ContractError(
                f"{where}: a line is longer than {4 * BLOCK_BYTES >> 20} MB; wanted one row a line"
            )
    if kept:
        yield kept


def _fast(block: bytes, names: Sequence[str], line: int, ends: int) -> Chunk | None:
    """The block at once; None unless every line of it is one row with the right fields."""
    if block.count(b'"') % 2:
        return None
    odd: list[object] = []

    def skip(row: object) -> str:
        odd.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            arrow_csv.ReadOptions(column_names=list(names), block_size=len(block) + 1),
            arrow_csv.ParseOptions(newlines_in_values=b'"' in block, invalid_row_handler=skip),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid:
        return None
    if odd or table.num_rows != ends:
        return None
    columns = table.combine_chunks().to_batches()[0]

    def row(index: int) -> dict[str, object]:
        return {name: columns.column(name)[index].as_py() for name in names}

    def text(index: int) -> str:
        if not lines:
            lines.extend(block.splitlines() if b"\r" not in block else block.split(b"\n"))
        return lines[index].decode("utf-8").rstrip("\r")

    lines: list[bytes] = []
    return Chunk(np.arange(line, line + ends), columns, row, text)


def _slow(block: bytes, names: Sequence[str], line: int) -> Chunk:
    """The block row by row."""
    fields: list[list[str]] = []
    places: list[int] = []
    texts: list[str] = []
    rejected: list[Rejected] = []
    for start, text, row in _records(block):
        found = _fault(text, row, len(names))
        if found is None:
            places.append(line + start)
            texts.append(text)
            fields.append(row or [])
        else:
            reason, message = found
            rejected.append(Rejected(line + start, reason, "", message, _storable(text)))
    by_column = list(zip(*fields, strict=True)) or [()] * len(names)
    columns = pa.record_batch(
        {name: pa.array(values, pa.string()) for name, values in zip(names, by_column, strict=True)}
    )

    def row_of(index: int) -> dict[str, object]:
        return dict(zip(names, fields[index], strict=True))

    lines = np.array(places, dtype=np.int64)
    return Chunk(lines, columns, row_of, texts.__getitem__, rejected)


def _fault(text: str, row: list[str] | None, wanted: int) -> tuple[str, str] | None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "bad_encoding", "the row is not UTF-8; save the file as UTF-8"
    if row is None:
        return "bad_csv", "the row has a quote that never closes, or a stray line end"
    if len(row) != wanted:
        return "wrong_fields", f"the row has {len(row)} fields, the header {wanted}"
    return None


def _storable(text: str) -> str:
    """Bytes that are not UTF-8 as ``\\xNN``."""
    raw = text.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")


class _Lines:
    """The lines of a block for ``csv.reader``, which may be sent back to an earlier one."""

    def __init__(self, block: bytes) -> None:
        lines = block.decode("utf-8", "surrogateescape").split("\n")
        self.lines = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
        self.position = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.position == len(self.lines):
            raise StopIteration
        self.position += 1
        return self.lines[self.position - 1]


def _records(block: bytes) -> Iterator[tuple[int, str, list[str] | None]]:
    """Each row of a block: its first line, counted from 0, its text, its fields.

    None for fields where the row does not read; then the next row is looked for on the next line,
    so that a quote that never closes costs one row and not the rest of the file.
    """
    source = _Lines(block)
    reader = csv.reader(source)
    while True:
        start = source.position
        row: list[str] | None
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            row = None
        text = "".join(source.lines[start : source.position])
        if source.position == len(source.lines) and text.count('"') % 2:
            row = None
        if row is None:
            text = source.lines[start]
            source.position = start + 1
            reader = csv.reader(source)
        if row != []:
            yield start, text.rstrip("\r\n"), row
