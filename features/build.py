"""Build the feature views of a workspace as of given moments."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

import ibis
import ibis.expr.types as ir

from features.encode import extend_encoding
from features.errors import FeatureError
from features.inputs import Inputs, vocabulary_file
from features.membership import first_known
from features.moments import moment as in_utc
from features.progress import Progress, silent
from features.record import BuildRecord, Built, view_file
from features.rolled import phase
from features.rolling import kept_rolled, rolled_anew
from features.tables import Tables, any_row, opened
from features.taste import item_vectors
from features.views import (
    LIFECYCLE,
    TASTE,
    VIEWS,
    Ground,
    View,
    at,
    ground,
    largest_categories,
    lifecycle_view,
    taste_view,
)
from features.vocabulary import Vocabulary
from features.workspace import Workspace, one_at_a_time
from features.worth import buying_files, learned_buying

STAGE = "features"
RESERVED = ("member_id", "item_id", "offer_id", "feature_time", "created", "row_id", "as_of", "rn")


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
        by_utc_day = kept_rolled(workspace, tables, progress)
        base = ground(tables, by_utc_day, workspace.conventions.attributes, tables.engine.keep)
        base = replace(base, vocabulary=_vocabulary(workspace, base, moments[-1]))
        views = _views(workspace, tables)
        reasons = {view.name: view.absent(base) for view in views}
        absent = {name: reason for name, reason in reasons.items() if reason}
        present = [view for view in views if view.name not in absent]
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
        inputs = Inputs.of(self.workspace)
        fresh = _fresh(self.workspace, record, moments)
        stale = {*moments}.difference(fresh)
        progress(STAGE, 0, len(stale))
        grounds = self._grounds(stale)
        base, first = next(grounds)
        rows = self._rows(base, first)
        columns = self._columns(rows)
        if columns != record.columns:  # every file of a view has the same columns
            if more := {*moments, *record.moments}.difference(stale):
                stale |= more
                grounds = self._grounds(stale - {first})
            fresh, record = [], BuildRecord(columns, absent, {})
        written: dict[datetime, Mapping[str, int]] = {}
        for as_of, counts in self._each(first, rows, grounds):
            written[as_of] = counts
            progress(STAGE, len(written), len(stale))
        written = {as_of: written[as_of] for as_of in sorted(stale, key=_by_phase)}
        built = {as_of: Built(inputs.digest(as_of), counts) for as_of, counts in written.items()}
        self._remove_absent()
        extend_encoding(self.workspace, columns, list(written))
        BuildRecord(columns, absent, {**record.moments, **built}).save(self.workspace)
        return BuildReport(written, tuple(fresh), absent)

    def _grounds(self, moments: Collection[datetime]) -> Iterator[tuple[Ground, datetime]]:
        """Each moment with the ground whose days end at its time of day; in that order."""
        for begins, of_phase in groupby(sorted(moments, key=_by_phase), key=phase):
            rolled = self.ground.rolled
            if begins:  # what is kept from build to build are UTC days
                rolled = rolled_anew(self.ground.tables, begins)
            for as_of in of_phase:
                yield replace(self.ground, rolled=rolled), as_of

    def _each(
        self,
        first: datetime,
        rows: Mapping[str, ir.Table],
        others: Iterator[tuple[Ground, datetime]],
    ) -> Iterator[tuple[datetime, Mapping[str, int]]]:
        """Each moment once its files are written, with the rows in them."""
        yield first, self._write(rows, first)
        for base, as_of in others:
            yield as_of, self._write(self._rows(base, as_of), as_of)

    def _rows(self, base: Ground, as_of: datetime) -> dict[str, ir.Table]:
        """Every view as of a moment, to be used before those of another one are asked for."""
        shared = at(base, as_of, base.tables.engine.keep)
        if not shared.roster.count().execute():
            raise FeatureError(
                f"no member is known before {as_of.isoformat()}; the first is known at "
                f"{_first_known(base.tables).isoformat()}"
            )
        return {view.name: view.rows(base, shared) for view in self.views}

    def _columns(self, rows: Mapping[str, ir.Table]) -> dict[str, dict[str, str]]:
        columns: dict[str, dict[str, str]] = {}
        taken: dict[str, str] = {}
        for view in self.views:
            columns[view.name] = {
                name: "category" if kind.is_string() else "number"
                for name, kind in rows[view.name].schema().items()
                if name != view.key
            }
            for name in columns[view.name] if view.key == "member_id" else ():
                _check_name(name, taken)
                taken[name.lower()] = view.name
        return columns

    def _write(self, rows: Mapping[str, ir.Table], as_of: datetime) -> dict[str, int]:
        engine = self.ground.tables.engine
        return {
            view.name: engine.write(
                _typed(rows[view.name], view.key, as_of, self.created),
                view_file(self.workspace, view.name, as_of),
            )
            for view in self.views
        }

    def _remove_absent(self) -> None:
        present = {view.name for view in self.views}
        for name in {*(view.name for view in VIEWS), TASTE} - present:
            shutil.rmtree(self.workspace.features / name, ignore_errors=True)


def _views(workspace: Workspace, tables: Tables) -> Sequence[View]:
    """The views that the workspace may have, if its data allow."""
    views = list(VIEWS)
    if buying_files(workspace):
        by_worth = lifecycle_view(learned_buying(workspace, tables.engine))
        views = [by_worth if view.name == LIFECYCLE else view for view in views]
    if workspace.conventions.taste:
        views.append(taste_view(item_vectors(workspace, tables.engine)))
    return views


def _by_phase(as_of: datetime) -> tuple[int, datetime]:
    return phase(as_of), as_of


def _first_known(tables: Tables) -> datetime:
    everyone = first_known(tables.members, tables.events, tables.decisions)
    since: datetime = everyone.since.min().execute()
    return since


def _fresh(
    workspace: Workspace, record: BuildRecord, moments: Sequence[datetime]
) -> list[datetime]:
    inputs = Inputs.of(workspace)
    return [
        as_of
        for as_of in moments
        if (built := record.moments.get(as_of))
        and built.inputs == inputs.digest(as_of)
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
    plain = name.lower()  # engines do not tell AGE from age
    if plain in taken or plain in RESERVED:
        raise FeatureError(
            f"attribute {name!r} has the name of a feature of {taken.get(plain, 'the store')}; "
            "rename it in the file and under [members.attributes]"
        )
    if name.endswith("_y"):
        raise FeatureError(
            f"attribute {name!r} ends in _y, which the feature store drops; rename it in the file "
            "and under [members.attributes]"
        )


def _vocabulary(workspace: Workspace, base: Ground, as_of: datetime) -> Vocabulary:
    """The workspace's frozen vocabulary; at the first build with categories, made and frozen."""
    path = vocabulary_file(workspace)
    if path.exists():
        return Vocabulary.load(path)
    if phase(as_of):  # the days kept from build to build end at midnight, not here
        base = replace(base, rolled=rolled_anew(base.tables, phase(as_of)))
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
