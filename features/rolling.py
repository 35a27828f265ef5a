"""Rolls up each ingested batch of events once, and keeps what it gave for every later build.

A batch never changes after it was written. So its roll-ups are made once, in files of their own,
and count when ``taken.json`` names them: all of a batch, or nothing. A late event comes in a batch
of its own and adds rows to the days that it touches, to no other.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from features import moments, rolled
from features.progress import Progress, silent
from features.rolled import NAMES, Rolled, roll_up, typed
from features.tables import Tables, stored_rows, table_files
from features.workspace import Workspace, write_atomically

STAGE = "events"
# Small batches are rolled up together, up to so many rows: a file for each would be many.
TOGETHER_ROWS = 5_000_000

Batch = list[str | int]  # name, size and time of change of a file of events


def kept_rolled(workspace: Workspace, tables: Tables, progress: Progress = silent) -> Rolled:
    """The roll-ups of all events by UTC day. Batches not rolled up yet are rolled up first.

    One build at a time may ask for them.
    """
    folder = workspace.features / "rolled"
    files = table_files(workspace, "events")
    taken = _taken(folder, files)
    done = {str(batch[0]) for batches in taken.values() for batch in batches}
    fresh = [file for file in files if file.name not in done]
    if fresh:
        progress(STAGE, 0, len(fresh))
    rolled_up = 0
    for together in _together(fresh):
        part = f"{len(taken) + 1:06d}"
        events = stored_rows(tables.engine, workspace, "events", together)
        for name, rows in roll_up(typed(events, phase=0)).items():
            tables.engine.write(rows, folder / name / f"{part}.parquet")
        taken[part] = [_identity(file) for file in together]
        _save(folder, taken)
        rolled_up += len(together)
        progress(STAGE, rolled_up, len(fresh))
    return _read(tables, folder, taken)


def rolled_anew(tables: Tables, phase: int) -> Rolled:
    """The roll-ups of all events by days that begin at ``phase``, for this build alone."""
    parts = {
        name: tables.engine.keep(f"rolled_{name}", part)
        for name, part in roll_up(typed(tables.events, phase)).items()
    }
    return Rolled(**parts)


def _taken(folder: Path, files: Sequence[Path]) -> dict[str, list[Batch]]:
    """The batches of each part, if these definitions made them of batches that are still there.

    Otherwise there are none, and what there was is removed.
    """
    try:
        content = json.loads((folder / "taken.json").read_text(encoding="utf-8"))
        taken: dict[str, list[Batch]] = content["parts"]
        there = [_identity(file) for file in files]
        whole = all(
            (folder / name / f"{part}.parquet").exists() for part in taken for name in NAMES
        )
        known = all(batch in there for batches in taken.values() for batch in batches)
        if content["definitions"] == _definitions() and whole and known:
            return taken
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # it can be made again, whatever happened to it
    shutil.rmtree(folder, ignore_errors=True)
    return {}


def _save(folder: Path, taken: Mapping[str, Sequence[Batch]]) -> None:
    content = {"definitions": _definitions(), "parts": taken}
    write_atomically(folder / "taken.json", json.dumps(content, indent=1).encode())


def _read(tables: Tables, folder: Path, taken: Mapping[str, Sequence[Batch]]) -> Rolled:
    shapes = roll_up(typed(tables.events, phase=0))
    if not taken:
        return Rolled(**{name: tables.engine.empty(name, shapes[name].schema()) for name in NAMES})
    found = {}
    for name in NAMES:
        files = [folder / name / f"{part}.parquet" for part in taken]
        (rows,) = tables.engine.read(f"rolled_{name}", files)
        found[name] = rows.cast(shapes[name].schema())
    return Rolled(**found)


def _together(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Small batches together, up to ``TOGETHER_ROWS``; a larger one alone."""
    from pyarrow import parquet

    part: list[Path] = []
    rows = 0
    for file in files:
        more = int(parquet.read_metadata(file).num_rows)
        if part and rows + more > TOGETHER_ROWS:
            yield part
            part, rows = [], 0
        part.append(file)
        rows += more
    if part:
        yield part


def _identity(file: Path) -> Batch:
    found = file.stat()
    return [file.name, found.st_size, found.st_mtime_ns]


def _definitions() -> str:
    """Fingerprint of what the roll-ups are: another one makes them anew."""
    digest = hashlib.sha256()
    for source in (rolled, moments):
        digest.update(Path(str(source.__file__)).read_bytes())
    return digest.hexdigest()
