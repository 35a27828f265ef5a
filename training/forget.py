"""Erased members leave the models that trainings kept, of whatever version."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from features.workspace import Workspace
from models.forget import forget_members, named_models
from training.tracking import tag_run

TAG = "pushwise.erased"


def forget_in_models(workspace: Workspace, members: Collection[str], at: datetime) -> int:
    """Take members out of every model that knows them by name; how many models held one.

    Each run whose model changed is tagged with the moment and how many left: its figures were
    measured with them.

    Raises:
        TrainingError: the record cannot be written.
        ArtifactError: a model does not read.
    """
    root = workspace.mlflow / "artifacts"
    changed: dict[str, int] = {}
    models = 0
    for folder in named_models(root):
        gone = forget_members(folder, members)
        if gone:
            models += 1
            run_id = _run_id(folder.relative_to(root))
            changed[run_id] = max(changed.get(run_id, 0), gone)
    for run_id, gone in changed.items():
        said = f"{at.isoformat(timespec='seconds')}: {gone} members taken out after training"
        tag_run(workspace, run_id, {TAG: said})
    return models


def _run_id(place: Path) -> str:
    """Of ``<experiment>/<run>/artifacts/…``."""
    return place.parts[1]
