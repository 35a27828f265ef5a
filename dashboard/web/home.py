"""The first page: what to do first in a new workspace, and what wants a look today in others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from dashboard.web.routing import look
from dashboard.web.visit import Visit
from features.workspace import Workspace
from serving import pointer
from serving.verify import ReleaseError


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do before the pages can show something. command: that does it."""

    title: str
    command: str
    done: bool


def home(visit: Visit) -> Response:
    steps = first_steps(visit)
    return visit.page("web/home.html", steps=steps, ready=all(one.done for one in steps))


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
            _has(workspace.features),
        ),
        Step(visit.words("Train the models"), f"pushwise train {w}", _has(workspace.mlflow)),
        Step(
            visit.words("Build a release and publish it"),
            f"pushwise release build --publish {w}", _published(workspace),
        ),
    )  # fmt: skip


def _has(folder: Path) -> bool:
    return folder.is_dir() and next(folder.iterdir(), None) is not None


def _published(workspace: Workspace) -> bool:
    try:
        return pointer.current(workspace.releases) is not None
    except ReleaseError:
        return False


ROUTES = (look("/", home),)
