"""Build the feature views of a workspace as of given moments."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import ibis
import ibis.expr.types as ir

from features.contract import TABLES
from features.encode import extend_encoding
from features.errors import FeatureError
from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.record import BuildRecord, Built, view_file
from features.tables import Tables, any_row, opened, table_files
from features.views import VIEWS, Ground, Keep, View, at, ground, largest_categories
from features.vocabulary import Vocabulary
from features.workspace import Workspace, one_at_a_time

STAGE = "features"
RESERVED = ("member_id", "item_id", "feature_time", "created", "row_id", "as_of", "rn")


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    written: rows written per view, for each moment built.
    unchanged: moments whose tables had not changed since they were built.
    absent: the views that this workspace does not have, and why.
    """

    written: Mapping[datetime, Mapping[str, int]]
    unchanged: tuple[datetime, ...]
    absent: Mapping[str, str]


def build_features(
    workspace: Workspace,
    as_ofs: Sequence[datetime],
    progress: Progress = silent,
    created: datetime | None = None,
) -> BuildReport:
    """Write every feature view that the workspace has, as of each of ``as_ofs``.

    Each file appears whole or not at all. A moment whose tables, conventions and definitions are
    unchanged is not built again. Where a view gains or loses columns, the moments built earlier
    are built again, so that all files of a view have the same columns; the files of a view that
    the workspace no longer has are removed. Builds of one workspace wait in line.

    Args:
        as_ofs: moments with an offset, in any order.
        created: wall clock of the build, stored in each row; now unless given. It is a trace, not
            knowledge: what a row may know is governed by its ``feature_time`` alone.

    Raises:
        FeatureError: nothing was ingested, nobody is known before a moment, or a declared
            attribute has the name of a feature.
    """
    moments = sorted({in_utc(as_of) for as_of in as_ofs})
    if not moments:
        raise FeatureError("no moment to build features for; name one, such as --as-of 2026-05-01")
    with one_at_a_time(workspace.features / ".lock"):
        return _build(workspace, moments, progress, created or datetime.now(UTC))


def _build(
    workspace: Workspace, moments: Sequence[datetime], progress: Progress, created: datetime
) -> BuildReport:
    record = BuildRecord.load(workspace)
    fresh = _fresh(workspace, record, moments)
    if len(fresh) == len(moments):
        return BuildReport({}, tuple(fresh), record.absent)
    with opened(workspace) as tables:
        _check_not_empty(workspace, tables)
        base = ground(tables, workspace.conventions.attributes, _keeper(tables))
        base = replace(base, vocabulary=_vocabulary(workspace, base, moments[-1]))
        absent = {view.name: view.absent(base) for view in VIEWS if view.absent(base)}
        present = [view for view in VIEWS if view.name not in absent]
        run = _Run(workspace, base, present, created)
        return run.build(moments, record, absent, progress)


@dataclass(frozen=True, slots=True)
class _Run:
    workspace: Workspace
    ground: Ground
    views: Sequence[View]
    created: datetime

    def build(
        self,
        moments: Sequence[datetime],
        record: BuildRecord,
        absent: Mapping[str, str],
        progress: Progress,
    ) -> BuildReport:
        inputs = inputs_digest(self.workspace)
        columns = self._columns(moments[0])
        if columns != record.columns:  # every file of a view has the same columns
            moments = sorted({*moments, *record.moments})
            record = BuildRecord(columns, absent, {})
        fresh = _fresh(self.workspace, record, moments)
        stale = [as_of for as_of in moments if as_of not in fresh]
        written: dict[datetime, Mapping[str, int]] = {}
        built = dict(record.moments)
        progress(STAGE, 0, len(stale))
        for done, as_of in enumerate(stale, start=1):
            written[as_of] = self._write(as_of)
            built[as_of] = Built(inputs, written[as_of])
            progress(STAGE, done, len(stale))
        self._remove_absent()
        extend_encoding(self.workspace, columns, list(written))
        BuildRecord(columns, absent, built).save(self.workspace)
        return BuildReport(written, tuple(fresh), absent)

    def _columns(self, as_of: datetime) -> dict[str, dict[str, str]]:
        shared = at(self.ground, as_of, lambda name, table: table)
        columns: dict[str, dict[str, str]] = {}
        taken: dict[str, str] = {}
        for view in self.views:
            schema = view.rows(self.ground, shared).schema()
            columns[view.name] = {
                name: "category" if kind.is_string() else "number"
                for name, kind in schema.items()
                if name != view.key
            }
            for name in columns[view.name] if view.key == "member_id" else ():
                _check_name(name, taken)
                taken[name] = view.name
        return columns

    def _write(self, as_of: datetime) -> dict[str, int]:
        shared = at(self.ground, as_of, _keeper(self.ground.tables))
        if not shared.roster.count().execute():
            raise FeatureError(
                f"no member is known before {as_of.isoformat()}; the first is known at "
                f"{self.ground.first.since.min().execute().isoformat()}"
            )
        return {
            view.name: _store(
                _typed(view.rows(self.ground, shared), view.key, as_of, self.created),
                view_file(self.workspace, view.name, as_of),
            )
            for view in self.views
        }

    def _remove_absent(self) -> None:
        present = {view.name for view in self.views}
        for view in VIEWS:
            if view.name not in present:
                shutil.rmtree(self.workspace.features / view.name, ignore_errors=True)


def inputs_digest(workspace: Workspace) -> str:
    """Fingerprint of all a build reads: stored files, conventions, vocabulary, definitions.

    Batches never change after they were written, so name, size and time of change tell them apart.
    """
    files = [
        (name, path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for name in TABLES
        for path in table_files(workspace, name)
    ]
    vocabulary = _vocabulary_file(workspace)
    content = {
        "files": files,
        "conventions": asdict(workspace.conventions),
        "vocabulary": vocabulary.read_text(encoding="utf-8") if vocabulary.exists() else None,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _fresh(
    workspace: Workspace, record: BuildRecord, moments: Sequence[datetime]
) -> list[datetime]:
    inputs = inputs_digest(workspace)
    return [
        as_of
        for as_of in moments
        if (built := record.moments.get(as_of))
        and built.inputs == inputs
        and all(view_file(workspace, view, as_of).exists() for view in built.rows)
    ]


def _check_not_empty(workspace: Workspace, tables: Tables) -> None:
    people = (tables.members, tables.events, tables.decisions)
    if not any(any_row(table) for table in people):
        raise FeatureError(
            f"workspace {workspace.root} holds no members, events or decisions: nothing was "
            "ingested; run `pushwise ingest` or `pushwise import` first"
        )


def _check_name(name: str, taken: Mapping[str, str]) -> None:
    if name in taken or name in RESERVED:
        raise FeatureError(
            f"attribute {name!r} has the name of a feature of {taken.get(name, 'the store')}; "
            "rename it in the file and under [members.attributes]"
        )
    if name.endswith("_y"):
        raise FeatureError(
            f"attribute {name!r} ends in _y, which the feature store drops; rename it in the file "
            "and under [members.attributes]"
        )


def _keeper(tables: Tables) -> Keep:
    def keep(name: str, table: ir.Table) -> ir.Table:
        return tables.connection.create_table(f"kept_{name}", table, temp=True, overwrite=True)

    return keep


def _vocabulary_file(workspace: Workspace) -> Path:
    return workspace.features / "vocabulary.json"


def _vocabulary(workspace: Workspace, base: Ground, as_of: datetime) -> Vocabulary:
    """The workspace's frozen vocabulary; at the first build with categories, made and frozen."""
    path = _vocabulary_file(workspace)
    if path.exists():
        return Vocabulary.load(path)
    vocabulary = Vocabulary.of(largest_categories(base, as_of))
    if vocabulary.categories:
        vocabulary.save(path)
    return vocabulary


def _typed(rows: ir.Table, key: str, as_of: datetime, created: datetime) -> ir.Table:
    """The columns of a feature file, in their declared types, sorted by key."""
    features = {
        name: rows[name] if kind.is_string() else rows[name].cast("float64")
        for name, kind in rows.schema().items()
        if name != key
    }
    stamp = "timestamp('UTC', 6)"
    return rows.select(
        **{key: rows[key]},
        feature_time=ibis.literal(as_of).cast(stamp),
        created=ibis.literal(created.astimezone(UTC)).cast(stamp),
        **features,
    ).order_by(key)


def _store(table: ir.Table, path: Path) -> int:
    """Write ``table`` so that a reader sees the old file or the new one; the rows written."""
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        table.to_parquet(unfinished)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        rows = int(parquet.read_metadata(unfinished).num_rows)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return rows
