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

import pytest
import structlog
from hypothesis import settings

from features.workspace import Workspace
from tests.made_once import made_once

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
def released(tmp_path_factory: pytest.TempPathFactory) -> MarketWorkspace:
    """The same market with all models trained and a release published."""
    market = made_once(tmp_path_factory, "ingested", _ingest)
    made = made_once(tmp_path_factory, "released", partial(_release, market))
    return _copy_of(made, market / "market", tmp_path_factory)


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


def _release(ingested: Path, folder: Path) -> None:
    from console.release import build_release, publish_release
    from features.progress import silent
    from training.market.config import MarketConfig
    from training.propensity import train_propensity
    from training.recommender import train_recommender
    from training.response import train_response
    from training.tracking import promote

    workspace, as_of = Workspace(folder / "workspace"), MarketConfig(*MARKET).history_end
    shutil.copytree(ingested / "workspace", workspace.root)
    for train in (train_propensity, train_recommender, train_response):
        trained = train(workspace, as_of)
        if not trained.promoted:  # so small a market does not promise to pass every gate
            promote(workspace, trained.name, trained.version, "by hand: tests serve it")
    publish_release(workspace, build_release(workspace, as_of, [], silent).release_id)
