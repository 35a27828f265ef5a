"""The first page: what to do first in a new workspace, and what wants a look today in others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from dashboard.health_words import TITLES, subject_words
from dashboard.web.routing import look
from dashboard.web.visit import Visit
from features.errors import FeatureError
from features.insights.prepared import Prepared, PreparedError, prepared
from features.record import BuildRecord
from features.workspace import Workspace
from serving import pointer
from serving.experiment_entry import Entry
from serving.experiments import Book
from serving.verify import ReleaseError


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do before the pages can show something. command: that does it."""

    title: str
    command: str
    done: bool


_MOST_ALERTS, _MOST_CHANGES, _MOST_EXPERIMENTS = 8, 8, 50
_SOON = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Running:
    """An experiment under way. look: the planned look that comes next, or came just now."""

    experiment_id: str
    state: str
    look: datetime | None


def home(visit: Visit) -> Response:
    steps = first_steps(visit)
    monitored, results = _monitored(visit)
    return visit.page(
        "web/home.html",
        steps=steps,
        ready=all(one.done for one in steps),
        monitored=monitored,
        alerts=[one for one in results if one["state"] in ("alert", "warn")][:_MOST_ALERTS],
        titles=TITLES,
        subject=partial(subject_words, words=visit.words),
        judged=any(one["state"] != "cannot_say" for one in results),
        experiments=running(visit),
        changes=visit.ground.changes.newest(_MOST_CHANGES),
        acts=acts(visit),
    )


def _monitored(visit: Visit) -> tuple[Prepared | None, Sequence[Mapping[str, Any]]]:
    """What the monitors found last; a document that does not read hides nothing else."""
    try:
        found = prepared(visit.ground.workspace, "monitor")
        return found, [] if found is None else found.document["results"]
    except PreparedError:
        return None, []


def acts(visit: Visit) -> Mapping[str, str]:
    """What the forms that change something do, in English words, by their routes."""
    routes = visit.request.app.routes
    return {
        one.path: one.name
        for one in routes
        if isinstance(one, Route) and "POST" in (one.methods or ())
    }


def running(visit: Visit) -> Sequence[Running]:
    """The experiments under way, whose next look comes first before the others."""
    entries = Book(visit.ground.log).page("", _MOST_EXPERIMENTS, ("running", "stopped"))
    found = [Running(one.experiment_id, one.state, _look(one, visit.now)) for one in entries]
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda one: one.look or last)


def _look(entry: Entry, now: datetime) -> datetime | None:
    return next((one for one in sorted(entry.looks) if one > now - _SOON), None)


def first_steps(visit: Visit) -> Sequence[Step]:
    """From an empty workspace to one that decides, in order."""
    workspace = visit.ground.workspace
    w = f"--workspace {workspace.root}"
    return (
        Step(
            visit.words("Take in what members did"), f"pushwise ingest events events.csv {w}",
            _has(workspace.tables / "events"),
        ),
        Step(
            visit.words("Build features from it"), f"pushwise features build {w}",
            _built(workspace),
        ),
        Step(visit.words("Train the models"), f"pushwise train {w}", _has(workspace.mlflow)),
        Step(
            visit.words("Build a release and publish it"),
            f"pushwise release build --publish {w}", _published(workspace),
        ),
    )  # fmt: skip


def _has(folder: Path) -> bool:
    return folder.is_dir() and next(folder.iterdir(), None) is not None


def _built(workspace: Workspace) -> bool:
    """Whether features of any moment are built; other commands keep rolled events beside them."""
    try:
        return bool(BuildRecord.load(workspace).moments)
    except FeatureError:  # says itself how to mend it, once they are built
        return False


def _published(workspace: Workspace) -> bool:
    try:
        return pointer.current(workspace.releases) is not None
    except ReleaseError:
        return False


ROUTES = (look("/", home),)
