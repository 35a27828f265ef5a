"""JSON lines: one object a line, its keys column names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np

from features.contract import ContractError, Table
from features.ingest.chunk import CHUNK_ROWS, Chunk, Rejected, Row, chunk_of_rows

MAX_LINE = 2**20
_SHOWN = 4096  # bytes of a line that cannot be read which the quarantine keeps
_UTF8_MARK = b"\xef\xbb\xbf"


class _LineError(Exception):
    """A line that is no row. Holds the reason code and the message."""


def read_rows(
    stream: IO[bytes], table: Table, where: str, read: Callable[[int], None]
) -> Iterator[Chunk]:
    """The rows of a file. ``read`` is told how many bytes each chunk had.

    A line that is no JSON object is rejected; lines without any text are not rows.

    Raises:
        ContractError: the file is empty.
    """
    line = 0
    rows: list[Row] = []
    lines: list[int] = []
    texts: list[str] = []
    rejected: list[Rejected] = []
    for raw in _lines(stream):
        line += 1
        read(len(raw))
        if not raw.strip():
            continue
        try:
            rows.append(_object(raw, line))
        except _LineError as error:
            reason, message = error.args
            text = raw[:_SHOWN].decode("utf-8", "backslashreplace").rstrip("\r\n")
            rejected.append(Rejected(line, reason, "", message, text))
        else:
            lines.append(line)
            texts.append(raw.decode("utf-8").rstrip("\r\n"))
        if len(rows) + len(rejected) == CHUNK_ROWS:
            yield chunk_of_rows(table, rows, np.array(lines, dtype=np.int64), texts, rejected)
            rows, lines, texts, rejected = [], [], [], []
    if not line:
        raise ContractError(f"{where}: the file is empty; wanted one JSON object a line")
    yield chunk_of_rows(table, rows, np.array(lines, dtype=np.int64), texts, rejected)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines; of one that is far too long only the beginning, more than ``MAX_LINE`` bytes."""
    while line := stream.readline(MAX_LINE + 1):
        rest = line
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE + 1)
        yield line


def parse_object(text: str) -> Row:
    """One JSON object. Raises ``ValueError`` on anything else, also on NaN and Infinity."""
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError(f"found a JSON {type(found).__name__}, wanted an object")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object(raw: bytes, line: int) -> Row:
    if len(raw) > MAX_LINE:
        raise _LineError("bad_json", f"the line is longer than {MAX_LINE >> 20} MB")
    try:
        text = (raw.removeprefix(_UTF8_MARK) if line == 1 else raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _LineError("bad_encoding", f"the line is not UTF-8 ({error.reason})") from None
    try:
        return parse_object(text)
    except ValueError as error:
        raise _LineError("bad_json", f"the line is not a JSON object ({error})") from None
