"""Rows that were not taken: how many and why, some of them, and taking them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.responses import Response

from dashboard.areas.data_words import REASONS, REDRIVE, TABLES, said
from dashboard.web.errors import BadForm, NotFound
from dashboard.web.language import noted
from dashboard.web.routing import change, look
from dashboard.web.visit import Visit
from dashboard.web.work import Job
from features.ingest.held import Glance, folders, glance
from features.insights.prepared import Prepared, prepared

_SAMPLES = 3
_LONGEST = 300  # characters of a row that are shown


@dataclass(frozen=True, slots=True)
class Held:
    """One folder of the quarantine. reasons: code, words, rows (None: not counted).

    table: whether it is a contract table, whose rows can be taken again.
    """

    folder: str
    title: str
    table: bool
    reasons: Sequence[tuple[str, str, int | None]]

    @property
    def rows(self) -> int | None:
        counts = [rows for _, _, rows in self.reasons]
        return None if None in counts else sum(rows for rows in counts if rows is not None)


def summary(visit: Visit, found: Prepared | None) -> list[Held]:
    """What each folder holds: counted now where that is quick, else when the document was made."""
    workspace = visit.ground.workspace
    return [_held(visit, glance(workspace, name, 0), found) for name in folders(workspace)]


def folder(visit: Visit) -> Response:
    """One folder: its reasons, for editors some rows, and what came of taking them again.

    The text of a row may be about a person: a viewer sees reasons and counts.
    """
    name = visit.path("folder")
    workspace = visit.ground.workspace
    if name not in folders(workspace) and name not in TABLES:
        raise NotFound(f"nothing is quarantined under {name}")
    seen = glance(workspace, name, _SAMPLES if visit.may("editor") else 0)
    job = visit.ground.work.newest(REDRIVE[name]) if name in REDRIVE else None
    return visit.page(
        "data/quarantine.html", held=_held(visit, seen, prepared(workspace, "quality")),
        samples=seen.samples, live=seen.counts is not None, job=job,
        came=None if job is None else _came(visit, job), longest=_LONGEST,
    )  # fmt: skip


def redrive(visit: Visit) -> Response:
    """Take the quarantined rows of a table again, as long work."""
    name = visit.path("folder")
    if name not in REDRIVE:
        raise NotFound(f"{name} is no table; mend the file and import it again")
    words = ["ingest", name, "--redrive", "--json"]
    zone = visit.form.get("timezone", "").strip()
    if zone:
        words += ["--timezone", _zone(zone)]
    there = f"/data/quarantine/{name}"
    job = visit.ground.work.start(REDRIVE[name], words, visit.user.name, there)
    return visit.to(f"/jobs/{job.job_id}")


def _zone(name: str) -> str:
    """Raises ``BadForm``."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadForm(f"no time zone {name[:60]!r}; wanted a name such as Asia/Taipei") from error


def _held(visit: Visit, seen: Glance, found: Prepared | None) -> Held:
    counts: Mapping[str, int | None]
    if seen.counts is not None:
        counts = seen.counts
    else:
        known = {} if found is None else found.document["quarantine"].get(seen.folder, {})
        counts = known or dict.fromkeys(seen.samples)
    reasons = [(code, said(visit, REASONS, code), rows) for code, rows in counts.items()]
    title = said(visit, TABLES, seen.folder) if seen.folder in TABLES else seen.folder
    return Held(seen.folder, title, seen.folder in TABLES, reasons)


def _came(visit: Visit, job: Job) -> dict[str, Any] | None:
    """What a re-drive that is done told; None for one that is not."""
    answer = job.answer
    if job.state != "done" or not isinstance(answer, dict):
        return None
    still = [(said(visit, REASONS, code), rows) for code, rows in answer["quarantined"].items()]
    return {**answer, "still": still, "left": sum(answer["quarantined"].values())}


ROUTES = (
    look("/data/quarantine/{folder}", folder),
    change("/data/quarantine/{folder}/redrive", redrive, says=noted("take refused rows again")),
)
