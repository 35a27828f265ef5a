"""What leaves the house of a finished audience: nobody who must not be contacted by now.

The guard stands last: between the files, which a job wrote earlier, and the caller. Where its
lists cannot be read, nothing leaves.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from serving.audience_folder import AudienceFolder
from serving.errors import LogUnavailable, NoParquet
from serving.guard import Barring, barred
from serving.log import Log

BLOCK = 5_000  # members looked up together


@dataclass(frozen=True, slots=True)
class Page:
    """rows: one a contact. left_out: members barred since. next: the last rank looked at, None
    where that was the end."""

    rows: list[dict[str, Any]]
    left_out: int
    next: int | None


@dataclass(frozen=True, eq=False)
class Export:
    """An audience behind the guard. Every method raises ``LogUnavailable`` where the list of those
    who must not be contacted cannot be read."""

    folder: AudienceFolder
    log: Log
    release: Barring

    def page(self, after: int, limit: int) -> Page:
        """The members ranked after ``after``, at most ``limit`` of them."""
        start = min(after, len(self.folder))
        stop = min(start + limit, len(self.folder))
        allowed = self._allowed(start, stop)
        text = b"".join(self._pieces("ndjson", start, allowed))
        rows = [json.loads(line) for line in text.splitlines()]
        end = stop == len(self.folder)
        return Page(rows, int((~allowed).sum()), None if end else stop)

    def lines(self, kind: str) -> Iterator[bytes]:
        """The file in a format of lines, block by block; the guard reads its lists for each."""
        head = int(self.folder.starts[kind][0])
        with self.folder.file(kind).open("rb") as file:
            yield file.read(head)
        for start in range(0, len(self.folder), BLOCK):
            allowed = self._allowed(start, min(start + BLOCK, len(self.folder)))
            yield from self._pieces(kind, start, allowed)

    def parquet(self) -> IO[bytes]:
        """The file as Parquet, whole, in an unnamed file that is gone when it is closed.

        Raises:
            NoParquet: pyarrow is not installed here, or was not where the job ran.
        """
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise NoParquet from error
        source = self.folder.file("parquet")
        if not source.exists():
            raise NoParquet
        with ExitStack() as stack:
            out = stack.enter_context(tempfile.TemporaryFile())
            stored = stack.enter_context(pq.ParquetFile(source))
            with pq.ParquetWriter(out, stored.schema_arrow) as writer:
                for batch in stored.iter_batches():
                    place = batch.column("rank").to_numpy() - 1
                    first, last = int(place[0]), int(place[-1]) + 1
                    allowed = self._allowed(first, last)[place - first]
                    writer.write_batch(batch.filter(pa.array(allowed)))
            stored.close()
            out.seek(0)
            stack.pop_all()  # the caller sends it, and closes it
        return out

    def _allowed(self, start: int, stop: int) -> NDArray[np.bool_]:
        """(stop − start,) whether the member may be contacted by all channels of its rows."""
        ids = [member.decode() for member in self.folder.ids[start:stop].tolist()]
        mask = self.folder.mask[start:stop]
        by_channel = {
            channel: [ids[at] for at in np.flatnonzero(mask & np.uint64(1 << bit)).tolist()]
            for bit, channel in enumerate(self.folder.channels)
        }
        found = barred(self.log, self.release, by_channel)
        if found.degraded:
            raise LogUnavailable
        return np.array([member not in found.reasons for member in ids], dtype=bool)

    def _pieces(self, kind: str, start: int, allowed: NDArray[np.bool_]) -> Iterator[bytes]:
        """The bytes of the members from rank ``start`` on that are allowed, in runs."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], allowed, [0]]).astype(np.int8)))
        starts = self.folder.starts[kind]
        with self.folder.file(kind).open("rb") as file:
            for first, last in edges.reshape(-1, 2).tolist():
                begin, end = int(starts[start + first]), int(starts[start + last])
                file.seek(begin)
                yield file.read(end - begin)
