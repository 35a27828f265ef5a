"""The contract tables, what was built of them, and the quarantine, without erased members."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.encode import MEMBER
from features.forgetting.parquet import among, drop_rows
from features.forgetting.quarantine import Named, forget_quarantined
from features.ingest.batch import staging
from features.inputs import Inputs
from features.record import BuildRecord, Built, view_file
from features.tables import table_files
from features.workspace import Workspace, one_at_a_time

_DECISION = "decision_id"
# Decisions last: which they were tells what outcomes belong to them, also after a crash.
_ORDER = ("outcomes", "events", "members", "decisions")


def forget_rows(workspace: Workspace, members: Collection[str]) -> dict[str, int]:
    """Take the members out of tables, quarantine and built features; rows removed, by place.

    Only files that hold them are written anew; ingest and builds wait meanwhile. What was built of
    others stays as it was, and counts as built of the tables as they are now. Again, it goes on
    where it stopped.
    """
    removed: dict[str, int] = {}
    ids = sorted(members)
    with staging(workspace) as folder, one_at_a_time(workspace.features / ".lock"):
        record = BuildRecord.load(workspace)
        fresh = _fresh(workspace, record)
        for table in _ORDER:
            removed[f"tables/{table}"] = _forget_table(workspace, table, ids, folder)
        removed["quarantine"] = forget_quarantined(workspace, Named.of(ids))
        removed["features"] = _forget_features(workspace, ids, folder)
        if any(removed.values()):
            # Days that were rolled up cannot be told apart by member everywhere: rolled up anew.
            shutil.rmtree(workspace.features / "rolled", ignore_errors=True)
            _keep_built(workspace, record, fresh)
    return removed


def member_rows(workspace: Workspace, member: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """What tables and built features hold of one member: places and their rows, as JSON has them.

    Places without a row are left out.
    """
    theirs, decided = among([member]), among(_decisions(workspace, [member]))
    for table in _ORDER:
        found: list[dict[str, Any]] = []
        for path in table_files(workspace, table):
            rows = pq.read_table(path)
            mask = theirs(rows[MEMBER])
            if table == "outcomes":
                mask = pc.or_(mask, decided(rows[_DECISION]))
            found += _plain(rows.filter(mask).drop_columns(["digest"]))
        if found:
            yield f"tables/{table}", found
    for path in _view_files(workspace):
        rows = pq.read_table(path)
        found = _plain(rows.filter(theirs(rows[MEMBER])))
        if found:
            yield f"features/{path.parent.name}/{path.stem}", found


def _plain(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows of text, numbers, lists and nulls; times in ISO 8601, money as text."""
    text = json.dumps(rows.to_pylist(), default=_as_text)
    plain: list[dict[str, Any]] = json.loads(text, parse_constant=lambda _: None)
    return plain


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _forget_table(workspace: Workspace, table: str, ids: list[str], folder: Path) -> int:
    theirs = among(ids)
    of_decision = among(_decisions(workspace, ids) if table == "outcomes" else [])

    def picks(rows: pa.Table) -> pa.ChunkedArray:
        if table != "outcomes":
            return theirs(rows[MEMBER])
        return pc.or_(theirs(rows[MEMBER]), of_decision(rows[_DECISION]))

    columns = (MEMBER, _DECISION) if table == "outcomes" else (MEMBER,)
    removed = 0
    for path in table_files(workspace, table):
        found = drop_rows(path, columns, picks, folder)
        removed += found
        if found and not pq.read_metadata(path).num_rows:
            path.unlink()
    return removed


def _decisions(workspace: Workspace, ids: list[str]) -> list[str]:
    picks = among(ids)
    found: list[str] = []
    for path in table_files(workspace, "decisions"):
        rows = pq.read_table(path, columns=[MEMBER, _DECISION])
        found += rows.filter(picks(rows[MEMBER]))[_DECISION].to_pylist()
    return found


def _forget_features(workspace: Workspace, ids: list[str], folder: Path) -> int:
    theirs = among(ids)
    return sum(
        drop_rows(path, (MEMBER,), lambda rows: theirs(rows[MEMBER]), folder)
        for path in _view_files(workspace)
    )


def _view_files(workspace: Workspace) -> list[Path]:
    """Every built file of a view of members, also of what is recorded no more."""
    found = sorted(workspace.features.glob("*/*.parquet"))
    return [path for path in found if MEMBER in pq.read_schema(path).names]


def _fresh(workspace: Workspace, record: BuildRecord) -> list[datetime]:
    """The moments that were built of the tables as they are."""
    inputs = Inputs.of(workspace)
    return [at for at, built in record.moments.items() if built.inputs == inputs.digest(at)]


def _keep_built(workspace: Workspace, record: BuildRecord, fresh: Iterable[datetime]) -> None:
    if not record.moments:
        return
    inputs = Inputs.of(workspace)
    now = {at: replace(record.moments[at], inputs=inputs.digest(at)) for at in fresh}
    moments = {
        at: _counted(workspace, at, built) for at, built in {**record.moments, **now}.items()
    }
    replace(record, moments=moments).save(workspace)


def _counted(workspace: Workspace, as_of: datetime, built: Built) -> Built:
    paths = {view: view_file(workspace, view, as_of) for view in built.rows}
    rows = {v: pq.read_metadata(path).num_rows for v, path in paths.items() if path.exists()}
    return replace(built, rows={**built.rows, **rows})
