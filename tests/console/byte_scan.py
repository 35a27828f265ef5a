"""Which of some ids stand in the files of a folder: in their bytes, and in what these unpack to."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

_ID = re.compile(rb"m[0-9]{7}")  # of the market's members


def found_in(folder: Path, ids: frozenset[str]) -> dict[str, set[str]]:
    """By file, which of ``ids`` are in it; files without one are left out."""
    wanted = {one.encode() for one in ids}
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            met = {one.decode() for part in _parts(path) for one in _ID.findall(part)} & ids
            if met:
                found[path.relative_to(folder).as_posix()] = met
    assert all(len(one) == 8 for one in wanted)
    return found


def _parts(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield path.name.encode()
    yield content
    # numpy keeps text of one width as four bytes a letter, Parquet and archives pack it.
    yield content.replace(b"\x00", b"")
    if path.suffix == ".gz":
        yield gzip.decompress(content)
    if path.suffix == ".parquet":
        for column in pq.read_table(path).columns:
            yield "\n".join(map(str, column.to_pylist())).encode()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                array = np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
                yield array.tobytes().replace(b"\x00", b"")
