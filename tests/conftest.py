"""Shared by all tests: the public data, and one small market taken through the whole path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from features.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parent.parent

# How long an example takes says more of the machine than of the code: benchmarks measure time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> MarketWorkspace:
    from features.ingest.load import ingest
    from training.market.config import MarketConfig
    from training.market.make import make_market

    root = tmp_path_factory.mktemp("market")
    market = make_market(root / "market", MarketConfig(members=3_000, seed=11))
    workspace = Workspace(root / "workspace")
    for table, files in market.tables.items():
        ingest(workspace, table, list(files))
    return MarketWorkspace(workspace, market.folder, market.config.history_end, market.push_id)


@pytest.fixture(scope="session")
def released(ingested: MarketWorkspace) -> MarketWorkspace:
    """The same workspace with all models trained and a release published."""
    from console.release import build_release, publish_release
    from features.progress import silent
    from training.propensity import train_propensity
    from training.recommender import train_recommender
    from training.response import train_response
    from training.tracking import promote

    workspace, as_of = ingested.workspace, ingested.as_of
    for train in (train_propensity, train_recommender, train_response):
        trained = train(workspace, as_of)
        if not trained.promoted:  # so small a market does not promise to pass every gate
            promote(workspace, trained.name, trained.version, "by hand: tests serve it")
    publish_release(workspace, build_release(workspace, as_of, [], silent).release_id)
    return ingested
