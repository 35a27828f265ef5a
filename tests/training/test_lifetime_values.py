"""What a release is told of members' lifetime values: the model's own promises, and no others."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from decisions.policy import Policy
from features.encoding import Encoding
from features.snapshot import Snapshot
from features.tables import opened
from features.workspace import Workspace
from models.bgnbd import BgNbd
from models.clv import Clv
from models.gamma_gamma import GammaGamma
from models.lifetime_values import LifetimeValues
from models.manifest import TrackedVersion
from tests.conftest import MarketWorkspace
from tests.training.shops import AS_OF, OPENED, purchases, store
from training.buyers import buyers
from training.lifetime_values import expected, lifetime_values
from training.release import Contents, assemble
from training.tracking import promote, register, tracked

MODEL = Clv(BgNbd(0.8, 40.0, 0.3, 3.0), GammaGamma(3.0, 4.0, 20.0), 0.3, 1.2, 0.9, 60, 0.1)


def serving(workspace: Workspace) -> TrackedVersion:
    """``MODEL`` as the champion of the workspace."""
    with tracked(workspace, "clv", "by hand") as run:
        MODEL.save(workspace.root / "clv")
        folder = run.folder(workspace.root / "clv")
    version = register(workspace, "clv", run, folder)
    promote(workspace, "clv", version, "by hand: a test serves it")
    return version


def of_members(as_of: datetime, *members: str) -> Snapshot:
    ids = np.array(sorted(member.encode() for member in members))
    return Snapshot(as_of, Encoding((), {}), ids, np.empty((len(ids), 0), np.float32))


def test_each_member_is_told_what_the_model_promises_and_strangers_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store(workspace, "events", purchases(members=100))
    with opened(workspace) as tables:
        seen = buyers(tables, AS_OF, 0.3)
    promised = MODEL.predict(seen.histories)
    left_out, *others = seen.member_ids.tolist()  # as one who was erased is
    ids = of_members(AS_OF, *others, "a-stranger", "z陌生人").member_ids
    told = expected(MODEL, seen, ids)
    assert len(told) == len(ids)
    assert told.at(0) is told.at(len(ids) - 1) is None
    for row, place in enumerate(range(1, len(seen)), 1):
        found = told.at(row)
        assert found is not None
        assert found.horizon_days == 60
        assert found.purchases == pytest.approx(promised.purchases[place], rel=1e-6)
        assert found.spend == pytest.approx(promised.spend[place], rel=1e-6)
        assert found.margin == pytest.approx(promised.margin[place], rel=1e-6)
    assert left_out.encode() not in ids


def test_nothing_is_told_without_a_model_and_of_nobody_before_the_first_purchase(
    recorded: Workspace,
) -> None:
    store(recorded, "events", purchases(members=20))
    early = of_members(OPENED - timedelta(days=1), "m0001", "m0002")
    with opened(recorded) as tables:
        assert lifetime_values(recorded, tables, early) is None
        version = serving(recorded)
        found = lifetime_values(recorded, tables, early)
    assert found is not None
    assert found[0].version == version.version
    assert [found[1].at(row) for row in (0, 1)] == [None, None]


@pytest.mark.slow
def test_a_release_holds_what_the_serving_model_promises(
    released: MarketWorkspace, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "workspace")
    shutil.copytree(released.workspace.root, workspace.root)
    version = serving(workspace)
    folder = tmp_path / "release"
    folder.mkdir()
    made = assemble(workspace, Contents(released.as_of, Policy("salt")), folder)
    assert made.models["clv"] == version
    told, snapshot = LifetimeValues.load(folder / "clv"), Snapshot.load(folder / "snapshot")
    with opened(workspace) as tables:
        seen = buyers(tables, released.as_of, workspace.conventions.default_margin_rate)
    rows = snapshot.rows(seen.member_ids.tolist())
    promised = MODEL.predict(seen.histories)
    wanted = np.column_stack([promised.purchases, promised.spend, promised.margin])
    assert told.values[rows] == pytest.approx(wanted, rel=1e-6)
    never = np.setdiff1d(np.arange(len(told)), rows)
    assert len(never)
    assert np.isnan(told.values[never]).all()
