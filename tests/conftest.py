"""Shared by all tests: the public data, and one small market taken through the whole path."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from features.workspace import Workspace
from tests.made_once import made_once

if TYPE_CHECKING:
    from training.trained import Trained

REPOSITORY = Path(__file__).resolve().parent.parent

# Building expressions makes very many small objects, none of them garbage yet: looking for some as
# often as Python does took a fifth of the time of a build of features.
gc.set_threshold(50_000, 20, 20)

# How long an example takes says more of the machine than of the code: benchmarks measure time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


# What takes longest goes first, so that no worker is left alone with it at the end. The first of
# them trains what several of the others read (``released``).
LONGEST = (
    "tests/console/test_path.py",
    "tests/features/test_as_of.py",
    "tests/features/test_engines.py",
    "tests/notebooks/test_retraining.py",
    "tests/console/test_evaluate_policy.py",
    "tests/benchmarks/test_rule_court.py",
    "tests/serving/test_audience_job.py",
    "tests/features/importers/test_online_retail.py",
    "tests/console/test_loop.py",
    "tests/serving/test_canary.py",
    "tests/training/test_frames.py",
    "tests/features/test_rolling.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.location[0], len(LONGEST)))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command that sets up logging does so for the whole process: undo it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("PUSHWISE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no public data in {folder}; set PUSHWISE_DATA")
    return folder


@dataclass(frozen=True)
class MarketWorkspace:
    """A market of 3,000 members, ingested."""

    workspace: Workspace
    market: Path
    as_of: datetime
    push_id: str


MARKET = 3_000, 11  # members, seed


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> MarketWorkspace:
    """For reading: all workers share the market, and have a copy each of the workspace."""
    made = made_once(tmp_path_factory, "ingested", _ingest)
    return _copy_of(made, made / "market", tmp_path_factory)


@pytest.fixture(scope="session")
def with_propensity(tmp_path_factory: pytest.TempPathFactory) -> MarketWorkspace:
    """The same market with the propensity trained, and nothing that is trained after it."""
    market, made = _with_propensity(tmp_path_factory)
    return _copy_of(made, market / "market", tmp_path_factory)


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> MarketWorkspace:
    """The same market with all models trained and a release published."""
    market, begun = _with_propensity(tmp_path_factory)
    made = made_once(tmp_path_factory, "released", partial(_release, begun))
    return _copy_of(made, market / "market", tmp_path_factory)


def _with_propensity(folders: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of the market, and that of its workspace with the propensity trained."""
    market = made_once(folders, "ingested", _ingest)
    return market, made_once(folders, "with_propensity", partial(_train_propensity, market))


def _copy_of(made: Path, market: Path, tmp_path_factory: pytest.TempPathFactory) -> MarketWorkspace:
    from training.market.config import MarketConfig

    root = tmp_path_factory.mktemp("market") / "workspace"
    shutil.copytree(made / "workspace", root)
    as_of = MarketConfig(*MARKET).history_end
    return MarketWorkspace(Workspace(root), market, as_of, (market / "push_id").read_text())


def _ingest(folder: Path) -> None:
    from features.ingest.load import ingest
    from training.market.config import MarketConfig
    from training.market.make import make_market

    market = make_market(folder / "market", MarketConfig(*MARKET))
    (market.folder / "push_id").write_text(market.push_id)
    for table, files in market.tables.items():
        ingest(Workspace(folder / "workspace"), table, list(files))


def _train_propensity(ingested: Path, folder: Path) -> None:
    from training.propensity import train_propensity

    workspace, as_of = _begun(ingested, folder)
    _promoted(workspace, train_propensity(workspace, as_of))


def _release(begun: Path, folder: Path) -> None:
    from console.release import build_release, publish_release
    from features.progress import silent
    from training.recommender import train_recommender
    from training.response import train_response

    workspace, as_of = _begun(begun, folder)
    for train in (train_recommender, train_response):
        _promoted(workspace, train(workspace, as_of))
    publish_release(workspace, build_release(workspace, as_of, [], silent).release_id)


def _begun(made: Path, folder: Path) -> tuple[Workspace, datetime]:
    """A copy in ``folder`` of the workspace that was ``made``, to go on with; as of when."""
    from training.market.config import MarketConfig

    workspace = Workspace(folder / "workspace")
    shutil.copytree(made / "workspace", workspace.root)
    return workspace, MarketConfig(*MARKET).history_end


def _promoted(workspace: Workspace, trained: Trained) -> None:
    from training.tracking import promote

    if not trained.promoted:  # so small a market does not promise to pass every gate
        promote(workspace, trained.name, trained.version, "by hand: tests serve it")
