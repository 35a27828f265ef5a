"""One small market that the tests of this folder read and do not change."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.market.config import Market, MarketConfig
from training.market.make import Block, make_block, make_market
from training.market.world import World, make_world

SMALL = MarketConfig(members=3_000, seed=5)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    folder: Path = tmp_path_factory.mktemp("market")
    return make_market(folder, SMALL)


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(SMALL)


@pytest.fixture(scope="session")
def block(world: World) -> Block:
    """The same members as in ``market``."""
    return make_block(world, SMALL, first=0)
