"""Workspaces to train in."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from features.workspace import Workspace
from models.manifest import TrackedVersion
from tests.training.shops import purchases, store
from training.errors import TrainingError
from training.tracking import promote


@pytest.fixture(scope="session")
def empty_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow record without runs, to be copied: making one takes seconds."""
    made = Workspace(tmp_path_factory.mktemp("record"))
    with suppress(TrainingError):
        promote(made, "nothing", TrackedVersion("", "1"))
    return made.mlflow


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, empty_record: Path) -> Workspace:
    """300 members who only ever bought: no clicks, no pushes, no categories, no member rows."""
    made = Workspace(tmp_path_factory.mktemp("shop"))
    shutil.copytree(empty_record, made.mlflow)
    store(made, "events", purchases())
    return made


@pytest.fixture
def recorded(tmp_path: Path, empty_record: Path) -> Workspace:
    """A workspace with nothing but an empty record."""
    made = Workspace(tmp_path / "recorded")
    shutil.copytree(empty_record, made.mlflow)
    return made
