"""Rows leave a Parquet file: it is written anew without them, and only where it holds any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.ingest.quarantine import publish_file

Picks = Callable[[pa.Table], pa.ChunkedArray]


def among(ids: Sequence[str]) -> Callable[[pa.ChunkedArray], pa.ChunkedArray]:
    """Whether each value of a column of text is one of ``ids``; null is not."""
    wanted = pa.array(ids, type=pa.string())
    return lambda column: pc.is_in(column.cast(pa.string()), value_set=wanted)


def drop_rows(path: Path, columns: Sequence[str], picks: Picks, staging: Path) -> int:
    """Write the file at ``path`` anew without the rows that ``picks`` picks; how many there were.

    Args:
        columns: what ``picks`` reads; those that the file does not have are left out.
        staging: a folder of the same file system for the draft.
    """
    with pq.ParquetFile(path) as file:
        read = [name for name in columns if name in file.schema_arrow.names]
        groups = range(file.num_row_groups)
        held = [pc.sum(picks(file.read_row_group(one, read))).as_py() or 0 for one in groups]
        if not sum(held):
            return 0
        draft = staging / "kept.parquet"
        with pq.ParquetWriter(draft, file.schema_arrow) as writer:
            for group in groups:
                rows = file.read_row_group(group)
                writer.write_table(rows.filter(pc.invert(picks(rows.select(read)))))
    publish_file(draft, path)
    return int(sum(held))
