"""The document ``quality``: how fresh, complete and steady the data are, as pages read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from features.workspace import Workspace

if TYPE_CHECKING:
    from features.progress import Progress

_STAGE = "quality"
_STEPS = 4
_DAY = timedelta(days=1)


def quality_document(workspace: Workspace, as_of: datetime, progress: Progress) -> dict[str, Any]:
    """The newest features built up to ``as_of``, the check of what was served, tables, quarantine.

    features: as `pushwise features report` shows them; null where none are built, with ``why``.
    newest: of each feed its newest row by now, which may be later than the features.
    skew: as `pushwise features check` shows it, without members.
    tables: rows and batches of each contract table. quarantine: by folder, reason to rows.
    """
    progress(_STAGE, 0, _STEPS)
    report, why = _report(workspace, as_of)
    progress(_STAGE, 1, _STEPS)
    skew = _skew(workspace, progress)
    progress(_STAGE, 2, _STEPS)
    tables = _tables(workspace)
    progress(_STAGE, 3, _STEPS)
    quarantine = _quarantine(workspace)
    progress(_STAGE, _STEPS, _STEPS)
    found: dict[str, Any] = _plain(
        {"features": report, "why": why, "newest": _newest(workspace), "skew": skew,
         "tables": tables, "quarantine": quarantine}
    )  # fmt: skip
    return found


def _report(workspace: Workspace, as_of: datetime) -> tuple[dict[str, Any] | None, str]:
    from console.quality_reference import reference_moments
    from console.settings import load_settings
    from features.quality import Limits, quality
    from features.record import BuildRecord

    built = sorted(BuildRecord.load(workspace).moments)
    if not built:
        return None, "no features are built yet; run `pushwise features build`"
    # Features are built at some hour of the newest event's day, and a refresh is of its start.
    earlier = [moment for moment in built if moment < as_of + _DAY]
    moment = (earlier or built)[-1]
    reference = reference_moments(workspace, moment, built, ())
    limits = Limits(**load_settings().quality.model_dump())
    return quality(workspace, moment, reference.moments, limits, reference.words).to_json(), ""


def _newest(workspace: Workspace) -> dict[str, datetime | None]:
    from features.quality import feeds

    return {one.table: one.newest for one in feeds(workspace, datetime.now(UTC))}


def _skew(workspace: Workspace, progress: Progress) -> dict[str, Any]:
    from console.skew import check_served

    found = check_served(workspace, False, progress).to_json()
    for feature in found["features"]:
        if feature["example"] is not None:
            del feature["example"]["member_id"]  # nobody is named in what pages read
    return found


def _tables(workspace: Workspace) -> list[dict[str, Any]]:
    from pyarrow.parquet import ParquetFile

    from features.contract import TABLES
    from features.tables import table_files

    found = []
    for name in TABLES:
        files = table_files(workspace, name)
        rows = sum(ParquetFile(file).metadata.num_rows for file in files)
        newest = max((file.stat().st_mtime for file in files), default=None)
        came = None if newest is None else datetime.fromtimestamp(newest).astimezone().isoformat()
        found.append({"table": name, "rows": rows, "batches": len(files), "newest_batch": came})
    return found


def _quarantine(workspace: Workspace) -> dict[str, dict[str, int]]:
    from features.ingest.held import counted, folders

    return {name: counted(workspace, name) for name in folders(workspace)}


def _plain(value: Any) -> Any:
    """``value`` as JSON can hold it; what is no finite number is null."""
    match value:
        case datetime():
            return value.isoformat()
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return value
