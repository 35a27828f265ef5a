"""Rolls up each ingested batch of events once, and keeps what it gave for every later build.

The roll-ups lie in one DuckDB file of the workspace. Batches never change after they were written,
so a batch is in the file, whole and for good, or not at all: its rows and its name go in together.
A late event comes in a batch of its own and adds rows to the days that it touches, to no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ibis.backends.duckdb import Backend

from features import moments, rolled
from features.duckdb_engine import DuckDBEngine
from features.progress import Progress, silent
from features.rolled import Rolled, roll_up, typed
from features.tables import Tables, as_contract, table_files, table_schema
from features.workspace import Workspace

STAGE = "events"
# Rows taken at once: few enough that their groups fit in memory, however many a batch has.
CHUNK_ROWS = 5_000_000
_ALIAS = "rolled"
_BATCHES = f"{_ALIAS}.main.batches"


@contextmanager
def kept_rolled(
    workspace: Workspace, tables: Tables, progress: Progress = silent
) -> Iterator[Rolled]:
    """The roll-ups of all events by UTC day, on the connection of ``tables``, for a ``with`` block.

    Batches not rolled up yet are rolled up first. One build at a time may hold them. On another
    engine than DuckDB nothing is kept from build to build.
    """
    if not isinstance(tables.engine, DuckDBEngine):
        yield rolled_anew(tables, phase=0)
        return
    connection: Backend = tables.connection
    path = workspace.features / "rolled.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    files = table_files(workspace, "events")
    if not _fits(connection, path, files):
        _discard(path)
    # The newest storage reads texts ten times faster than that which older versions can open.
    connection.raw_sql(
        f"ATTACH IF NOT EXISTS '{_quoted(path)}' AS {_ALIAS} (STORAGE_VERSION 'latest')"
    )
    try:
        _prepare(connection, tables)
        _take(connection, workspace, files, progress)
        yield Rolled(
            **{name: connection.table(name, database=(_ALIAS, "main")) for name in rolled.NAMES}
        )
    finally:
        connection.raw_sql(f"DETACH DATABASE IF EXISTS {_ALIAS}")


def rolled_anew(tables: Tables, phase: int) -> Rolled:
    """The roll-ups of all events by days that begin at ``phase``, for this build alone."""
    parts = {
        name: tables.engine.keep(f"rolled_{name}", part)
        for name, part in roll_up(typed(tables.events, phase)).items()
    }
    return Rolled(**parts)


def _fits(connection: Backend, path: Path, files: Sequence[Path]) -> bool:
    """Whether the file was made by these definitions, of batches that are all still there."""
    import duckdb

    if not path.exists():
        return True
    try:
        connection.raw_sql(f"ATTACH '{_quoted(path)}' AS {_ALIAS}")
        made = connection.raw_sql(f"SELECT definitions FROM {_ALIAS}.main.made_by").fetchall()
        taken = {tuple(row) for row in connection.raw_sql(f"SELECT * FROM {_BATCHES}").fetchall()}
    except duckdb.Error:  # half made, or by another version of DuckDB: it can be made again
        made, taken = [], set()
    fits = made == [(_definitions(),)] and taken <= {_identity(file) for file in files}
    if not fits:
        connection.raw_sql(f"DETACH DATABASE IF EXISTS {_ALIAS}")
    return fits


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)


def _prepare(connection: Backend, tables: Tables) -> None:
    """Make the tables where the file is new, all at once."""
    shapes = roll_up(typed(tables.events.limit(0), phase=0))
    made = {
        name: f"CREATE TABLE IF NOT EXISTS {_ALIAS}.main.{name} AS {shape.compile()}"
        for name, shape in shapes.items()
    }
    connection.raw_sql("BEGIN")
    for statement in made.values():
        connection.raw_sql(statement)
    connection.raw_sql(
        f"CREATE TABLE IF NOT EXISTS {_BATCHES} (name VARCHAR, size BIGINT, changed BIGINT)"
    )
    connection.raw_sql(
        f"CREATE TABLE IF NOT EXISTS {_ALIAS}.main.made_by AS "
        f"SELECT '{_definitions()}' AS definitions"
    )
    connection.raw_sql("COMMIT")


def _take(
    connection: Backend, workspace: Workspace, files: Sequence[Path], progress: Progress
) -> None:
    taken = {row[0] for row in connection.raw_sql(f"SELECT name FROM {_BATCHES}").fetchall()}
    fresh = [file for file in files if file.name not in taken]
    if fresh:
        progress(STAGE, 0, len(fresh))
    done = 0
    for together in _in_chunks(fresh):
        _take_batches(connection, workspace, together)
        done += len(together)
        progress(STAGE, done, len(fresh))


def _in_chunks(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Small batches together, up to ``CHUNK_ROWS``; a larger one alone."""
    from pyarrow import parquet

    chunk: list[Path] = []
    rows = 0
    for file in files:
        more = int(parquet.read_metadata(file).num_rows)
        if chunk and rows + more > CHUNK_ROWS:
            yield chunk
            chunk, rows = [], 0
        chunk.append(file)
        rows += more
    if chunk:
        yield chunk


def _take_batches(connection: Backend, workspace: Workspace, files: Sequence[Path]) -> None:
    """Roll up batches: all of them and their names, or nothing."""
    schema = table_schema(workspace.table("events"))
    names = [str(file) for file in files]
    stored = connection.read_parquet(names, union_by_name=True, file_row_number=True)
    place = stored.file_row_number
    last = int(place.max().execute() or 0)
    connection.raw_sql("BEGIN")
    try:
        for first in range(0, last + 1, CHUNK_ROWS):
            inside = stored.filter(place >= first, place < first + CHUNK_ROWS)
            chunk = inside if last >= CHUNK_ROWS else stored
            # Each roll-up reads its own few columns: a third cheaper than one wide table for all.
            for name, part in roll_up(typed(as_contract(chunk, schema), phase=0)).items():
                connection.raw_sql(f"INSERT INTO {_ALIAS}.main.{name} {part.compile()}")
        identities = [_identity(file) for file in files]
        connection.con.executemany(f"INSERT INTO {_BATCHES} VALUES (?, ?, ?)", identities)
        connection.raw_sql("COMMIT")
    except BaseException:
        connection.raw_sql("ROLLBACK")
        raise


def _identity(file: Path) -> tuple[str, int, int]:
    found = file.stat()
    return file.name, found.st_size, found.st_mtime_ns


def _definitions() -> str:
    """Fingerprint of what the roll-ups are: another one makes them anew."""
    digest = hashlib.sha256()
    for source in (Path(rolled.__file__), Path(moments.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
